// The recipe of thalweg-nano: sizes, data, schedule and curriculum in one object, and the run that follows it from nothing to a checkpoint folder.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createRandom } from '../core/random.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { openOnnx } from '../runtime/onnx.ts';
import type { AttentionHead } from './decoder-graph.ts';
import type { BpeTokenizer } from './bpe.ts';
import { smolvlmTokens, trainBpe } from './bpe.ts';
import type { ClipSourceOptions, Stage } from './clip-source.ts';
import { makeClips, openClipSource } from './clip-source.ts';
import { exportCheckpoint, writeCheckpointFiles } from './export.ts';
import type { ParameterGroup } from './optimiser.ts';
import { createParameters } from './parameters.ts';
import type { Selection, Window } from './prompt.ts';
import { RunningMeans } from './running-means.ts';
import { writeWhole } from '../core/write-whole.ts';
import type { Schedule } from './schedule.ts';
import type { Thinning } from './thinning.ts';
import type { Forward } from './step-graph.ts';
import { evaluationGraph } from './step-graph.ts';
import type { Progress, TrainingResult } from './trainer.ts';
import { train } from './trainer.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmParameters, vlmSizes } from './vlm-config.ts';
import { vlmForward } from './vlm-graph.ts';
import { lessonTexts } from './world-clips.ts';
import type { WorldClipOptions } from './world-clips.ts';
import { worldAuxiliary } from './world-tokens.ts';

/** Everything that decides the result, beside the code. */
export interface NanoRecipe {
  readonly config: VlmConfig;
  readonly seed: number;
  /** Clips made for training; each is seen again in other stretches, with other questions. */
  readonly trainingClips: number;
  readonly evaluationClips: number;
  readonly streamSec: number;
  readonly questionsPerTime: number;
  /** Clips whose questions the tokenizer learns from. */
  readonly tokenizerClips: number;
  /** Short stretches first. */
  readonly curriculum: readonly Lesson[];
  /** Batches that held-out clips are judged in. */
  readonly evaluation: Omit<Lesson, 'steps'>;
  /** Tokens of a row of threads. */
  readonly threadLength: number;
  /** Questions of a clip that stand between its frames, asked and answered, at most, and the tokens kept free for them. */
  readonly spokenTurns: number;
  readonly spokenTokens: number;
  readonly schedule: Omit<Schedule, 'totalSteps'>;
  readonly adamw: { readonly beta1: number; readonly beta2: number; readonly epsilon: number; readonly maxGradientNorm: number };
  readonly groups: Readonly<Record<string, ParameterGroup>>;
  readonly accumulation: number;
  readonly averageDecay: number;
  readonly auxiliaryWeight: number;
  /** Heads that lessons with an `evidenceWeight` teach to look where the answer is to be seen. */
  readonly evidenceHeads: readonly AttentionHead[];
}

/** A part of the curriculum. */
export interface Lesson {
  readonly name: string;
  readonly steps: number;
  /** Frames of a stretch, stretches of a batch, and how many of them are cut out of one clip. */
  readonly frames: number;
  readonly stretches: number;
  readonly windows: number;
  /** Every how manieth picture: clips have two a second, walks one. */
  readonly strides: readonly Window['stride'][];
  /** Rows of threads of a stretch; none: the encoder learns from the auxiliary truth alone. */
  readonly rows: number;
  /** Only the first so many clips. Default all. */
  readonly clips?: number;
  readonly selection?: Selection;
  /** Weight of the loss of looking elsewhere than at what answers a question. Default 0. */
  readonly evidenceWeight?: number;
  /** In place of the recipe's. */
  readonly spokenTurns?: number;
  readonly spokenTokens?: number;
  readonly thinning?: Thinning;
}

