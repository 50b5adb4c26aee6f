// Batches of clips in a seeded order, fetched ahead from the data worker; the state is a number, so a resumed run sees the same batches.
import { createRandom } from '../core/random.ts';
import type { WorkerClient } from '../runtime/worker.ts';
import { startWorker } from '../runtime/worker.ts';
import type { ClipService, OpenClips } from './clip-worker.ts';
import type { BatchShape } from './decoder-graph.ts';
import type { Batch } from './optimiser.ts';
import type { BatchSource } from './trainer.ts';
import { packBatch } from './vlm-batch.ts';

/** A part of the curriculum: clips of one length. */
export interface Stage {
  /** Batches of this stage; the last stage goes on without end. */
  readonly batches: number;
  /** Name of the graph that its batches are for. */
  readonly variant: string;
  readonly shape: BatchShape;
}

export interface ClipSourceOptions extends OpenClips {
  readonly stages: readonly Stage[];
  /** Numbers of the clips: `from` (inclusive) to `to` (exclusive). */
  readonly clips: { readonly from: number; readonly to: number };
  /** Frames that every made clip has. */
  readonly framesPerClip: number;
  readonly seed: string;
  /** Questions that stand in a clip's prefix, asked and answered, at most; default 0. */
  readonly spokenTurns?: number;
  /** Batches fetched ahead; default 3. */
  readonly ahead?: number;
}

export interface ClipSource extends BatchSource, AsyncDisposable {
  /** Questions given out so far in this process, and threads that did not fit their batches. */
  readonly counts: { questions: number; dropped: number };
}

/** Opens a data worker. Clips come in a new order at every pass over them, each time with other questions first and, where a stage is shorter, another stretch. */
export async function openClipSource(options: ClipSourceOptions): Promise<ClipSource> {
  const worker: WorkerClient<ClipService> = startWorker(new URL(import.meta.url.endsWith('.ts') ? './clip-worker.ts' : './clip-worker.js', import.meta.url), 'thalweg training clips');
  const { maker, makerOptions, config, cacheFolder, promptFolder, stages, clips, framesPerClip, seed, spokenTurns = 0, ahead = 3 } = options;
  await worker.call('open', { maker, makerOptions, config, cacheFolder, promptFolder });
  const counts = { questions: 0, dropped: 0 };
  const total = clips.to - clips.from;
  const orders = new Map<number, readonly number[]>();
  const orderOf = (pass: number) => {
    const known = orders.get(pass) ?? createRandom(`${seed} pass ${pass}`).shuffle(Array.from({ length: total }, (_, i) => clips.from + i));
    if (orders.size > 2) orders.clear();
    orders.set(pass, known);
    return known;
  };
  /** Where in the sequence of clips a batch begins: stages may have other numbers of clips a batch. */
  const placeOf = (batch: number) => {
    let [left, clip] = [batch, 0];
    for (const stage of stages.slice(0, -1)) {
      if (left < stage.batches) return { stage, clip: clip + left * stage.shape.clips };
      left -= stage.batches;
      clip += stage.batches * stage.shape.clips;
    }
    const stage = stages.at(-1)!;
    return { stage, clip: clip + left * stage.shape.clips };
  };
  const fetch = async (batch: number): Promise<Batch> => {
    const { stage, clip } = placeOf(batch);
    const { shape } = stage;
    const samples = await Promise.all(
      Array.from({ length: shape.clips }, (_, i) => {
        const at = clip + i;
        const count = Math.min(shape.frames, framesPerClip);
        const first = createRandom(`${seed} window ${at}`).int(0, framesPerClip - count + 1);
        return worker.call('clip', { index: orderOf(Math.floor(at / total))[at % total]!, window: { first, count }, spoken: { turns: spokenTurns, prefixTokens: shape.prefix }, seed: `${seed} ${at}` });
      }),
    );
    const packed = packBatch(config, shape, samples);
    counts.questions += packed.questions;
    counts.dropped += packed.dropped;
    return { variant: stage.variant, feeds: packed.feeds, measure: packed.measure };
  };
  let next = 0;
  let queue: Promise<Batch>[] = [];
  return {
    counts,
    async next() {
      while (queue.length < ahead) {
        const batch = fetch(next + queue.length);
        // Failures are reported where the batch is awaited.
        batch.catch(() => undefined);
        queue.push(batch);
      }
      const batch = await queue.shift()!;
      next++;
      return batch;
    },
    state: () => ({ next }),
    restore(state) {
      next = (state as { readonly next: number }).next;
      queue = [];
    },
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}
