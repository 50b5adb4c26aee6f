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
  /** Tokens of the prompt's opening, which no memory drops. */
  readonly opening: number;
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

export interface Control {
  /** DMC: the channel that decisions take, of `halves` apart. */
  readonly channel?: number;
  /** Share of it that attention still sees. */
  readonly fade: number;
  readonly target: number;
  readonly noise: number | 'closed';
  readonly seed: string;
  /** DMS: first tokens of each sequence that are never let go. */
  readonly kept?: number;
}

/** Inputs that do not come from the data. */
export function controlTensors({ spec }: RetrofitModel, { sequences: B, prefix: P, threads: N, threadLength: T }: RetrofitShape, how: Control): Tensors {
  const { layers: L, kvHeads: H, headWidth: D } = spec;
  const { channel } = how;
  return {
    ...(channel !== undefined && { channels: new Tensor('float32', new Float32Array(D).fill(1).fill(how.fade, channel, channel + 1), [D]) }),
    target: scalar(how.target),
    noise: keeping(how.kept ?? 0, noiseTensor(`${how.seed} prefix`, [L, B, H, P], how.noise)),
    ...(N > 0 && { threadNoise: noiseTensor(`${how.seed} threads`, [L, B * N, H, T], how.noise) }),
  };
}

/** Closes the decisions about the first tokens of each sequence, each of which the token after it makes. */
function keeping(count: number, noise: Tensor): Tensor {
  const length = noise.dims.at(-1)!;
  const data = noise.data as Float32Array;
  if (count > 0) for (let row = 0; row < data.length; row += length) data.fill(closedNoise, row, row + Math.min(count + 1, length));
  return noise;
}

/** What does not change from batch to batch. */
export type FixedControl = Pick<Control, 'channel' | 'kept'>;

/** Training batches in order; the state is how many were given. */
export function retrofitBatches(data: RetrofitData, model: RetrofitModel, phases: RetrofitPhases, seed: number, fixed: FixedControl): BatchSource {
  const frozen = frozenTensors(model);
  let next = 0;
  return {
    async next(): Promise<Batch> {
      const phase = phaseAt(phases, next);
      const feeds = { ...frozen, ...controlTensors(model, data.shape, { ...phase, ...fixed, seed: `${seed} noise ${next}` }), ...(await data.batch('train', next)) };
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