export const nanoRecipe: NanoRecipe = {
  config: {
    imagePx: 128, patchPx: 16, scale: 2,
    vision: { width: 192, layers: 4, heads: 3, mlpWidth: 576, normEpsilon: 1e-6 },
    text: { width: 256, layers: 5, queryHeads: 4, kvHeads: 2, mlpWidth: 640, vocabulary: 1024, normEpsilon: 1e-5, ropeTheta: 10_000, contextLength: 1536 },
    auxiliary: worldAuxiliary,
  },
  seed: 1,
  trainingClips: 1280,
  evaluationClips: 32,
  streamSec: 48,
  questionsPerTime: 8,
  tokenizerClips: 96,
  curriculum: [
    // What is where, before any word: the encoder alone, at less than a quarter of the time a picture.
    { name: 'sight', steps: 600, frames: 1, stretches: 128, windows: 8, strides: [1], rows: 0, clips: 320 },
    { name: 'single pictures', steps: 1400, frames: 1, stretches: 32, windows: 8, strides: [1], rows: 1, clips: 640, selection: { now: 0.3, squares: 0.7 } },
    { name: 'moments', steps: 900, frames: 4, stretches: 8, windows: 4, strides: [2, 1], rows: 4, clips: 960, selection: { now: 0.4, squares: 0.2 } },
    { name: 'scenes', steps: 1380, frames: 16, stretches: 2, windows: 1, strides: [2, 2, 1], rows: 12, selection: { now: 0.3, squares: 0, past: 0.6 } },
    // From here on with the places where answers are to be seen.
    { name: 'looking', steps: 1100, frames: 16, stretches: 2, windows: 1, strides: [2, 4], rows: 12, selection: { now: 0.15, squares: 0, past: 0.3 }, evidenceWeight: 0.3 },
    { name: 'minutes', steps: 100, frames: 64, stretches: 1, windows: 1, strides: ['fit', 1], rows: 16, selection: { now: 0.15, squares: 0, past: 0.3 }, evidenceWeight: 0.3 },
    { name: 'whole clips', steps: 854, frames: 30, stretches: 2, windows: 1, strides: ['fit', 4], rows: 12, selection: { now: 0.1, squares: 0, past: 0.2 }, evidenceWeight: 0.3, spokenTurns: 8, spokenTokens: 200 },
    // As long a dialogue as the suites have, and with what did not change left out in a third of the stretches.
    { name: 'conversations', steps: 1216, frames: 30, stretches: 2, windows: 1, strides: ['fit', 4], rows: 11, selection: { now: 0.05, squares: 0, past: 0.1 }, evidenceWeight: 0.3, spokenTurns: 12, spokenTokens: 300, thinning: { share: 0.35, change: [0.03, 0.2] } },
  ],
  evaluation: { name: 'held out', frames: 48, stretches: 1, windows: 1, strides: ['fit'], rows: 24, selection: { now: 0, squares: 0, past: 0.2 }, evidenceWeight: 0.3 },
  threadLength: 128,
  spokenTurns: 3,
  spokenTokens: 80,
  schedule: { kind: 'trapezoid', peak: 1.5e-3, warmupSteps: 300, decaySteps: 450, finalShare: 0.03 },
  adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 },
  groups: { matrix: { kind: 'muon', rateFactor: 2, weightDecay: 0.025 }, vector: { rateFactor: 1, weightDecay: 0 }, embedding: { rateFactor: 1, weightDecay: 0 } },
  accumulation: 1,
  averageDecay: 0.996,
  auxiliaryWeight: 6,
  evidenceHeads: [{ layer: 2, head: 0 }, { layer: 3, head: 2 }],
};

/** Tokens of a question with its answer, hardly ever fewer: sizes the inputs that hold one row a question. */
const shortestTurn = 16;

export interface TrainNanoOptions {
  readonly recipe?: NanoRecipe;
  /** Gets `prompt/` (tokenizer), `clips/` (made clips), `run/` (checkpoints, log, curves) and at the end `model/`. */
  readonly folder: string;
  readonly threads?: number;
  /** Keep the threads awake between operators: for a machine that does nothing else. */
  readonly spinning?: boolean;
  readonly checkpointEverySec?: number;
  readonly logEverySteps?: number;
  readonly evaluateEverySteps?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** A clip was made, of those that must be there before training begins. */
  readonly onClip?: (done: number, of: number) => void;
}

/** What is said about many clips, as the dialogues that the model will read. Nothing is drawn. */
export function* tokenizerCorpus(recipe: NanoRecipe): Generator<string> {
  for (const { question, answer } of lessonTexts(clipOptions(recipe, 'train'), recipe.tokenizerClips)) yield `User: ${question}\nAssistant: ${answer}`;
}

/** The curriculum as stages of batches, one graph each. */
export function stagesOf(recipe: NanoRecipe): Stage[] {
  return recipe.curriculum.map((lesson) => ({ batches: lesson.steps * recipe.accumulation, ...stageOf(lesson, recipe) }));
}

function stageOf(lesson: Omit<Lesson, 'steps'>, recipe: NanoRecipe): Omit<Stage, 'batches'> {
  const { name, frames, stretches, windows, strides, rows, clips, selection, evidenceWeight, thinning, config, threadLength, spokenTurns, spokenTokens } = { ...recipe, ...lesson };
  const { tokensPerFrame } = vlmSizes(config);
  return {
    variant: name,
    windows,
    strides,
    ...(clips !== undefined && { clips }),
    ...(selection && { selection }),
    ...(thinning && { thinning }),
    spokenTurns,
    // Three marker tokens a frame, and what opens the dialogue.
    shape: {
      clips: stretches, frames, prefix: frames * (tokensPerFrame + 3) + 8 + (frames > 1 ? spokenTokens : 0), threads: rows, threadLength, answers: stretches * rows * Math.ceil(threadLength * 0.6),
      ...(evidenceWeight && { pointers: rows * Math.ceil(threadLength / shortestTurn) }),
    },
  };
}

function forwardOf(recipe: NanoRecipe, { evidenceWeight }: Omit<Lesson, 'steps'>, { shape }: Omit<Stage, 'batches'>): Forward {
  const { config, auxiliaryWeight, evidenceHeads } = recipe;
  return vlmForward(config, shape, { auxiliaryWeight, ...(evidenceWeight && { evidence: { weight: evidenceWeight, heads: evidenceHeads } }) });
}

