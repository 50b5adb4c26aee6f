// Trains the router of a checkpoint: gates for frames and patches, on the synthetic world, under a one-sided budget; writes `router.json`.
import { createRandom, randomFromState } from '../core/random.ts';
import { pathCost, gatePaths } from '../gate/method.ts';
import { best, product } from '../gate/noisy-top-k.ts';
import { frameFeatureNames, patchFeatureNames, patchPaths } from '../gate/features.ts';
import type { RouterFile } from '../gate/router-weights.ts';
import { add } from '../graph/ops.ts';
import { Tensor } from '../runtime/onnx.ts';
import { createParameters } from './parameters.ts';
import { gateLoss, gateParameters, type GateObjective } from './router-objective.ts';
import type { GateSamples, RouterSamples } from './router-samples.ts';
import type { Forward } from './step-graph.ts';
import { train, type BatchSource, type Progress } from './trainer.ts';

export interface RouterRecipe {
  readonly seed: number;
  readonly steps: number;
  readonly batchRows: number;
  readonly rate: number;
  readonly frames: GateObjective;
  readonly patches: GateObjective;
}

/**
 * Frames may cost a quarter of all, patches a tenth: about what there is to see in the world's footage of every kind. A cost above the budget weighs twice
 * what a lost event does.
 */
export const routerRecipe: RouterRecipe = {
  seed: 1,
  steps: 1500,
  batchRows: 512,
  rate: 0.03,
  frames: { name: 'frames', inputs: frameFeatureNames.length, k: 2, costs: gatePaths.map((path) => pathCost[path]), budget: 0.25, overrun: 1, price: 0.1, balance: 0 },
  patches: { name: 'patches', inputs: patchFeatureNames.length, k: 2, costs: [1, 0], budget: 0.1, overrun: 0.5, price: 0.05, balance: 0 },
};

/** What gates do on samples that they were not trained on, without noise and with the one best path. */
export interface GateFigures {
  readonly rows: number;
  /** Mean cost of the paths taken, as a share of the full one. */
  readonly cost: number;
  /** Mean of what is lost, and of what would be lost if all were skipped. */
  readonly lost: number;
  readonly lostBySkipping: number;
}

