// The whole of training a router for a checkpoint: its eye, samples, the run, and `router.json` in its folder.
import { join } from 'node:path';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { UserError } from '../core/errors.ts';
import { routerFile, type RouterFile } from '../gate/router-weights.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import { openWeights } from '../models/packed/open.ts';
import { openVisionEncoder } from '../vision/encoder.ts';
import { createPreprocessor } from '../vision/preprocess.ts';
import { makeRouterSamples, type RouterEye } from './router-samples.ts';
import { routerRecipe, trainRouter } from './router.ts';
import { writeWhole } from '../core/write-whole.ts';

/** Which checkpoint gets a router, from what it learns, and how long. */
export interface RouterRunOptions {
  /** A checkpoint folder; it gets `router.json`. */
  readonly folder: string;
  readonly cacheFolder: string;
  /**
   * What counts as a change: `tokens`, what moves in the model's own visual tokens (for trained weights); `truth`, what moves in the world.
   */
  readonly labels: 'tokens' | 'truth';
  /** Gets checkpoints, log and curves; a run that was cut short goes on from there. */
  readonly workFolder: string;
  readonly clips?: number;
  readonly clipSec?: number;
  readonly steps?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly stage: string; readonly done: number }) => void;
}

/** Where the router was written, and what is known of its training. */
export interface RouterRunResult {
  readonly path: string;
  readonly trained: RouterFile['trained'];
}

/**
 * Trains the gates of a checkpoint for frames and patches on the synthetic world.
 * @throws UserError for a model of text alone; the signal's reason when it fires
 */
export async function trainRouterOf(options: RouterRunOptions): Promise<RouterRunResult> {
  const { folder, labels, clips = 60, clipSec = 24, seed = routerRecipe.seed, steps = routerRecipe.steps, threads = 1, signal, onProgress } = options;
  await using resources = new AsyncDisposableStack();
  const eye = await openEye(options, resources);
  const shared = { clipSec, patchesPerFrame: 32, ...(signal && { signal }) };
  const held = Math.max(1, Math.round(clips / 5));
  const samples = await makeRouterSamples(eye, { ...shared, seed, clips, split: 'train', onClip: (done) => onProgress?.({ stage: 'drawing clips', done: done / (clips + held) }) });
  const heldOut = await makeRouterSamples(eye, { ...shared, seed, clips: held, split: 'test', onClip: (done) => onProgress?.({ stage: 'drawing clips', done: (clips + done) / (clips + held) }) });
  const { file } = await trainRouter({
    samples,
    heldOut,
    folder: options.workFolder,
    about: { labels, clips, clipSec, seed },
    recipe: { ...routerRecipe, seed, steps },
    threads,
    ...(signal && { signal }),
    onProgress: ({ step, totalSteps }) => onProgress?.({ stage: 'training', done: step / totalSteps }),
  });
  signal?.throwIfAborted();
  const path = join(folder, routerFile);
  await writeWhole(path, [Buffer.from(`${JSON.stringify(file, undefined, 1)}\n`)]);
  return { path, trained: file.trained };
}

async function openEye({ folder, cacheFolder, labels, threads = 1 }: RouterRunOptions, resources: AsyncDisposableStack): Promise<RouterEye> {
  const checkpoint = await openCheckpoint(folder);
  const { vision } = checkpoint;
  if (!vision) throw new UserError('NO_VISION', { what: `${folder} has no frames to route`, got: `a ${checkpoint.family} model of text alone`, expected: 'a vision-language model' });
  const preprocessor = createPreprocessor(vision.image, vision.spec);
  const { columns, rows } = vision.spec;
  if (labels === 'truth') return { preprocessor, columns, rows };
  const weights = resources.use(await openWeights(checkpoint, 'float32', cacheFolder, { threads }));
  const encoder = resources.use(await openVisionEncoder(vision, weights.vision!, { threads }));
  const state = encoder.open();
  const { layout } = encoder;
  return {
    preprocessor,
    columns,
    rows,
    tokens: async (patches) => ({ tokens: (await encoder.encode(state, patches)).tokens.slice(), columns: layout.columns, count: layout.count }),
  };
}