function clipOptions({ config, seed, streamSec, questionsPerTime }: NanoRecipe, split: 'train' | 'test'): WorldClipOptions {
  return { seed: split === 'train' ? seed : seed + 2 ** 30, split, streamSec, questionsPerTime, tokenColumns: vlmSizes(config).tokenColumns };
}

/** Follows the recipe; calling it again with the same folder continues where it stopped. */
export async function trainNano(options: TrainNanoOptions): Promise<TrainingResult> {
  const { recipe = nanoRecipe, folder, threads = 2 } = options;
  const { config } = recipe;
  const promptFolder = path.join(folder, 'prompt');
  await mkdir(folder, { recursive: true });
  const tokenizer = await promptOf(recipe, promptFolder);

  const stages = stagesOf(recipe);
  const evaluation = { batches: 0, ...stageOf(recipe.evaluation, recipe) };
  const sourceOptions = (split: 'train' | 'test'): Omit<ClipSourceOptions, 'stages' | 'clips'> => ({
    maker: new URL(import.meta.url.endsWith('.ts') ? './world-clips.ts' : './world-clips.js', import.meta.url).href,
    makerOptions: clipOptions(recipe, split), config, promptFolder,
    cacheFolder: path.join(folder, 'clips', split), seed: `${recipe.seed} ${split}`,
  });
  // Single pictures come from a few clips, so that training begins soon; the others are made beside it.
  const range = { from: 0, to: recipe.trainingClips };
  const first = Math.min(range.to, recipe.curriculum[0]?.clips ?? range.to);
  await makeClips(sourceOptions('train'), { from: 0, to: first }, { workers: threads, ...(options.signal && { signal: options.signal }), onClip: (done) => options.onClip?.(done, first) });
  await using rest = making((signal) => makeClips(sourceOptions('train'), { from: first, to: range.to }, { signal }));
  await using source = await openClipSource({ ...sourceOptions('train'), clips: range, stages });
  const store = createParameters(vlmParameters(config), createRandom(recipe.seed));
  const forwards = new Map(stages.map((stage, i) => [stage.variant, forwardOf(recipe, recipe.curriculum[i]!, stage)]));
  const result = await train(store, (variant) => forwards.get(variant)!, source, {
    ...recipe, threads, folder: path.join(folder, 'run'),
    schedule: { ...recipe.schedule, totalSteps: recipe.curriculum.reduce((sum, { steps }) => sum + steps, 0) },
    checkpointEverySec: options.checkpointEverySec ?? 300,
    logEverySteps: options.logEverySteps ?? 20,
    evaluateEverySteps: options.evaluateEverySteps ?? 500,
    evaluate: (weights) => heldOut(recipe, evaluation, { ...sourceOptions('test'), clips: { from: 0, to: recipe.evaluationClips } }, weights, threads),
    ...(options.spinning !== undefined && { spinning: options.spinning }),
    ...(options.signal && { signal: options.signal }),
    onProgress: (progress) => {
      rest.check();
      options.onProgress?.(progress);
    },
  });
  if (result.finished) await exportCheckpoint(path.join(folder, 'model'), config, tokenizer, result.weights);
  return result;
}

/** Work beside the training; ends with it, and its failure is the training's. */
function making(start: (signal: AbortSignal) => Promise<void>): AsyncDisposable & { check(): void } {
  const stop = new AbortController();
  let failure: unknown;
  const task = start(stop.signal).catch((error: unknown) => (failure = error));
  const check = () => {
    if (failure !== undefined) throw failure as Error;
  };
  return {
    check,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await task;
      check();
    },
  };
}

/** The tokenizer, trained once a folder. */
async function promptOf(recipe: NanoRecipe, folder: string): Promise<BpeTokenizer> {
  const file = path.join(folder, 'bpe.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return JSON.parse(known) as BpeTokenizer;
  const tokenizer = trainBpe(tokenizerCorpus(recipe), { vocabulary: recipe.config.text.vocabulary, specialTokens: smolvlmTokens });
  await writeCheckpointFiles(folder, recipe.config, tokenizer);
  await writeWhole(file, [Buffer.from(JSON.stringify(tokenizer))]);
  return tokenizer;
}

/** Exact match, by kind of question, and loss on clips of seeds that training never sees: answers given the answer's earlier tokens. */
async function heldOut(recipe: NanoRecipe, stage: Stage, sourceOptions: Omit<ClipSourceOptions, 'stages'>, weights: Tensors, threads: number): Promise<Record<string, number>> {
  await using source = await openClipSource({ ...sourceOptions, stages: [stage] });
  const specs = vlmParameters(recipe.config);
  await using model = await openOnnx(evaluationGraph('held out', specs, forwardOf(recipe, recipe.evaluation, stage)).encode(), { threads });
  const means = new RunningMeans();
  for (let clip = 0; clip < recipe.evaluationClips; clip += stage.shape.clips) {
    const batch = await source.next();
    means.add(batch.measure!(await model.run({ ...weights, ...batch.feeds })));
  }
  return means.take();
}
