// Questions that wait for their time in the stream.
import { abortReason, throwIfAborted } from '../core/abort.ts';

interface Waiting {
  readonly atSec: number;
  readonly put: () => void;
  readonly drop: (reason: Error) => void;
}

export interface QuestionQueue {
  /** Settles when the stream is about to pass that media time; rejects when the signal fires or the queue is cleared. */
  wait(atSec: number, signal: AbortSignal | undefined): Promise<undefined>;
  /** Puts the questions for times before `timeSec`, earliest first; whether there were any. */
  putBefore(timeSec: number): boolean;
  clear(reason: Error): void;
}

export function createQuestionQueue(): QuestionQueue {
  const waiting: Waiting[] = [];
  const take = (question: Waiting) => {
    waiting.splice(waiting.indexOf(question), 1);
  };
  return {
    async wait(atSec, signal) {
      throwIfAborted(signal);
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      const question: Waiting = {
        atSec,
        put: () => resolve(undefined),
        drop: reject,
      };
      const onAbort = () => {
        take(question);
        reject(abortReason(signal!));
      };
      waiting.push(question);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        await promise; return;
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
    putBefore(timeSec) {
      const due = waiting.filter(({ atSec }) => atSec < timeSec).sort((a, b) => a.atSec - b.atSec);
      for (const question of due) {
        take(question);
        question.put();
      }
      return due.length > 0;
    },
    clear(reason) {
      for (const { drop } of waiting.splice(0)) drop(reason);
    },
  };
}
