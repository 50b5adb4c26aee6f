// Batches of clips in a seeded order, fetched ahead from the data worker; the state is a number, so a resumed run sees the same batches.
import { createRandom } from '../core/random.ts';
import type { WorkerClient } from '../runtime/worker.ts';
import { startWorker } from '../runtime/worker.ts';
import type { ClipService, OpenClips } from './clip-worker.ts';
import type { BatchShape } from './decoder-graph.ts';
import { createEpochs } from './epochs.ts';
import type { Batch } from './optimiser.ts';
import type { Selection, Window } from './prompt.ts';
import type { Thinning } from './thinning.ts';
import type { BatchSource } from './trainer.ts';
import { packBatch } from './vlm-batch.ts';

/** A part of the curriculum: stretches of one length. */
export interface Stage {
  /** Batches of this stage; the last stage goes on without end. */
  readonly batches: number;
  /** Name of the graph that its batches are for. */
  readonly variant: string;
  readonly shape: BatchShape;
  /** Stretches that are cut out of each clip; divides the batch's clips. Default 1. */
  readonly windows?: number;
  /** Every how manieth picture a stretch takes, drawn for each. Default 1. */
  readonly strides?: readonly Window['stride'][];
  /** Only the first so many clips of the set. Default all. */
  readonly clips?: number;
  readonly selection?: Selection;
  /** Questions that stand in a clip's prefix, asked and answered, at most; default 0. */
  readonly spokenTurns?: number;
  /** Default: every token of every frame. */
  readonly thinning?: Thinning;
}

export interface ClipSourceOptions extends OpenClips {
  readonly stages: readonly Stage[];
  /** Numbers of the clips: `from` (inclusive) to `to` (exclusive). */
  readonly clips: { readonly from: number; readonly to: number };
  readonly seed: string;
  /** Batches fetched ahead; default 3. */
  readonly ahead?: number;
}

export interface ClipSource extends BatchSource, AsyncDisposable {
  /** Questions given out so far in this process, and threads that did not fit their batches. */
  readonly counts: { questions: number; dropped: number };
}

async function openWorker({ maker, makerOptions, config, cacheFolder, promptFolder }: OpenClips): Promise<WorkerClient<ClipService>> {
  const worker: WorkerClient<ClipService> = startWorker(new URL(import.meta.url.endsWith('.ts') ? './clip-worker.ts' : './clip-worker.js', import.meta.url), 'thalweg training clips');
  await worker.call('open', { maker, makerOptions, config, cacheFolder, promptFolder });
  return worker;
}

/** Makes clips that are not on disk yet, so that no batch has to wait for one. */
export async function makeClips(options: OpenClips, range: { readonly from: number; readonly to: number }, { workers = 1, signal, onClip }: { readonly workers?: number; readonly signal?: AbortSignal; readonly onClip?: (done: number) => void } = {}): Promise<void> {
  // Questions of a block are balanced together, in order: a worker takes whole blocks.
  const block = 32;
  let next = range.from;
  let done = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      await using worker = await openWorker(options);
      while (next < range.to) {
        const from = next;
        next = Math.min(range.to, (Math.floor(from / block) + 1) * block);
        for (let index = from, end = next; index < end && signal?.aborted !== true; index++) {
          await worker.call('make', index);
          onClip?.(++done);
        }
        if (signal?.aborted === true) return;
      }
    }),
  );
}

/** Opens a data worker. Clips come in a new order at every pass over them, each time in other stretches with other questions first. */
export async function openClipSource(options: ClipSourceOptions): Promise<ClipSource> {
  const { config, stages, clips, seed, ahead = 3 } = options;
  const worker = await openWorker(options);
  const counts = { questions: 0, dropped: 0 };
  const clipNumbers = stages.map((stage) => {
    const total = Math.min(stage.clips ?? Infinity, clips.to - clips.from);
    return createEpochs(total, (pass) => `${seed} pass ${pass} of ${total}`);
  });
  /** Stage of a batch, and how many of the stage come before it. */
  const placeOf = (batch: number) => {
    let [left, number] = [batch, 0];
    for (; number < stages.length - 1 && left >= stages[number]!.batches; number++) left -= stages[number]!.batches;
    return { stage: stages[number]!, number, left };
  };
  const fetch = async (batch: number): Promise<Batch> => {
    const { stage, number, left } = placeOf(batch);
    const { shape, windows = 1, strides = [1], selection = {}, spokenTurns = 0, thinning } = stage;
    const files = shape.clips / windows;
    const samples = await Promise.all(
      Array.from({ length: files }, (_, i) => {
        const at = left * files + i;
        const name = `${seed} ${number} ${at}`;
        const random = createRandom(`${name} windows`);
        return worker.call('clip', {
          index: clips.from + clipNumbers[number]!(at),
          windows: Array.from({ length: windows }, () => ({ count: shape.frames, stride: random.pick(strides) })),
          selection,
          spoken: { turns: spokenTurns, prefixTokens: shape.prefix },
          thinning,
          seed: name,
        });
      }),
    );
    const packed = packBatch(config, shape, samples.flat());
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
