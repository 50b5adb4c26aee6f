// What the candidates of one video share: its frames, decoded once, and the name under which an engine keeps what its encoder made of them.
import type { Frame } from '../core/frame.ts';
import type { Source, SourceInfo } from '../source/contract.ts';
import { openSource } from '../source/open-source.ts';

/** One video while its candidates take turns. */
export interface SharedVideo {
  /** Which of the lanes that work side by side has the video: candidates compute on the model of their lane. */
  readonly lane: number;
  /** Unique in a run; under it an engine may share what depends on the frames alone. */
  readonly name: string;
  /** The video's frames at a rate, as a source like any other; its `stats` tell what decoding cost the first time. */
  source(path: string, fps: number, signal: AbortSignal): Promise<Source>;
}

/** Decoded once: the frames, and what decoding and conversion had taken when each came. */
interface Decoded {
  readonly info: SourceInfo;
  readonly frames: readonly Frame[];
  readonly decodeMs: readonly number[];
}

/** Videos above this are decoded by each candidate for itself. */
const keptBytes = 2 ** 28;

/** @param name unique in the run */
export function createSharedVideo(name: string, lane: number): SharedVideo {
  const decoded = new Map<string, Promise<Decoded | undefined>>();
  return {
    name,
    lane,
    async source(path, fps, signal) {
      const key = `${fps} ${path}`;
      let kept = decoded.get(key);
      if (!kept) {
        kept = decode(path, fps, signal);
        decoded.set(key, kept);
        // The next candidate tries again: an abort or a broken disk is not the video's fault.
        kept.catch(() => decoded.delete(key));
      }
      const frames = await kept;
      return frames === undefined ? openSource(path, { fps, signal }) : replay(frames);
    },
  };
}

async function decode(path: string, fps: number, signal: AbortSignal): Promise<Decoded | undefined> {
  const source = await openSource(path, { fps, signal });
  const { info } = source;
  const frameBytes = info.widthPx * info.heightPx * 3;
  if (info.durationSec === undefined || info.durationSec * fps * frameBytes > keptBytes) {
    await source.close();
    return undefined;
  }
  const frames: Frame[] = [];
  const decodeMs: number[] = [];
  for await (const frame of source) {
    const stats = source.stats();
    frames.push(frame);
    decodeMs.push(stats.decodeMs + stats.convertMs);
  }
  return { info, frames, decodeMs };
}

function replay({ info, frames, decodeMs }: Decoded): Source {
  let next = 0;
  const stats = () => ({ decodedCount: next, keptCount: next, deliveredCount: next, droppedCount: 0, damagedCount: 0, reconnectCount: 0, readMs: 0, decodeMs: decodeMs[next - 1] ?? 0, convertMs: 0, waitMs: 0 });
  const close = () => {
    next = frames.length;
    return Promise.resolve();
  };
  return {
    // A session gives the buffers of a file's frames away to its engine; those of the program it copies.
    info: { ...info, kind: 'program' },
    stats,
    on: () => () => undefined,
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(next < frames.length ? { done: false, value: frames[next++]! } : { done: true, value: undefined }),
      return: async () => {
        await close();
        return { done: true, value: undefined };
      },
    }),
  };
}
