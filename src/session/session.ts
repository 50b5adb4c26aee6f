// A session: one conversation over one stream. Frames flow to the engine; questions are put between frames.
import { z } from 'zod';
import { eitherSignal, throwIfAborted } from '../core/abort.ts';
import { MediaError, UserError, messageOf } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { parseOptions } from '../core/options.ts';
import { samplingSchema } from '../language/sampler.ts';
import type { HeadCoverage } from '../memory/slot-coverage.ts';
import type { Source } from '../source/contract.ts';
import { createAnswerStream, type AnswerStream } from './answer-stream.ts';
import type { Answer, AskOptions, FrameReport, MemoryReport, SessionEvent, SessionSummary } from './contract.ts';
import type { BudgetController } from './budget-controller.ts';
import { createEventHub } from './event-hub.ts';
import type { Model } from './model.ts';
import { createMutex } from './mutex.ts';
import { createQuestionQueue } from './question-queue.ts';
import type { SavedHead } from './saved-session.ts';
import type { StreamClock } from './stream-clock.ts';
import { createSummary } from './summary.ts';

/** A stream that is being watched and can be asked. Dispose of it to stop watching and free its memory. */
export interface Session extends AsyncDisposable {
  /**
   * Puts a question to the stream as it is now, or at `atSec` of media time; questions and answers form one dialogue.
   * Iterate the result for the text as it is written, or await it for the whole answer.
   * @throws UserError for an empty question or wrong options, CapacityError when question and answer do not fit; AbortError when `signal` fires
   */
  ask(question: string, options?: AskOptions): AnswerStream;
  /** Calls `listener` for every event from now on (`onEvent` of `openStream` also sees `opened`); the result unsubscribes. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /** Every event from this call on, until the session ends. Unread events wait in memory. */
  events(): AsyncIterable<SessionEvent>;
  /**
   * With `drive: 'manual'`: watches up to that media time in seconds (`Infinity`: to the end) and returns the reports of the frames.
   * Calls take turns. Questions with `atSec` are put on the way.
   * @throws UserError unless the drive is manual; MediaError or ModelError when the source or the model fails
   */
  advanceTo(timeSec: number): Promise<readonly FrameReport[]>;
  /** What the memory holds now. @throws UserError when the session was disposed of */
  memory(): Promise<MemoryReport>;
  /** What each slot of the memory covers in time, by layer and head. @throws UserError when the session was disposed of */
  slots(): Promise<readonly HeadCoverage[]>;
  /**
   * Saves the session to a file, whole or not at all: memory, dialogue, and where the stream stands. `sessionFile` of `openStream` goes on from it, in this process or
   * another, with the answers that this session would give. The next frame is then computed in full, here as there.
   * @throws UserError when the file cannot be written or the session was disposed of
   */
  save(file: string): Promise<void>;
  summary(): SessionSummary;
  /** Whether watching is over: the stream ended, failed or was stopped. */
  readonly over: boolean;
  /** Settles when the stream has ended and every question put by then is answered; rejects when the source or the model failed. */
  readonly ended: Promise<SessionSummary>;
  /** Stops watching, answers what was still to be asked, and leaves the memory: it can be asked until the session is disposed of. */
  stop(): Promise<SessionSummary>;
}

export interface SessionParts {
  readonly model: Model;
  readonly source: Source;
  /** Number of the stream in the engine. */
  readonly stream: number;
  /** Names of what it runs, for the first event. */
  readonly names: { readonly method: string; readonly gate: string; readonly vision: string; readonly memory: string };
  /** Keeps the stream within its budget. */
  readonly budget: BudgetController | undefined;
  /** The clock of a stream whose frames come at their own pace: what they are late by. */
  readonly clock: StreamClock | undefined;
  readonly drive: 'auto' | 'manual';
  readonly onEvent: ((event: SessionEvent) => void) | undefined;
  readonly onFrame: ((frame: Frame) => Promise<void> | void) | undefined;
  /** Disposes of the model with the session, when the session opened it. */
  readonly ownsModel: boolean;
  /** Where it is saved, and how often. */
  readonly saving: { readonly file: string; readonly everySec: number } | undefined;
  /** The saved session that the stream was opened from. */
  readonly saved: SavedHead | undefined;
}

const askOptions = samplingSchema.partial().extend({
  maxTokens: z.int().min(1).optional(),
  stop: z.array(z.string().min(1)).optional(),
  atSec: z.number().min(0).optional(),
  remember: z.boolean().default(true),
});

/** A frame and what its coming took. */
interface Arrived {
  readonly frame: Frame;
  readonly waitMs: number;
  readonly decodeMs: number;
}

