// Pictures from the program itself: RGB frames that it renders or captures, as a source like any other.
import { abortReason, throwIfAborted } from '../core/abort.ts';
import { UserError } from '../core/errors.ts';
import type { MotionVectors } from '../core/frame.ts';
import type { SourceInfo } from './contract.ts';
import type { PictureStream } from './picture-stream.ts';

/** A picture that the program made. */
export interface RawFrame {
  /** Media time in seconds, from 0, strictly increasing. */
  readonly timeSec: number;
  readonly widthPx: number;
  readonly heightPx: number;
  /** uint8 [height, width, 3], rows from the top, no padding. Not copied: leave it alone once it is given. */
  readonly rgb: Uint8Array;
  readonly motion?: MotionVectors;
}

/** Pictures of the program, in the order of their times. */
export type RawFrames = AsyncIterable<RawFrame> | Iterable<RawFrame>;

export async function openRawFrames(frames: RawFrames, signal: AbortSignal, live: boolean): Promise<PictureStream> {
  const iterator = Symbol.asyncIterator in frames ? frames[Symbol.asyncIterator]() : frames[Symbol.iterator]();
  let decodedCount = 0;
  let readMs = 0;
  let lastSec = -Infinity;
  let giveUp: ((reason: Error) => void) | undefined;
  const onAbort = () => giveUp?.(abortReason(signal));
  signal.addEventListener('abort', onAbort, { once: true });

  async function pull(): Promise<RawFrame | undefined> {
    const startMs = performance.now();
    throwIfAborted(signal);
    // A race against one promise of the whole source would keep every frame alive for as long as that is open.
    const step = await new Promise<IteratorResult<RawFrame>>((resolve, reject) => {
      giveUp = reject;
      Promise.resolve(iterator.next()).then(resolve, reject);
    });
    readMs += performance.now() - startMs;
    if (step.done) return undefined;
    const frame = step.value;
    check(frame, decodedCount, lastSec);
    lastSec = frame.timeSec;
    decodedCount += 1;
    return frame;
  }

  let first = await pull();
  if (first === undefined) throw new UserError('NO_FRAMES', { what: 'cannot open a source of frames', got: 'no frame', expected: 'at least one' });
  const info: SourceInfo = {
    address: 'frames of the program',
    kind: 'program',
    live,
    container: 'none',
    codec: 'none',
    pixelFormat: 'rgb24',
    widthPx: first.widthPx,
    heightPx: first.heightPx,
    averageFps: undefined,
    durationSec: undefined,
  };
  return {
    info,
    stats: () => ({ decodedCount, damagedCount: 0, reconnectCount: 0, readMs, decodeMs: 0, convertMs: 0 }),
    async next() {
      const frame = first ?? (await pull());
      first = undefined;
      if (frame === undefined) return undefined;
      return { timeSec: frame.timeSec, pictureType: 'unknown', toRgb: () => Promise.resolve(frame), motion: () => frame.motion };
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', onAbort);
      // A generator that waits for its next value cannot return before it has it.
      if (!signal.aborted) await iterator.return?.();
      else void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}

function check({ timeSec, widthPx, heightPx, rgb }: RawFrame, index: number, lastSec: number): void {
  const what = `cannot take frame ${index} of the program`;
  if (!(Number.isInteger(widthPx) && Number.isInteger(heightPx) && widthPx > 0 && heightPx > 0)) throw new UserError('BAD_FRAME', { what, got: `${widthPx}×${heightPx} pixels`, expected: 'whole numbers above 0' });
  if (rgb.length !== widthPx * heightPx * 3) throw new UserError('BAD_FRAME', { what, got: `${rgb.length} bytes`, expected: `${widthPx * heightPx * 3} (${widthPx}×${heightPx} RGB)` });
  if (!(Number.isFinite(timeSec) && timeSec >= 0 && timeSec > lastSec)) throw new UserError('BAD_FRAME', { what, got: `time ${timeSec} s`, expected: `0 or more, and above ${lastSec}` });
}