export interface TrainRouterOptions {
  readonly samples: RouterSamples;
  readonly heldOut: RouterSamples;
  /** Gets checkpoints, log and curves of the run. */
  readonly folder: string;
  /** What it is trained on, for the file. */
  readonly about: Readonly<Record<string, unknown>>;
  readonly recipe?: RouterRecipe;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** @returns the file, and whether the schedule was finished; an aborted run is continued by the same call */
export async function trainRouter({ samples, heldOut, folder, about, recipe = routerRecipe, threads = 1, signal, onProgress }: TrainRouterOptions): Promise<{ readonly file: RouterFile; readonly finished: boolean }> {
  const scaled = { frames: scaledSamples(samples.frames), patches: scaledSamples(samples.patches) };
  const objectives = [recipe.frames, recipe.patches];
  const store = createParameters(objectives.flatMap(gateParameters), createRandom(recipe.seed));
  const forward: Forward = (graph, weight) => {
    const [frames, patches] = objectives.map((objective) => gateLoss(graph, weight, objective, recipe.batchRows));
    return { loss: add(frames!.loss, patches!.loss), metrics: { frameCost: frames!.cost, frameHarm: frames!.harm, patchCost: patches!.cost, patchHarm: patches!.harm } };
  };
  const result = await train(store, () => forward, batchSource(scaled, recipe), {
    schedule: { kind: 'cosine', peak: recipe.rate, warmupSteps: Math.min(50, recipe.steps), totalSteps: recipe.steps, finalShare: 0.05 },
    adamw: { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, maxGradientNorm: 1 },
    groups: { gates: { rateFactor: 1, weightDecay: 0.001 } },
    accumulation: 1,
    averageDecay: 0.99,
    threads,
    folder,
    checkpointEverySec: 60,
    logEverySteps: 100,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const gateOf = (name: 'frames' | 'patches') => ({ ...scaled[name], gate: result.weights.get(`${name} gate`)!, noise: result.weights.get(`${name} noise`)! });
  const [frames, patches] = [gateOf('frames'), gateOf('patches')];
  const figures = { frames: judge(heldOut.frames, frames, recipe.frames), patches: judge(heldOut.patches, patches, recipe.patches) };
  const written = ({ mean, deviation, gate, noise }: typeof frames, features: readonly string[], paths: readonly string[]) => ({
    features: [...features],
    paths: [...paths],
    mean: [...mean].map(short),
    deviation: [...deviation].map(short),
    gate: rowsOf(gate, paths.length),
    noise: rowsOf(noise, paths.length),
  });
  const file: RouterFile = {
    format: 'thalweg-router',
    version: 1,
    trained: { ...about, steps: result.step, frameBudget: recipe.frames.budget, patchBudget: recipe.patches.budget, heldOut: figures },
    frames: written(frames, frameFeatureNames, gatePaths),
    patches: written(patches, patchFeatureNames, patchPaths),
  };
  return { file, finished: result.finished };
}

const short = (value: number) => Number(value.toPrecision(6));
const rowsOf = (matrix: Float32Array, width: number) => Array.from({ length: matrix.length / width }, (_, row) => [...matrix.subarray(row * width, (row + 1) * width)].map(short));

interface Scaled extends GateSamples {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** Features at mean 0 and deviation 1; one that never changes, such as the constant, stays as it is. */
function scaledSamples(samples: GateSamples): Scaled {
  const { inputs, rows, features } = samples;
  const [mean, deviation] = [new Float32Array(inputs), new Float32Array(inputs).fill(1)];
  for (let i = 0; i < inputs; i++) {
    let [sum, squares] = [0, 0];
    for (let row = 0; row < rows; row++) sum += features[row * inputs + i]!;
    for (let row = 0; row < rows; row++) squares += (features[row * inputs + i]! - sum / rows) ** 2;
    const spread = Math.sqrt(squares / rows);
    if (spread < 1e-6) continue;
    mean[i] = short(sum / rows);
    deviation[i] = short(spread);
  }
  return { ...samples, mean, deviation, features: features.map((value, at) => (value - mean[at % inputs]!) / deviation[at % inputs]!) };
}

/** Rows drawn at random, with noise for the gates. */
function batchSource(samples: Readonly<Record<'frames' | 'patches', Scaled>>, { seed, batchRows }: RouterRecipe): BatchSource {
  let random = createRandom(`${seed} batches`);
  const drawn = (name: 'frames' | 'patches'): Record<string, Tensor> => {
    const { inputs, paths, features, harm, rows } = samples[name];
    const [x, lost] = [new Float32Array(batchRows * inputs), new Float32Array(batchRows * paths)];
    for (let n = 0; n < batchRows; n++) {
      const row = random.int(0, rows);
      x.set(features.subarray(row * inputs, (row + 1) * inputs), n * inputs);
      lost.set(harm.subarray(row * paths, (row + 1) * paths), n * paths);
    }
    const draws = Float32Array.from({ length: batchRows * paths }, () => random.normal());
    return { [`${name} x`]: new Tensor('float32', x, [batchRows, inputs]), [`${name} harm`]: new Tensor('float32', lost, [batchRows, paths]), [`${name} draws`]: new Tensor('float32', draws, [batchRows, paths]) };
  };
  return {
    next: () =>
      Promise.resolve({
        variant: 'router',
        feeds: { ...drawn('frames'), ...drawn('patches') },
        measure: (outputs) => Object.fromEntries(['frameCost', 'frameHarm', 'patchCost', 'patchHarm'].map((name) => [name, Number(outputs[name]!.data[0])])),
      }),
    state: () => random.state(),
    restore: (state) => {
      random = randomFromState(state as [number, number, number, number]);
    },
  };
}

function judge({ inputs, paths, features, harm, rows }: GateSamples, { mean, deviation, gate }: Pick<Scaled, 'mean' | 'deviation'> & { readonly gate: Float32Array }, { costs }: GateObjective): GateFigures {
  let [cost, lost, skipped] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const x = features.slice(row * inputs, (row + 1) * inputs).map((value, i) => (value - mean[i]!) / deviation[i]!);
    const path = best(product(x, gate, new Float32Array(paths)));
    cost += costs[path]!;
    lost += harm[row * paths + path]!;
    skipped += harm[(row + 1) * paths - 1]!;
  }
  return { rows, cost: short(cost / rows), lost: short(lost / rows), lostBySkipping: short(skipped / rows) };
}
