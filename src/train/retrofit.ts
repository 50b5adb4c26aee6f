// Retrofitting: teaches a checkpoint's decoder to merge (DMC) or evict (DMS) what its memory holds, and writes what changed as an adapter.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { adapterBaseHash } from '../models/adapters.ts';
import type { Checkpoint } from '../models/contract.ts';
import { Tensor } from '../runtime/onnx.ts';
import { createParameters, feedNames } from './parameters.ts';
import { roundedToHalf, writeAdapter } from './retrofit-adapter.ts';
import type { FixedControl, RetrofitData } from './retrofit-data.ts';
import { retrofitBatches } from './retrofit-data.ts';
import { decisionOffset } from './retrofit-decisions.ts';
import type { RetrofitFigures } from './retrofit-evaluate.ts';
import { openEvaluator } from './retrofit-evaluate.ts';
import { retrofitForward } from './retrofit-graph.ts';
import type { ExtraMatrix, RetrofitKind } from './retrofit-model.ts';
import { adapterTensors, publishedChannel, readRetrofitModel, retrofitParameters, startFromModel } from './retrofit-model.ts';
import { chooseChannel } from './retrofit-channel.ts';
import type { PhaseState } from './retrofit-phases.ts';
import { phaseAt, retrofitPhases, totalSteps } from './retrofit-phases.ts';
import { writeWhole } from '../core/write-whole.ts';
import type { Progress } from './trainer.ts';
import { train } from './trainer.ts';

/** What decides the result, beside the checkpoint and the data. */
export interface RetrofitRecipe {
  readonly kind: RetrofitKind;
  /** Tokens for each slot, over all layers and heads together. */
  readonly ratio: number;
  readonly steps: number;
  readonly seed: number;
  /** Peak of the learning rate. */
  readonly rate: number;
  /** Factor of it for the new rows that decide. */
  readonly decisionRate: number;
  /** DMS: tokens for which a slot that is to go stays. */
  readonly window: number;
  /** Nats that a share of 1 of the tokens beyond the target costs. */
  readonly budgetWeight: number;
  /** DMC: matrices that learn beside queries and keys. */
  readonly extra: readonly ExtraMatrix[];
}

/** Highest learning rate times model width: an update of every input moves an output by as much at every width. */
const rateTimesWidth = 0.032;

/** A recipe, what is not given set as it suits the model. */
export function retrofitRecipe(given: Pick<RetrofitRecipe, 'kind' | 'ratio' | 'steps'> & Partial<RetrofitRecipe>, { decoder, vision }: Pick<Checkpoint, 'decoder' | 'vision'>): RetrofitRecipe {
  return { seed: 1, rate: rateTimesWidth / decoder.spec.width, decisionRate: given.kind === 'dmc' ? 6 : 0.2, window: vision ? 64 : 16, budgetWeight: 5, extra: [], ...given };
}

export interface RetrofitOptions {
  readonly recipe: RetrofitRecipe;
  readonly checkpoint: Checkpoint;
  readonly data: RetrofitData;
  /** What the data is, for the adapter's notes. */
  readonly dataName: string;
  /** Gets checkpoints, log and curves; a run there is continued. */
  readonly workFolder: string;
  /** Gets the adapter at the end. */
  readonly adapterFolder: string;
  readonly threads: number;
  readonly checkpointEverySec?: number;
  readonly logEverySteps?: number;
  readonly evaluateEverySteps?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress & Pick<PhaseState, 'phase'>) => void;
}

export type RetrofitResult = { readonly finished: false; readonly step: number } | { readonly finished: true; readonly step: number; readonly figures: RetrofitFigures; readonly adapterFolder: string };

/**
 * Retrofits, or continues a run in the same folder bit for bit. After the last step the held-out figures are those of the adapter as it is written, in float16.
 * @throws UserError when the folder has a run of another recipe, or the recipe does not fit the model
 */
