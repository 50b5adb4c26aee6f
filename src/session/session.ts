// A session: one conversation over one stream. Frames flow to the engine; questions are put between frames.
import { messageOf, UserError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import type { Source } from '../source/contract.ts';
import { createAnswerStream, type AnswerStream } from './answer-stream.ts';
import type { Answer, AskOptions, FrameReport, MemoryReport, SessionEvent, SessionSummary } from './contract.ts';
import type { Model } from './model.ts';
import { createMutex } from './mutex.ts';
import { createSummary } from './summary.ts';

/** A stream that is being watched and can be asked. Dispose of it to stop watching and free its memory. */
export interface Session extends AsyncDisposable {
  /**
   * Puts a question to the stream as it is now, or at `atSec` of media time; questions and answers form one dialogue.
   * Iterate the result for the text as it is written, or await it for the whole answer.
   * @throws UserError for an empty question; AbortError when `signal` fires
   */
  ask(question: string, options?: AskOptions): AnswerStream;
  /** Calls `listener` for every event from now on; the result unsubscribes. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /** Every event from now on, until the session ends. Unread events wait in memory. */
  events(): AsyncIterable<SessionEvent>;
  /** With `drive: 'manual'`: watches up to that media time (or the end) and returns the reports of the frames. */
  advanceTo(timeSec: number): Promise<readonly FrameReport[]>;
  /** What the memory holds now. */
  memory(): Promise<MemoryReport>;
  summary(): SessionSummary;
  /** Whether watching is over: the stream ended, failed or was stopped. */
  readonly over: boolean;
  /** Settles when the stream has ended and every question put by then is answered; rejects when the source or the model failed. */
  readonly ended: Promise<SessionSummary>;
  /** Stops watching; the memory stays and can be asked until the session is disposed. */
  stop(): Promise<SessionSummary>;
}

export interface SessionParts {
  readonly model: Model;
  readonly source: Source;
  /** Number of the stream in the engine. */
  readonly stream: number;
  readonly memoryName: string;
  readonly drive: 'auto' | 'manual';
  readonly onEvent: ((event: SessionEvent) => void) | undefined;
  /** Disposes of the model with the session, when the session opened it. */
  readonly ownsModel: boolean;
}

/** A frame and what its coming took. */
interface Arrived {
  readonly frame: Frame;
  readonly waitMs: number;
  readonly decodeMs: number;
}

interface PendingQuestion {
  readonly atSec: number;
  readonly put: () => void;
  readonly drop: (reason: Error) => void;
}

/** @internal Use `openStream`. */
export function createSession({ model, source, stream, memoryName, drive, onEvent, ownsModel }: SessionParts): Session {
  const { engine } = model;
  const listeners = new Set<(event: SessionEvent) => void>(onEvent ? [onEvent] : []);
  const turns = createMutex();
  const totals = createSummary();
  const frames = source[Symbol.asyncIterator]();
  const pending: PendingQuestion[] = [];
  const underWay = new Set<Promise<unknown>>();
  let lastSec = -1;
  let peeked: Arrived | undefined;
  let decodedMs = 0;
  let state: 'watching' | 'over' | 'disposed' = 'watching';
  let failure: Error | undefined;

  const emit = (event: SessionEvent) => {
    for (const listener of listeners) listener(event);
  };
  const sourceKinds = ['reconnecting', 'reconnected', 'dropped', 'damaged'] as const;
  const unsubscribes = sourceKinds.map((kind) => source.on(kind, (event) => emit({ kind: 'source', event })));
  const { promise: ended, resolve: markEnded, reject: markFailed } = Promise.withResolvers<SessionSummary>();
  ended.catch(() => undefined); // The failure is also an event and the rejection of whoever waits.
  const summary = () => totals.read(source.stats().droppedCount);

  async function next(): Promise<Arrived | undefined> {
    if (peeked) return peeked;
    const start = performance.now();
    const step = await frames.next();
    if (step.done) return undefined;
    const waitMs = performance.now() - start;
    const { decodeMs, convertMs } = source.stats();
    const spentMs = decodeMs + convertMs - decodedMs;
    decodedMs = decodeMs + convertMs;
    return (peeked = { frame: step.value, waitMs, decodeMs: spentMs });
  }

  async function watch({ frame, waitMs, decodeMs }: Arrived): Promise<FrameReport> {
    peeked = undefined;
    return turns.run(async () => {
      const { report, ...spent } = await engine.call('frame', { stream, frame }, { transfer: source.info.kind === 'program' ? [] : transferable(frame) });
      lastSec = frame.timeSec;
      const full: FrameReport = { ...report, timings: { decodeMs, waitMs, ...spent } };
      totals.frame(full);
      emit({ kind: 'frame', ...full });
      return full;
    });
  }

  /** Puts the questions that were to wait for a time before `timeSec`, and waits for their answers. */
  async function putQuestionsBefore(timeSec: number): Promise<void> {
    const due = pending.filter(({ atSec }) => atSec < timeSec).sort((a, b) => a.atSec - b.atSec);
    for (const question of due) {
      pending.splice(pending.indexOf(question), 1);
      question.put();
    }
    if (due.length > 0) await turns.run(() => Promise.resolve());
  }

  async function finish(reason: 'end' | 'stopped' | 'failed', error?: Error): Promise<void> {
    if (state !== 'watching') return;
    state = 'over';
    failure = error;
    await putQuestionsBefore(Infinity);
    await Promise.allSettled(underWay);
    for (const unsubscribe of unsubscribes) unsubscribe();
    const total = summary();
    emit({ kind: 'ended', reason, summary: total, ...(error && { error: error.message }) });
    if (error) markFailed(error);
    else markEnded(total);
  }

  async function advanceTo(timeSec: number): Promise<readonly FrameReport[]> {
    const reports: FrameReport[] = [];
    try {
      while (state === 'watching') {
        const arrived = await next();
        if (!arrived) {
          await finish('end');
          break;
        }
        const { timeSec: frameSec } = arrived.frame;
        await putQuestionsBefore(Math.min(frameSec, timeSec));
        if (frameSec > timeSec) break;
        reports.push(await watch(arrived));
      }
    } catch (thrown) {
      if (state !== 'watching') return reports; // Stopped while a frame was under way.
      const error = thrown instanceof Error ? thrown : new Error(messageOf(thrown));
      await finish('failed', error);
      throw error;
    }
    return reports;
  }

  function ask(question: string, { signal, atSec, remember = true, ...generation }: AskOptions = {}): AnswerStream {
    return createAnswerStream(async (write) => {
      if (question.trim() === '') throw new UserError('EMPTY_QUESTION', { what: 'the question is empty', todo: 'ask something' });
      if (state === 'disposed') throw new UserError('SESSION_DISPOSED', { what: 'the session was disposed of', todo: 'open a new one' });
      if (atSec !== undefined && atSec >= lastSec && state === 'watching') {
        await new Promise<void>((put, drop) => {
          pending.push({ atSec, put, drop });
          signal?.addEventListener('abort', () => drop(signal.reason as Error), { once: true });
        });
      }
      const asked = performance.now();
      const work = turns.run(async () => {
        signal?.throwIfAborted();
        const ownMs = performance.now() - asked;
        emit({ kind: 'question', question, timeSec: lastSec });
        const onReply = (text: string) => {
          write(text);
          emit({ kind: 'text', question, text });
        };
        const { prefillMs, firstTokenMs, decodeTokenMs, totalMs, runtimeMs, waitMs: turnMs, ...said } = await engine.call('ask', { stream, question, remember, generation }, { onReply, ...(signal && { signal }) });
        const waitMs = ownMs + turnMs;
        const timings = { waitMs, prefillMs, firstTokenMs: waitMs + firstTokenMs, decodeTokenMs, totalMs: waitMs + totalMs, runtimeMs };
        const answer: Answer = { ...said, timings };
        totals.answer(answer.memory);
        emit({ kind: 'answer', ...answer });
        return answer;
      });
      underWay.add(work);
      return work.finally(() => underWay.delete(work));
    });
  }

  async function stop(): Promise<SessionSummary> {
    if (state === 'watching') {
      const over = finish('stopped');
      await source[Symbol.asyncDispose]();
      await over;
    }
    return summary();
  }

  emit({ kind: 'opened', source: source.info.address, model: model.info.folder, memory: memoryName });
  if (drive === 'auto') advanceTo(Infinity).catch(() => undefined); // Told by `ended` and the event.

  return {
    ask,
    advanceTo(timeSec) {
      if (drive === 'manual') return advanceTo(timeSec);
      return Promise.reject(new UserError('NOT_MANUAL', { what: 'this session advances by itself', todo: "open it with drive: 'manual'" }));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    events: () => iterateEvents(listeners, () => state !== 'watching'),
    memory: () => engine.call('memory', stream),
    summary,
    get over() {
      return state !== 'watching';
    },
    ended,
    stop,
    async [Symbol.asyncDispose]() {
      if (state === 'disposed') return;
      const reason = new UserError('SESSION_DISPOSED', { what: 'the session was disposed of before the question was put' });
      for (const question of pending.splice(0)) question.drop(reason);
      if (state === 'watching') await stop();
      else await source[Symbol.asyncDispose]();
      state = 'disposed';
      markEnded(summary());
      if (ownsModel) await model[Symbol.asyncDispose]();
      else if (!failure) await engine.call('close', stream);
    },
  };
}

/** The buffers of a frame, moved to the engine; pixels that share a buffer with something else, or are the program's, are copied. */
function transferable({ rgb }: Frame): ArrayBuffer[] {
  return rgb.buffer instanceof ArrayBuffer && rgb.byteLength === rgb.buffer.byteLength ? [rgb.buffer] : [];
}

async function* iterateEvents(listeners: Set<(event: SessionEvent) => void>, isOver: () => boolean): AsyncGenerator<SessionEvent> {
  if (isOver()) return;
  const queue: SessionEvent[] = [];
  let wake = Promise.withResolvers<undefined>();
  const listener = (event: SessionEvent) => {
    queue.push(event);
    wake.resolve(undefined);
  };
  listeners.add(listener);
  try {
    while (true) {
      for (let event = queue.shift(); event; event = queue.shift()) {
        yield event;
        if (event.kind === 'ended') return;
      }
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    listeners.delete(listener);
  }
}
