// The recipe of thalweg-nano: sizes, data, schedule and curriculum in one object, and the run that follows it from nothing to a checkpoint folder.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createRandom } from '../core/random.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { openOnnx } from '../runtime/onnx.ts';
import { createBalance } from '../world/questions/balance.ts';
import { askDensely } from '../world/questions/ask.ts';
import { Viewing } from '../world/questions/viewing.ts';
import type { Footage } from '../world/types.ts';
import { createWorld } from '../world/world.ts';
import { smolvlmTokens, trainBpe } from './bpe.ts';
import type { ClipSourceOptions, Stage } from './clip-source.ts';
import { openClipSource } from './clip-source.ts';
import { exportCheckpoint, writeCheckpointFiles } from './export.ts';
import type { ParameterGroup } from './optimiser.ts';
import { createParameters } from './parameters.ts';
import type { Schedule } from './schedule.ts';
import { evaluationGraph } from './step-graph.ts';
import type { Progress, TrainingResult } from './trainer.ts';
import { train } from './trainer.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmParameters, vlmSizes } from './vlm-config.ts';
import { vlmForward } from './vlm-graph.ts';
import { worldAuxiliary } from './world-clips.ts';
import type { WorldClipOptions } from './world-clips.ts';

/** Everything that decides the result, beside the code. */
export interface NanoRecipe {
  readonly config: VlmConfig;
  readonly seed: number;
  readonly fps: number;
  readonly footage: readonly Footage[];
  /** Clips made for training; each is seen again with other questions. */
  readonly trainingClips: number;
  readonly evaluationClips: number;
  readonly questionsPerSec: number;
  /** Worlds whose questions the tokenizer learns from. */
  readonly tokenizerWorlds: number;
  /** Frames of the clips, shortest first, with the share of the steps that each length gets. */
  readonly curriculum: readonly { readonly frames: number; readonly clips: number; readonly share: number }[];
  /** Threads of a clip and their length in tokens. */
  readonly threads: number;
  readonly threadLength: number;
  /** Questions of a clip that stand between its frames, asked and answered, at most, and the tokens kept free for them. */
  readonly spokenTurns: number;
  readonly spokenTokens: number;
  readonly schedule: Schedule;
  readonly adamw: { readonly beta1: number; readonly beta2: number; readonly epsilon: number; readonly maxGradientNorm: number };
  readonly groups: Readonly<Record<string, ParameterGroup>>;
  readonly accumulation: number;
  readonly averageDecay: number;
  readonly auxiliaryWeight: number;
}

export const nanoRecipe: NanoRecipe = {
  config: {
    imagePx: 128, patchPx: 16, scale: 2,
    vision: { width: 192, layers: 4, heads: 3, mlpWidth: 576, normEpsilon: 1e-6 },
    text: { width: 256, layers: 6, queryHeads: 4, kvHeads: 2, mlpWidth: 640, vocabulary: 1536, normEpsilon: 1e-5, ropeTheta: 10_000, contextLength: 2048 },
    auxiliary: worldAuxiliary,
  },
  seed: 1,
  fps: 2,
  footage: ['fixed', 'moving', 'cuts'],
  trainingClips: 6000,
  evaluationClips: 24,
  questionsPerSec: 6,
  tokenizerWorlds: 150,
  curriculum: [
    { frames: 8, clips: 4, share: 0.25 },
    { frames: 24, clips: 2, share: 0.35 },
    { frames: 64, clips: 1, share: 0.4 },
  ],
  threads: 24,
  threadLength: 40,
  spokenTurns: 3,
  spokenTokens: 80,
  schedule: { kind: 'cosine', peak: 1e-3, warmupSteps: 300, totalSteps: 40_000, finalShare: 0.05 },
  adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 },
  groups: { matrix: { rateFactor: 1, weightDecay: 0.05 }, vector: { rateFactor: 1, weightDecay: 0 }, embedding: { rateFactor: 1, weightDecay: 0 } },
  accumulation: 1,
  averageDecay: 0.999,
  auxiliaryWeight: 2,
};

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
}

/** Questions about many worlds, as the dialogues that the model will read. Nothing is drawn. */
export function* tokenizerCorpus({ seed, tokenizerWorlds, footage, questionsPerSec }: NanoRecipe): Generator<string> {
  const balance = createBalance();
  for (let i = 0; i < tokenizerWorlds; i++) {
    const world = createWorld({ seed: seed + i * 104_729, split: 'train', footage: footage[i % footage.length]!, durationSec: 24, activities: 'many', heldOut: false });
    const random = createRandom(`tokenizer ${seed} ${i}`);
    for (const { question, answer } of askDensely(new Viewing(world), balance, random, { perTime: Math.max(1, questionsPerSec) })) yield `User: ${question}\nAssistant: ${answer}`;
  }
}

