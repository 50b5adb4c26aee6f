// What a retrofit trains on: the contract of its data sources, and the batches that the trainer takes, with noise, schedule and frozen weights added.
import { createRandom } from '../core/random.ts';
import { Tensor } from '../runtime/onnx.ts';
import type { Tensors } from '../runtime/onnx.ts';
import type { Batch } from './optimiser.ts';
import { frozenName } from './retrofit-graph.ts';
import type { RetrofitShape } from './retrofit-decoder.ts';
import type { RetrofitModel } from './retrofit-model.ts';
import type { RetrofitPhases } from './retrofit-phases.ts';
import { phaseAt } from './retrofit-phases.ts';
import type { BatchSource } from './trainer.ts';

/** Batches of one shape. The same number gives the same batch, in any order, in any process. */
export interface RetrofitData extends AsyncDisposable {
  readonly shape: RetrofitShape;
  /** Batches kept for evaluation. */
  readonly heldOutBatches: number;
  /** The inputs of `retrofitForward` that say what is in the batch. */
  batch(split: 'train' | 'held-out', index: number): Promise<Tensors>;
}

export const scalar = (value: number) => new Tensor('float32', Float32Array.of(value), []);

/** Weights that are not trained, as feeds. The arrays are shared. */
export function frozenTensors({ weights }: RetrofitModel): Tensors {
  return Object.fromEntries([...weights].map(([role, { data, shape }]) => [frozenName(role), new Tensor('float32', data, shape)]));
}

/** Far below any threshold: nothing is decided. */
const closedNoise = -1e3;

/** g₁ − g₂ of Gumbel(0, 1) is a logistic deviate. `factor` 0 gives none; `closed` keeps every decision at 0. */
export function noiseTensor(seed: string, dims: readonly number[], factor: number | 'closed'): Tensor {
  const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
  if (factor === 'closed') data.fill(closedNoise);
  else if (factor !== 0) {
    const random = createRandom(seed);
    for (let i = 0; i < data.length; i++) {
      const u = Math.min(Math.max(random.next(), 2 ** -32), 1 - 2 ** -32);
      data[i] = factor * Math.log(u / (1 - u));
    }
  }
  return new Tensor('float32', data, dims);
}

/** Inputs that do not come from the data. */
export function controlTensors({ spec }: RetrofitModel, { sequences: B, prefix: P, threads: N, threadLength: T }: RetrofitShape, how: { readonly fade: number; readonly target: number; readonly noise: number | 'closed'; readonly seed: string }): Tensors {
  const { layers: L, kvHeads: H } = spec;
  return {
    fade: scalar(how.fade),
    target: scalar(how.target),
    noise: noiseTensor(`${how.seed} prefix`, [L, B, H, P], how.noise),
    ...(N > 0 && { threadNoise: noiseTensor(`${how.seed} threads`, [L, B * N, H, T], how.noise) }),
  };
}

/** Training batches in order; the state is how many were given. */
export function retrofitBatches(data: RetrofitData, model: RetrofitModel, phases: RetrofitPhases, seed: number, accumulation: number): BatchSource {
  const frozen = frozenTensors(model);
  let next = 0;
  return {
    async next(): Promise<Batch> {
      const phase = phaseAt(phases, Math.floor(next / accumulation));
      const feeds = { ...frozen, ...controlTensors(model, data.shape, { ...phase, seed: `${seed} noise ${next}` }), ...(await data.batch('train', next)) };
      next++;
      return { variant: 'retrofit', feeds, measure: (outputs) => ({ ...lossFigures(outputs), target: phase.target, fade: phase.fade }) };
    },
    state: () => ({ next }),
    restore(state) {
      next = (state as { readonly next: number }).next;
    },
  };
}

/** KL and share of decisions of one batch. */
export function lossFigures(outputs: Tensors): Record<string, number> {
  const alpha = outputs['alpha']!.data as Float32Array;
  return { kl: Number(outputs['kl']!.data[0]), share: alpha.reduce((sum, value) => sum + value, 0) / alpha.length };
}