export async function retrofit(options: RetrofitOptions): Promise<RetrofitResult> {
  const { recipe, checkpoint, data, workFolder, adapterFolder, threads } = options;
  const { kind, ratio, steps, seed } = recipe;
  checkRecipe(recipe);
  const phases = retrofitPhases(kind, steps, ratio);
  const baseHash = await adapterBaseHash(checkpoint);
  await claimFolder(workFolder, { ...recipe, baseHash, data: options.dataName, shape: data.shape });
  const { spec, weights } = checkpoint.decoder;
  if (data.shape.prefix + data.shape.threadLength > spec.contextLength) {
    throw new UserError('RETROFIT_LENGTH', { what: 'the batches are longer than the context', got: `${data.shape.prefix + data.shape.threadLength} tokens`, expected: `at most ${spec.contextLength}`, todo: 'give fewer frames, or shorter texts' });
  }
  const model = await readRetrofitModel(spec, weights);
  const specs = retrofitParameters(model, kind, recipe.extra);
  const store = createParameters(specs, createRandom(seed));
  if (kind === 'dmc') startFromModel(store, model);
  const loss = { kind, window: kind === 'dms' ? recipe.window : 0, budgetWeight: recipe.budgetWeight, trained: specs.map(({ name }) => name) };
  await using evaluator = await openEvaluator(model, data, specs, loss, threads);
  const fixed: FixedControl = kind === 'dmc' ? { channel: await chooseChannel(store, model, evaluator, workFolder) } : { kept: data.opening };
  const result = await train(store, () => retrofitForward(model, data.shape, { ...loss, mode: 'soft' }), retrofitBatches(data, model, phases, seed, fixed), {
    adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 },
    groups: { ...(kind === 'dmc' && { matrix: { rateFactor: 1, weightDecay: 0 } }), decision: { rateFactor: recipe.decisionRate, weightDecay: 0 } },
    accumulation: 1,
    averageDecay: 0.99,
    threads,
    schedule: { kind: 'linear', peak: recipe.rate, warmupSteps: Math.min(20, Math.floor(steps / 5)), totalSteps: totalSteps(phases), finalShare: 0.05 },
    folder: workFolder,
    checkpointEverySec: options.checkpointEverySec ?? 120,
    logEverySteps: options.logEverySteps ?? 10,
    evaluateEverySteps: options.evaluateEverySteps ?? Math.max(1, Math.round(steps / 12)),
    evaluate: async (now, step) => {
      const { fade, noise } = phaseAt(phases, step - 1);
      const { kl, loss: text, teacherLoss, ratio: reached } = await evaluator.evaluate(now, { ...fixed, fade, decisions: noise === 'closed' ? 'none' : 'hard' });
      return { kl, logLoss: text, teacherLogLoss: teacherLoss, ratio: reached };
    },
    ...(options.signal && { signal: options.signal }),
    onProgress: (progress) => options.onProgress?.({ ...progress, phase: phaseAt(phases, progress.step - 1).phase }),
  });
  if (!result.finished) return { finished: false, step: result.step };

  const rounded = new Map([...result.weights].map(([name, values]) => [name, roundedToHalf(values)]));
  const figures = await evaluator.evaluate(Object.fromEntries(specs.map(({ name, shape }) => [feedNames.weight(name), new Tensor('float32', rounded.get(name)!, shape)])), { ...fixed, fade: 0, decisions: 'hard' });
  await writeAdapter(
    adapterFolder,
    {
      format: 1, kind, ratio, ...(kind === 'dms' && { window: recipe.window }), channel: fixed.channel === undefined ? -1 : publishedChannel(spec, fixed.channel), offset: decisionOffset, baseHash,
      trained: { steps, seed, rate: recipe.rate, extra: recipe.extra, data: options.dataName, loss: figures.loss, teacherLoss: figures.teacherLoss, kl: figures.kl, ratio: figures.ratio, ratios: figures.ratios },
    },
    adapterTensors(model, kind, rounded, fixed.channel ?? 0),
  );
  return { finished: true, step: result.step, figures, adapterFolder };
}

/** @throws UserError for a recipe that cannot be followed */
export function checkRecipe({ kind, ratio, steps, rate, decisionRate, window, budgetWeight }: RetrofitRecipe): void {
  retrofitPhases(kind, steps, ratio);
  for (const [name, value] of Object.entries({ rate, decisionRate, window, budgetWeight })) {
    if (!(Number.isFinite(value) && value > 0)) throw new UserError('RETROFIT_RECIPE', { what: `wrong ${name} of a retrofit`, got: `${value}`, expected: 'a number above 0' });
  }
}

/** A folder holds one run: what decides it is written beside its checkpoints. */
async function claimFolder(folder: string, run: Readonly<Record<string, unknown>>): Promise<void> {
  const file = path.join(folder, 'run.json');
  const text = `${JSON.stringify(run, null, 2)}\n`;
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known === text) return;
  if (known !== undefined) throw new UserError('RETROFIT_OTHER', { what: `${folder} holds a run of another recipe`, got: different(known, run), todo: 'give the run a folder of its own (--work), or remove that one' });
  await mkdir(folder, { recursive: true });
  await writeWhole(file, [Buffer.from(text)]);
}

/** Names of what differs. */
function different(known: string, run: Readonly<Record<string, unknown>>): string {
  try {
    const before = JSON.parse(known) as Record<string, unknown>;
    return Object.keys(run).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(run[key])).map((key) => `${key} ${JSON.stringify(before[key])}, not ${JSON.stringify(run[key])}`).join('; ');
  } catch {
    return 'a run.json that cannot be read';
  }
}
