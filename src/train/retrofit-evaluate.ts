// Held-out figures of a retrofit: losses of teacher and student with decisions as inference makes them, and the ratio that each head came to.
import type { Tensors } from '../runtime/onnx.ts';
import { openOnnx } from '../runtime/onnx.ts';
import type { FixedControl, RetrofitData } from './retrofit-data.ts';
import { controlTensors, frozenTensors } from './retrofit-data.ts';
import type { RetrofitLossOptions } from './retrofit-graph.ts';
import { retrofitForward } from './retrofit-graph.ts';
import type { RetrofitModel } from './retrofit-model.ts';
import type { ParameterSpec } from './parameters.ts';
import { evaluationGraph } from './step-graph.ts';

export interface RetrofitFigures {
  /** Mean KL from the teacher, in nats a learned token. */
  readonly kl: number;
  /** Mean −log p of the text, in nats a learned token. */
  readonly loss: number;
  readonly teacherLoss: number;
  /** Tokens for each slot, over all layers and heads. */
  readonly ratio: number;
  /** [L][H]: tokens for each slot of each head. */
  readonly ratios: readonly (readonly number[])[];
}

export interface EvaluationState extends FixedControl {
  /** Share of the decision channel that attention sees; 0 at the end of a run. */
  readonly fade: number;
  readonly decisions: 'hard' | 'none';
  /** Batches to measure on. Default: all that are held out. */
  readonly batches?: number;
  readonly split?: 'train' | 'held-out';
}

export interface Evaluator extends AsyncDisposable {
  /**
   * @param weights the trained ones, as a step graph takes them
   * @param state what attention sees of the decision channel, and whether anything is decided
   */
  evaluate(weights: Tensors, state: EvaluationState): Promise<RetrofitFigures>;
}

/** Opens the evaluation graph over the data's held-out batches. */
export async function openEvaluator(model: RetrofitModel, data: RetrofitData, specs: readonly ParameterSpec[], options: Omit<RetrofitLossOptions, 'mode'>, threads: number): Promise<Evaluator> {
  const graph = await openOnnx(evaluationGraph('held out', specs, retrofitForward(model, data.shape, { ...options, mode: 'hard' })).encode(), { threads });
  const frozen = frozenTensors(model);
  const { layers: L, kvHeads: H } = model.spec;
  return {
    async evaluate(weights, { decisions, batches = data.heldOutBatches, split = 'held-out', ...state }) {
      const sums = { kl: 0, loss: 0, teacherLoss: 0 };
      const shares = new Float64Array(L * H);
      const control = controlTensors(model, data.shape, { ...state, target: 0, noise: decisions === 'none' ? 'closed' : 0, seed: '' });
      for (let i = 0; i < batches; i++) {
        const feeds = await data.batch(split, i);
        const outputs = await graph.run({ ...weights, ...frozen, ...control, ...feeds });
        const lossWeights = feeds['lossWeights']!.data as Float32Array;
        const mean = (name: string) => (outputs[name]!.data as Float32Array).reduce((sum, value, row) => sum + value * lossWeights[row]!, 0);
        sums.kl += Number(outputs['kl']!.data[0]);
        sums.loss += mean('logLoss');
        sums.teacherLoss += mean('teacherLogLoss');
        (outputs['alpha']!.data as Float32Array).forEach((share, n) => (shares[n]! += share));
      }
      const n = batches;
      const ratioOf = (share: number) => 1 / Math.max(1 - share, 1e-3);
      return {
        kl: sums.kl / n,
        loss: sums.loss / n,
        teacherLoss: sums.teacherLoss / n,
        ratio: ratioOf(shares.reduce((a, b) => a + b, 0) / (n * L * H)),
        ratios: Array.from({ length: L }, (_, i) => Array.from({ length: H }, (__, h) => ratioOf(shares[i * H + h]! / n))),
      };
    },
    [Symbol.asyncDispose]: () => graph[Symbol.asyncDispose](),
  };
}
