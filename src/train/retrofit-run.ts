// A retrofit from a model's name to an adapter folder: checkpoint, data that fits it (its own text, or clips of the world), run.
import path from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import { adapterBaseHash, adaptersFolder } from '../models/adapters.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import type { Checkpoint } from '../models/contract.ts';
import { cacheFolder, findModel } from '../session/model-folder.ts';
import { openClipData } from './retrofit-clips.ts';
import type { RetrofitData } from './retrofit-data.ts';
import type { RetrofitFigures } from './retrofit-evaluate.ts';
import type { RetrofitRecipe } from './retrofit.ts';
import { checkRecipe, retrofit, retrofitRecipe } from './retrofit.ts';
import { openSelfTextData } from './retrofit-text.ts';

/** What to retrofit, into what, and on how much; what is not given is set as it suits the model. */
export interface RetrofitRunOptions extends Pick<RetrofitRecipe, 'kind' | 'ratio' | 'steps'>, Partial<Omit<RetrofitRecipe, 'kind' | 'ratio' | 'steps'>> {
  /** A checkpoint folder, a llama2.c file, or the name of a pulled model. */
  readonly model: string;
  /** The adapter's folder. Default: `adapters/<kind>-<ratio>x` in the checkpoint's. */
  readonly out?: string;
  /** Gets checkpoints, log, curves and data; a run that was cut short goes on from there. Default: a folder in the cache. */
  readonly work?: string;
  /** Sequences (text) or clips a batch. Default 8 texts, 1 clip. */
  readonly batch?: number;
  /** Tokens of a text. Default 256, or the model's context where that is shorter. */
  readonly length?: number;
  /** Texts or clips to train on, seen again in other orders, and held out. Default 800 texts, 240 clips; held out 48 texts, 12 clips. */
  readonly samples?: number;
  readonly heldOut?: number;
  /** Frames of a clip, seen at 0.5, 1 or 2 a second. Default 24. */
  readonly frames?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RetrofitProgress) => void;
}

/** How far a retrofit is. */
export type RetrofitProgress =
  /** Texts that the model writes for its own training. */
  | { readonly kind: 'data'; readonly done: number; readonly total: number }
  | { readonly kind: 'step'; readonly phase: 'fade' | 'rise' | 'tune'; readonly step: number; readonly totalSteps: number; readonly leftSec: number; readonly figures: Readonly<Record<string, number>> };

/** A finished retrofit. */
export interface RetrofitRunResult {
  /** The adapter's folder. */
  readonly folder: string;
  readonly adapter: RetrofitRecipe['kind'];
  readonly targetRatio: number;
  /** Of the adapter as written, on held-out data, with decisions as inference makes them. */
  readonly figures: RetrofitFigures;
  /** Checkpoints, log and curves. */
  readonly work: string;
}

/**
 * Retrofits a model and writes the adapter. Called again after an interruption it goes on where it stopped.
 * @throws UserError for options that do not fit; ModelError for a model that cannot be opened; the signal's reason when it fires, after a checkpoint
 */
export async function retrofitModel(options: RetrofitRunOptions): Promise<RetrofitRunResult> {
  const { model, out, work, threads = 1, signal, onProgress } = options;
  const checkpoint = await openCheckpoint(await findModel(model));
  const recipe = recipeOf(options, checkpoint);
  // Found out now, not after the data is made or the model trained.
  checkRecipe(recipe);
  const hash = (await adapterBaseHash(checkpoint)).slice(0, 12);
  const name = `${recipe.kind}-${recipe.ratio}x`;
  const adapterFolder = out ?? path.join(checkpoint.folder, adaptersFolder, name);
  const workFolder = work ?? path.join(cacheFolder(), 'retrofit', hash, `${name}-seed${recipe.seed}`);
  // Not the adapter's own folder: an empty one would be listed as a damaged adapter.
  await makeFolder(path.dirname(adapterFolder), { code: 'BAD_FOLDER', purpose: 'the adapter', todo: 'name another one with --out' });
  await makeFolder(workFolder, { code: 'BAD_FOLDER', purpose: 'checkpoints and log', todo: 'name another one with --work' });
  const dataFolder = path.join(work ?? path.join(cacheFolder(), 'retrofit', hash), 'data');
  await using data = await openData(checkpoint, dataFolder, recipe, options);
  const result = await retrofit({
    recipe, checkpoint, data, dataName: checkpoint.vision ? 'clips of the synthetic world' : 'text that the model wrote at temperature 1',
    workFolder, adapterFolder, threads,
    ...(signal && { signal }),
    onProgress: ({ phase, step, totalSteps, leftSec, figures }) => onProgress?.({ kind: 'step', phase, step, totalSteps, leftSec, figures }),
  });
  if (!result.finished) {
    signal?.throwIfAborted();
    throw new UserError('RETROFIT_STOPPED', { what: 'the retrofit stopped early', got: `${result.step} steps`, todo: 'call it again to go on' });
  }
  return { folder: adapterFolder, adapter: recipe.kind, targetRatio: recipe.ratio, figures: result.figures, work: workFolder };
}

/** Options of the recipe alone; what was not given takes its default. */
function recipeOf({ kind, ratio, steps, seed, rate, decisionRate, window, budgetWeight, extra }: RetrofitRunOptions, checkpoint: Checkpoint): RetrofitRecipe {
  const optional = { seed, rate, decisionRate, window, budgetWeight, extra };
  return retrofitRecipe({ kind, ratio, steps, ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<RetrofitRecipe>) }, checkpoint);
}

function openData(checkpoint: Checkpoint, folder: string, { seed }: RetrofitRecipe, { batch, length, samples, heldOut, frames = 24, threads = 1, signal, onProgress }: RetrofitRunOptions): Promise<RetrofitData> {
  if (checkpoint.vision) {
    return openClipData(checkpoint, {
      seed, folder, cacheFolder: cacheFolder(), clips: batch ?? 1, frames, rates: [0.5, 1, 2], threads: 12, threadLength: 64, spokenTurns: 6, trainingClips: samples ?? 240, heldOutClips: heldOut ?? 12, onnxThreads: threads,
    });
  }
  return openSelfTextData(checkpoint, cacheFolder(), {
    seed, folder, length: length ?? Math.min(256, checkpoint.decoder.spec.contextLength), sequences: batch ?? 8, trainingTexts: samples ?? 800, heldOutTexts: heldOut ?? 48, threads,
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress?.({ kind: 'data', done, total }),
  });
}
