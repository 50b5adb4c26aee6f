// An answer that is on its way: iterate it for the text as it comes, await it for the whole.
import type { Answer } from './contract.ts';

/** `for await (const piece of answer)` gives text as it is written; `await answer` the finished answer. */
export interface AnswerStream extends AsyncIterable<string>, PromiseLike<Answer> {
  readonly done: Promise<Answer>;
}

/** Starts `produce` at once; pieces wait for whoever iterates, and several may. */
export function createAnswerStream(produce: (write: (piece: string) => void) => Promise<Answer>): AnswerStream {
  const pieces: string[] = [];
  let ended = false;
  let wake = Promise.withResolvers<undefined>();
  const signalAll = () => {
    wake.resolve(undefined);
    wake = Promise.withResolvers();
  };
  const done = produce((piece) => {
    pieces.push(piece);
    signalAll();
  }).finally(() => {
    ended = true;
    signalAll();
  });
  done.catch(() => undefined); // An unread answer must not end the process; whoever awaits still gets the error.
  return {
    done,
    then: (onDone, onError) => done.then(onDone, onError),
    async *[Symbol.asyncIterator]() {
      for (let next = 0; ; ) {
        while (next < pieces.length) yield pieces[next++]!;
        if (ended) break;
        await wake.promise;
      }
      await done;
    },
  };
}