/** The curriculum as stages of batches, one graph each. */
export function stagesOf({ config, curriculum, schedule, accumulation, threads, threadLength, spokenTokens }: NanoRecipe): Stage[] {
  const { tokensPerFrame } = vlmSizes(config);
  return curriculum.map(({ frames, clips, share }) => ({
    batches: Math.round(share * schedule.totalSteps * accumulation),
    variant: `${clips} clips of ${frames} frames`,
    // Three marker tokens a frame, and what opens the dialogue.
    shape: { clips, frames, prefix: frames * (tokensPerFrame + 3) + 8 + spokenTokens, threads, threadLength, answers: clips * threads * Math.ceil(threadLength / 4) },
  }));
}

/** Follows the recipe; calling it again with the same folder continues where it stopped. */
export async function trainNano(options: TrainNanoOptions): Promise<TrainingResult> {
  const { recipe = nanoRecipe, folder, threads = 2 } = options;
  const { config } = recipe;
  const promptFolder = path.join(folder, 'prompt');
  await mkdir(folder, { recursive: true });
  const tokenizer = trainBpe(tokenizerCorpus(recipe), { vocabulary: config.text.vocabulary, specialTokens: smolvlmTokens });
  await writeCheckpointFiles(promptFolder, config, tokenizer);

  const stages = stagesOf(recipe);
  const longest = stages.reduce((a, b) => (b.shape.frames > a.shape.frames ? b : a));
  const clipOptions = (split: 'train' | 'test'): WorldClipOptions => ({
    seed: split === 'train' ? recipe.seed : recipe.seed + 2 ** 30, frames: longest.shape.frames, fps: recipe.fps, footage: recipe.footage, questionsPerSec: recipe.questionsPerSec, split,
  });
  const sourceOptions = (split: 'train' | 'test', count: number): Omit<ClipSourceOptions, 'stages'> => ({
    maker: new URL(import.meta.url.endsWith('.ts') ? './world-clips.ts' : './world-clips.js', import.meta.url).href,
    makerOptions: clipOptions(split), config, promptFolder,
    cacheFolder: path.join(folder, 'clips', split), clips: { from: 0, to: count }, framesPerClip: longest.shape.frames, spokenTurns: recipe.spokenTurns, seed: `${recipe.seed} ${split}`,
  });
  await using source = await openClipSource({ ...sourceOptions('train', recipe.trainingClips), stages });
  const store = createParameters(vlmParameters(config), createRandom(recipe.seed));
  const forwards = new Map(stages.map(({ variant, shape }) => [variant, vlmForward(config, shape, { auxiliaryWeight: recipe.auxiliaryWeight })]));
  const result = await train(store, (variant) => forwards.get(variant)!, source, {
    ...recipe, threads, folder: path.join(folder, 'run'),
    checkpointEverySec: options.checkpointEverySec ?? 300,
    logEverySteps: options.logEverySteps ?? 20,
    evaluateEverySteps: options.evaluateEverySteps ?? 500,
    evaluate: (weights) => heldOut(recipe, longest, sourceOptions('test', recipe.evaluationClips), weights, threads),
    ...(options.spinning !== undefined && { spinning: options.spinning }),
    ...(options.signal && { signal: options.signal }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  });
  if (result.finished) await exportCheckpoint(path.join(folder, 'model'), config, tokenizer, result.weights);
  return result;
}

/** Exact match, by kind of question, and loss on clips of seeds that training never sees: answers given the answer's earlier tokens. */
async function heldOut(recipe: NanoRecipe, stage: Stage, sourceOptions: Omit<ClipSourceOptions, 'stages'>, weights: Tensors, threads: number): Promise<Record<string, number>> {
  await using source = await openClipSource({ ...sourceOptions, stages: [stage] });
  const specs = vlmParameters(recipe.config);
  await using model = await openOnnx(evaluationGraph('held out', specs, vlmForward(recipe.config, stage.shape, { auxiliaryWeight: recipe.auxiliaryWeight })).encode(), { threads });
  const sums = new Map<string, { sum: number; count: number }>();
  for (let clip = 0; clip < recipe.evaluationClips; clip += stage.shape.clips) {
    const batch = await source.next();
    for (const [name, value] of Object.entries(batch.measure!(await model.run({ ...weights, ...batch.feeds })))) {
      const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
      sums.set(name, { sum: sum + value, count: count + 1 });
    }
  }
  return Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]));
}
