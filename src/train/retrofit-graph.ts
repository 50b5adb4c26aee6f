// The forward pass of a retrofit: uncompressed teacher and compressed student on one batch, KL between them, and the one-sided budget.
import type { Graph, Value } from '../graph/graph.ts';
import { add, concat, exp, gather, gemm, logSoftmax, mul, neg, reciprocal, reduceSum, relu, reshape, rmsNorm, sub } from '../graph/ops.ts';
import { gatherElements } from '../graph/ops-index.ts';
import type { DecisionMode } from './retrofit-decisions.ts';
import type { Compression, DecoderEntry, RetrofitShape, ThreadInputs } from './retrofit-decoder.ts';
import { decodeCompressed } from './retrofit-decoder.ts';
import type { RetrofitKind, RetrofitModel } from './retrofit-model.ts';
import { roles } from './retrofit-model.ts';
import type { Forward } from './step-graph.ts';

/** Name of a frozen weight among a graph's inputs. */
export const frozenName = (role: string) => `frozen ${role}`;

export interface RetrofitLossOptions {
  readonly kind: RetrofitKind;
  readonly mode: DecisionMode;
  /** Tokens for which DMS keeps an evicted slot visible. */
  readonly window: number;
  /** Weight of the budget beside the KL, in nats for a whole share of tokens. */
  readonly budgetWeight: number;
  /** Parameters that are trained, by role. */
  readonly trained: readonly string[];
}

/**
 * Inputs beside the frozen weights (sizes as in `RetrofitShape`):
 * - `prefixIds` int64 [B, P]: a token, or V + the number of a row of `visual` float32 [M, E]
 * - `prefixWeights` float32 [B, P]: 1 for tokens that count, 0 for padding and for each sequence's first token
 * - with threads `threadIds`, `threadPositions`, `visible`, `segments`, `runStart`, `before` int64 [B, N, T] and `starts` float32 [B, N, T]
 * - `lossRows`, `lossTargets` int64 [A] and `lossWeights` float32 [A], which add up to 1
 * - DMC: `channels` float32 [D], share of each channel of queries and keys that attention sees
 * - `target` float32 []: share of tokens to merge or evict
 * - `noise` float32 [L, B, H, P], `threadNoise` float32 [L, B · N, H, T]
 *
 * Outputs: `loss`; `kl`; `budget`; `alpha` float32 [L, H], the share of decisions for each head; `logLoss` and `teacherLogLoss` float32 [A].
 */
export function retrofitForward({ spec, weights }: Pick<RetrofitModel, 'spec' | 'weights'>, shape: RetrofitShape, options: RetrofitLossOptions): Forward {
  return (graph, trainable) => {
    const { sequences: B, prefix: P, threads: N, threadLength: T, rows: A, visual: M } = shape;
    const { layers: L, kvHeads: H, width: E, normEpsilon } = spec;
    const frozen = new Map<string, Value>();
    const own = (role: string) => {
      const tensor = weights.get(role);
      if (!tensor) return undefined;
      const known = frozen.get(role) ?? graph.input(frozenName(role), 'float32', tensor.shape);
      frozen.set(role, known);
      return known;
    };
    const trained = new Set(options.trained);
    const student = (role: string) => (trained.has(role) ? trainable(role) : own(role));

    const table = M === 0 ? own(roles.embedding)! : concat([own(roles.embedding)!, graph.input('visual', 'float32', [M, E])], 0);
    const prefixIds = graph.input('prefixIds', 'int64', [B, P]);
    const embedded = (ids: Value, count: number) => reshape(gather(table, ids), [count, E]);
    const entry: DecoderEntry = { prefix: embedded(prefixIds, B * P), ...(N > 0 && { threads: embedded(graph.input('threadIds', 'int64', [B, N, T]), B * N * T), inputs: threadInputs(graph, shape) }) };
    const compression: Compression = {
      kind: options.kind,
      mode: options.mode,
      window: options.window,
      ...(options.kind === 'dmc' && { channels: graph.input('channels', 'float32', [spec.headWidth]) }),
      noise: { prefix: graph.input('noise', 'float32', [L, B, H, P]), ...(N > 0 && { threads: graph.input('threadNoise', 'float32', [L, B * N, H, T]) }) },
    };
    const [lossRows, targets, lossWeights] = [graph.input('lossRows', 'int64', [A]), graph.input('lossTargets', 'int64', [A]), graph.input('lossWeights', 'float32', [A])];
    const logProbabilities = (hidden: Value) => logSoftmax(gemm(rmsNorm(gather(hidden, lossRows), own(roles.finalNorm)!, normEpsilon), own(roles.head)!, undefined, { transB: true }));
    const teacher = logProbabilities(decodeCompressed(graph, own, spec, shape, entry).hidden);
    const compressed = decodeCompressed(graph, student, spec, shape, entry, compression);
    const learned = logProbabilities(compressed.hidden);

    const kl = weightedKl(teacher, learned, lossWeights);
    const counted = reshape(graph.input('prefixWeights', 'float32', [B, P]), [B, 1, P]);
    const count = reduceSum(counted, [0, 1, 2], false);
    const alpha = concat(compressed.alphas.map((each) => reshape(reduceSum(mul(each, counted), [0, 2], false), [1, H])), 0);
    const share = mul(alpha, reshape(reciprocal(count), [1, 1]));
    const mean = mul(reduceSum(share, [0, 1], false), graph.scalar(1 / (L * H)));
    const budget = relu(sub(graph.input('target', 'float32', []), mean));
    const logLoss = (logits: Value) => neg(reshape(gatherElements(logits, reshape(targets, [A, 1]), 1), [A]));
    return { loss: add(kl, mul(budget, graph.scalar(options.budgetWeight))), metrics: { kl, budget, alpha: share, logLoss: logLoss(learned), teacherLogLoss: logLoss(teacher) } };
  };
}

/** Σ weight · KL(teacher ‖ student) from log probabilities, float32 [A, V] both. */
function weightedKl(teacher: Value, student: Value, weights: Value): Value {
  return reduceSum(mul(reduceSum(mul(exp(teacher), sub(teacher, student)), [1], false), weights), [0], false);
}

function threadInputs(graph: Graph, { sequences: B, threads: N, threadLength: T }: RetrofitShape): ThreadInputs {
  const whole = (name: string) => graph.input(name, 'int64', [B, N, T]);
  return { positions: whole('threadPositions'), visible: whole('visible'), segments: whole('segments'), runStart: whole('runStart'), before: whole('before'), starts: graph.input('starts', 'float32', [B, N, T]) };
}