/** @internal Use `openStream`. */
export function createSession({ model, source, stream, names, budget, clock, drive, onEvent, onFrame, ownsModel, saving, saved }: SessionParts): Session {
  const { engine } = model;
  const { emit, subscribe, iterate } = createEventHub(onEvent);
  /** Frames and questions, one at a time. */
  const turns = createMutex();
  const advances = createMutex();
  const questions = createQuestionQueue();
  const totals = createSummary();
  const frames = source[Symbol.asyncIterator]();
  const answering = new Set<Promise<unknown>>();
  const disposal = new AbortController();
  let state: 'watching' | 'over' = 'watching';
  let disposed: Promise<void> | undefined;
  const resumedSec = saved?.place.timeSec ?? -1;
  let lastSec = resumedSec;
  /** Added to the times of a live source that begins anew: it stood still for as long as nobody watched. */
  const shiftSec = saved && source.info.live ? Math.max(resumedSec, 0) + Math.max(0, Date.now() - saved.savedAtMs) / 1000 : 0;
  let peeked: Arrived | undefined;
  let decodedMs = 0;
  let autosaved: Promise<unknown> | undefined;

  const unsubscribes = (['reconnecting', 'reconnected', 'dropped', 'damaged'] as const).map((kind) =>
    source.on(kind, (event) => {
      if (kind === 'reconnected') clock?.restart();
      emit({ kind: 'source', event });
    }),
  );
  const { promise: ended, resolve: markEnded, reject: markFailed } = Promise.withResolvers<SessionSummary>();
  ended.catch(() => undefined); // The failure is also an event and the rejection of whoever waits.
  const summary = () => totals.read(source.stats().droppedCount, budget?.totals);
  const gone = () => new UserError('SESSION_DISPOSED', { what: 'the session was disposed of', todo: 'open a new one' });

  async function next(): Promise<Arrived | undefined> {
    if (peeked) return peeked;
    const start = performance.now();
    let step = await frames.next();
    while (!step.done && step.value.timeSec + shiftSec <= resumedSec) step = await frames.next();
    if (step.done) return undefined;
    const waitMs = performance.now() - start;
    const { decodeMs, convertMs } = source.stats();
    const spentMs = decodeMs + convertMs - decodedMs;
    decodedMs = decodeMs + convertMs;
    const frame = shiftSec > 0 ? { ...step.value, timeSec: step.value.timeSec + shiftSec } : step.value;
    return (peeked = { frame, waitMs, decodeMs: spentMs });
  }

  async function watch({ frame, waitMs, decodeMs }: Arrived): Promise<FrameReport> {
    peeked = undefined;
    return turns.run(async () => {
      const transfer = source.info.kind === 'program' ? [] : transferable(frame);
      const { timeSec } = frame;
      if (onFrame) await onFrame(frame);
      const nowMs = performance.now();
      const lagMs = clock?.arrive(nowMs, timeSec) ?? 0;
      const allowance = budget?.allow({ nowMs, lagMs, intervalMs: clock?.intervalMs ?? 0 });
      const { report, ...spent } = await engine.call('frame', { stream, frame, ...(allowance && { allowance }) }, { transfer, signal: disposal.signal });
      lastSec = timeSec;
      budget?.spent({ ms: performance.now() - nowMs, patchRatio: report.patchesRecomputed / report.patches, wasSkipped: report.gate.path === 'skip', memoryFill: report.memory.liveBytes / report.memory.capBytes });
      const full: FrameReport = { ...report, timings: { decodeMs, waitMs, ...spent } };
      totals.frame(full);
      emit({ kind: 'frame', ...full });
      for (const change of budget?.takeChanges() ?? []) emit({ kind: 'budget', timeSec, ...change });
      return full;
    });
  }

  /** Puts the questions for times before `timeSec`, once there is a frame to ask about, and waits for their answers. */
  async function putQuestionsBefore(timeSec: number): Promise<void> {
    if (lastSec < 0 && timeSec !== Infinity) return;
    if (questions.putBefore(timeSec)) {
      await Promise.resolve(); // Those who waited take their turns first.
      await turns.run(() => Promise.resolve());
    }
  }

  async function finish(reason: 'end' | 'stopped' | 'failed', error?: Error): Promise<void> {
    if (state !== 'watching') return;
    state = 'over';
    await turns.run(() => Promise.resolve()); // The frame under way.
    await putQuestionsBefore(Infinity);
    await Promise.allSettled(answering);
    for (const unsubscribe of unsubscribes) unsubscribe();
    const total = summary();
    if (error) markFailed(error);
    else markEnded(total);
    emit({ kind: 'ended', reason, summary: total, ...(error && { error: error.message }) });
  }

  async function advance(timeSec: number): Promise<readonly FrameReport[]> {
    const reports: FrameReport[] = [];
    try {
      while (state === 'watching') {
        const arrived = await next();
        if (!arrived) {
          if (lastSec < 0) throw new MediaError('NO_FRAMES', { what: `${source.info.address} gave no frame`, todo: 'check the start, the duration and that the video has pictures' });
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

  async function answer(question: string, given: AskOptions, write: (piece: string) => void): Promise<Answer> {
    const { signal: asked, ...rest } = given;
    if (disposed) throw gone();
    if (typeof question !== 'string' || question.trim() === '') throw new UserError('EMPTY_QUESTION', { what: 'the question is empty', got: typeof question === 'string' ? `"${question}"` : typeof question, expected: 'a text' });
    const { atSec, remember, ...options } = parseOptions(askOptions, rest, 'ask');
    const generation = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const signal = eitherSignal(disposal.signal, asked);
    throwIfAborted(signal);
    if (atSec !== undefined && atSec >= lastSec && state === 'watching') await questions.wait(atSec, signal);
    const start = performance.now();
    return turns.run(async () => {
      throwIfAborted(signal);
      const ownMs = performance.now() - start;
      emit({ kind: 'question', question, timeSec: lastSec });
      const onReply = (text: string) => {
        write(text);
        emit({ kind: 'text', question, text });
      };
      const { prefillMs, firstTokenMs, decodeTokenMs, totalMs, runtimeMs, waitMs: turnMs, ...said } = await engine.call('ask', { stream, question, remember, generation }, { onReply, signal });
      const waitMs = ownMs + turnMs;
      const timings = { waitMs, prefillMs, firstTokenMs: waitMs + firstTokenMs, decodeTokenMs, totalMs: waitMs + totalMs, runtimeMs };
      const done: Answer = { ...said, timings };
      totals.answer(done.memory);
      budget?.answered(timings.firstTokenMs - timings.waitMs);
      emit({ kind: 'answer', ...done });
      return done;
    });
  }

  function ask(question: string, options: AskOptions = {}): AnswerStream {
    return createAnswerStream((write) => {
      const work = answer(question, options, write).catch((error: unknown) => {
        throw disposal.signal.aborted ? gone() : error;
      });
      answering.add(work);
      return work.finally(() => answering.delete(work));
    });
  }

  const write = (file: string) => turns.run(() => engine.call('save', { stream, file }));

  async function save(file: string): Promise<void> {
    if (disposed) throw gone();
    await write(file);
    emit({ kind: 'saved', file, timeSec: lastSec });
  }

  /** Saves to the session's own file. A failure is told, and ends nothing: the next time may be better. */
  function autosave(): void {
    const { file } = saving!;
    autosaved ??= save(file)
      .catch((error: unknown) => emit({ kind: 'saved', file, timeSec: lastSec, error: messageOf(error) }))
      .finally(() => (autosaved = undefined));
  }

  async function stop(): Promise<SessionSummary> {
    const over = finish('stopped');
    await source.close();
    await over;
    return summary();
  }

  async function dispose(): Promise<void> {
    clearInterval(timer);
    disposal.abort(gone());
    questions.clear(gone());
    await stop();
    await Promise.allSettled(answering);
    try {
      if (saving) await write(saving.file);
    } finally {
      await close();
    }
  }

  async function close(): Promise<void> {
    if (ownsModel) await model[Symbol.asyncDispose]();
    else await engine.call('close', stream).catch(() => undefined); // With its thread gone, so is the stream.
  }

  const timer = saving && setInterval(autosave, saving.everySec * 1000).unref();
  emit({ kind: 'opened', source: source.info.address, model: model.info.folder, ...names, ...(saved && { resumedSec }) });
  if (drive === 'auto') advances.run(() => advance(Infinity)).catch(() => undefined); // Told by `ended` and the event.

  return {
    ask,
    async advanceTo(timeSec) {
      if (drive !== 'manual') throw new UserError('NOT_MANUAL', { what: 'this session advances by itself', todo: "open it with drive: 'manual'" });
      if (typeof timeSec !== 'number' || Number.isNaN(timeSec)) throw new UserError('BAD_TIME', { what: 'advanceTo needs a time', got: String(timeSec), expected: 'seconds of media time, or Infinity' });
      return advances.run(() => advance(timeSec));
    },
    subscribe,
    events: iterate,
    slots: () => (disposed ? Promise.reject(gone()) : engine.call('slots', stream)),
    memory: () => (disposed ? Promise.reject(gone()) : engine.call('memory', stream)),
    save,
    summary,
    get over() {
      return state !== 'watching';
    },
    ended,
    stop,
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

/** The buffers of a frame, moved to the engine; pixels that share a buffer with something else, or are the program's, are copied. */
function transferable({ rgb }: Frame): ArrayBuffer[] {
  return rgb.buffer instanceof ArrayBuffer && rgb.byteLength === rgb.buffer.byteLength ? [rgb.buffer] : [];
}
