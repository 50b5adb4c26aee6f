// Decisions of a retrofit in the training graph: Gumbel-sigmoid of logits, hard ones for evaluation, and what they add to attention scores.
import type { Value } from '../graph/graph.ts';
import { cast, greater, mul, neg, pad, add, sigmoid, slice, softplus } from '../graph/ops.ts';

/** Subtracted from every logit, so that an untrained model decides against almost always. */
export const decisionOffset = 5;
/** Temperature τ of the relaxed decisions. */
export const temperature = 0.1;
/** Factor of the logits that a DMS adapter computes (arXiv 2506.05345, released code). */
export const dmsFactor = 100;
/** ε in the importance of a token: sigmoid(mean query + 5) + ε. */
export const importanceEpsilon = 1e-6;
/** Scores of what must not be seen: e^−10000 is 0 in float32, and a row with nothing to see stays finite. */
export const hiddenScore = -1e4;

/** `soft`: relaxed and noisy, with gradients; `hard`: as inference decides. */
export type DecisionMode = 'soft' | 'hard';

export interface Decisions {
  /** float32 [..., T], 0 to 1: token t merges into the slot before it (DMC), or lets the token before it go (DMS). */
  readonly alpha: Value;
  /** float32 [..., T]: log(1 − alpha). */
  readonly logKept: Value;
}

/**
 * Methods sections of DMC (arXiv 2403.09636): `α = sigmoid((logit + g₁ − g₂)/τ)` with the logit's offset taken off here.
 * @param raw float32 [..., T]: the channel, or the adapter's output
 * @param noise float32 [..., T]: g₁ − g₂; none at inference
 */
export function decide(raw: Value, noise: Value, mode: DecisionMode): Decisions {
  const { graph } = raw;
  const logit = add(add(raw, graph.scalar(-decisionOffset)), noise);
  if (mode === 'hard') {
    const alpha = cast(greater(logit, graph.scalar(0)), 'float32');
    return { alpha, logKept: mul(alpha, graph.scalar(hiddenScore)) };
  }
  const scaled = mul(logit, graph.scalar(1 / temperature));
  return { alpha: sigmoid(scaled), logKept: neg(softplus(scaled)) };
}

/** What token t + 1 says of token t, along the last axis; 0 for the last. */
export function ofNext(x: Value): Value {
  const length = x.shape.at(-1) as number;
  return length === 1 ? mul(x, x.graph.scalar(0)) : pad(slice(x, -1, 1, length), -1, 0, 1);
}
