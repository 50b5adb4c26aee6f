// Losses with gradients of their own.
import { withGradient } from './gradient.ts';
import type { Value } from './graph.ts';
import { argMax, gatherElements } from './ops-index.ts';
import { add, cast, equal, exp, log, logSoftmax, mul, neg, reduceSum, relu, reshape, sigmoid, single, softmax, softplus, sub } from './ops.ts';
import { staticShape } from './shape.ts';

export interface CrossEntropy {
  /** float32 []: Σ weight · −log p(target). */
  readonly loss: Value;
  /** float32 [N]: −log p(target), unweighted; no gradient. */
  readonly perRow: Value;
  /** float32 [N]: 1 where the likeliest class is the target. */
  readonly correct: Value;
}

/**
 * Softmax cross-entropy from logits.
 * @param logits float32 [N, V]
 * @param targets int64 [N]; any class where the weight is 0
 * @param weights float32 [N]: 0 leaves a row out. Give 1/count for a mean.
 */
export function softmaxCrossEntropy(logits: Value, targets: Value, weights: Value): CrossEntropy {
  const [rows] = staticShape(logits.shape, 'cross-entropy') as [number, number];
  const column = reshape(targets, [rows, 1]);
  const logProbabilities = logSoftmax(logits);
  const perRow = neg(reshape(gatherElements(logProbabilities, column, 1), [rows]));
  const loss = reduceSum(mul(perRow, weights), [0], false);
  const correct = cast(equal(argMax(logits), targets), 'float32');
  withGradient(loss, [logits], (gradient) => {
    // weight · (softmax − one-hot), the one subtracted in place.
    const scaled = reshape(mul(weights, gradient), [rows, 1]);
    const spread = mul(exp(logProbabilities), scaled);
    return [single('ScatterElements', [spread, column, neg(scaled)], logits.shape, { axis: { kind: 'int', value: 1 }, reduction: { kind: 'string', value: 'add' } })];
  });
  return { loss, perRow, correct };
}

/**
 * −Σ weight · log of the probability that falls on any of the targets, from scores.
 * @param scores float32 [N, S]
 * @param open float32 [N, S]: 1 for what may be chosen at all, else 0
 * @param targets float32 [N, S]: 1 for what is right, a part of what may be chosen; a row without any needs weight 0
 * @param weights float32 [N]
 */
export function anyOfCrossEntropy(scores: Value, open: Value, targets: Value, weights: Value): Value {
  const { graph } = scores;
  const [rows] = staticShape(scores.shape, 'cross-entropy') as [number, number];
  const among = (mask: Value) => softmax(add(scores, mul(sub(mask, graph.scalar(1)), graph.scalar(1e4))));
  const probabilities = among(open);
  const right = reduceSum(mul(probabilities, targets), [1], false);
  // A row without targets, or one that gives them nothing, stays finite.
  const loss = neg(reduceSum(mul(log(add(right, graph.scalar(1e-12))), weights), [0], false));
  return withGradient(loss, [scores], (gradient) => [mul(sub(probabilities, among(targets)), reshape(mul(weights, gradient), [rows, 1]))]);
}

/**
 * Σ weight · binary cross-entropy from logits: softplus(x) − target · x.
 * @param logits float32 [...]
 * @param targets float32 [...], 0 to 1
 * @param weights float32, broadcasts to `logits`
 */
export function binaryCrossEntropy(logits: Value, targets: Value, weights: Value): Value {
  const axes = logits.shape.map((_, i) => i);
  const loss = reduceSum(mul(sub(softplus(logits), mul(logits, targets)), weights), axes, false);
  return withGradient(loss, [logits], (gradient) => [mul(mul(sub(sigmoid(logits), targets), weights), gradient)]);
}

/**
 * Σ weight · Huber loss: quadratic up to `delta`, linear beyond.
 * @param predicted float32 [...]
 * @param targets float32 [...]
 * @param weights float32, broadcasts to `predicted`
 */
export function huberLoss(predicted: Value, targets: Value, weights: Value, delta: number): Value {
  const { graph } = predicted;
  const difference = sub(predicted, targets);
  // |d| clipped to delta, as relu's: q = |d| − relu(|d| − delta).
  const size = add(relu(difference), relu(neg(difference)));
  const beyond = relu(sub(size, graph.scalar(delta)));
  const inside = sub(size, beyond);
  const each = add(mul(mul(inside, inside), graph.scalar(0.5)), mul(beyond, graph.scalar(delta)));
  return reduceSum(mul(each, weights), predicted.shape.map((_, i) => i), false);
}
