// AdamW (arXiv 1711.05101) as nodes of a training graph, with clipping of the gradients by their global norm.
import type { Graph, Value } from '../graph/graph.ts';
import { add, div, minimum, mul, reduceSumSquare, sqrt, sub } from '../graph/ops.ts';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Largest norm of all gradients together; `Infinity` never clips. */
  readonly maxGradientNorm: number;
}

/** What changes from step to step: graph inputs, float32 []. */
export interface StepScalars {
  /** Learning rate of the parameter's group. */
  readonly rate: Value;
  /** 1 − learning rate · weight decay: decay is decoupled from the gradient. */
  readonly keep: Value;
  /** 1 / (1 − beta1ᵗ) */
  readonly meanCorrection: Value;
  /** 1 / √(1 − beta2ᵗ) */
  readonly rootCorrection: Value;
}

/** √Σ g², and the factor in (0, 1] that every gradient is to be multiplied with. */
export function clipFactor(gradients: readonly Value[], maxNorm: number): { readonly norm: Value; readonly factor: Value } {
  const { graph } = gradients[0]!;
  const squares = gradients.map((gradient) => reduceSumSquare(gradient, gradient.shape.map((_, i) => i), false));
  const norm = sqrt(graph.node('Sum', squares, [{ dtype: 'float32', shape: [] }])[0]!);
  const factor = Number.isFinite(maxNorm) ? minimum(graph.scalar(1), div(graph.scalar(maxNorm), add(norm, graph.scalar(1e-6)))) : graph.scalar(1);
  return { norm, factor };
}

/**
 * One parameter's update: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w·keep − rate · m̂ / (√v̂ + ε), with g the clipped gradient.
 * Every node is element-wise in its state, so results may be written over the arrays that they came from.
 */
export function adamw(graph: Graph, state: { readonly weight: Value; readonly mean: Value; readonly square: Value }, gradient: Value, factor: Value, scalars: StepScalars, { beta1, beta2, epsilon }: AdamWOptions) {
  const constant = (value: number) => graph.scalar(value);
  const meanShare = mul(factor, constant(1 - beta1));
  const squareShare = mul(mul(factor, factor), constant(1 - beta2));
  const mean = add(mul(state.mean, constant(beta1)), mul(gradient, meanShare));
  const square = add(mul(state.square, constant(beta2)), mul(mul(gradient, gradient), squareShare));
  const denominator = add(mul(sqrt(square), scalars.rootCorrection), constant(epsilon));
  const weight = sub(mul(state.weight, scalars.keep), mul(div(mean, denominator), mul(scalars.rate, scalars.meanCorrection)));
  return { weight, mean, square };
}
