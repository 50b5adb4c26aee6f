// Muon (Keller Jordan 2024; scaled as in Moonlight, arXiv 2502.16982) as nodes of a training graph: momentum whose singular values are all brought near 1.
import type { Value } from '../graph/graph.ts';
import { add, div, gemm, mul, reduceSumSquare, reshape, sqrt, sub } from '../graph/ops.ts';
import { staticShape } from '../graph/shape.ts';
import type { StepScalars } from './adamw.ts';

/** Share of the momentum that stays. */
const momentum = 0.95;
/** Quintic polynomial that is applied to the singular values: five times bring what is above about 0.01 to between 0.7 and 1.2. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;
/** Root mean square of AdamW's updates, so that both share one learning rate. */
const updateScale = 0.2;

/** U·Vᵀ of x = U·S·Vᵀ, nearly. @param x float32 [rows, columns] */
export function orthogonalised(x: Value): Value {
  const { graph } = x;
  const [rows, columns] = staticShape(x.shape, 'a matrix to orthogonalise') as [number, number];
  // The smaller of the two products: x·xᵀ on the left, or xᵀ·x on the right.
  const isWide = rows <= columns;
  const norm = sqrt(add(reduceSumSquare(x, [0, 1], false), graph.scalar(1e-14)));
  let y = div(x, norm);
  for (let i = 0; i < iterations; i++) {
    const gram = gemm(y, y, undefined, isWide ? { transB: true } : { transA: true });
    const polynomial = gemm(gram, gram, gram, { alpha: c, beta: b });
    y = isWide ? gemm(polynomial, y, y, { beta: a }) : gemm(y, polynomial, y, { beta: a });
  }
  return y;
}

/**
 * One matrix's update: m ← 0.95m + 0.05g, w ← w·keep − rate · 0.2·√max(rows, columns) · orthogonalised(0.95m + 0.05g).
 * A parameter of more than two axes counts as a matrix of its first axis by the others.
 */
export function muon(state: { readonly weight: Value; readonly mean: Value }, gradient: Value, factor: Value, scalars: Pick<StepScalars, 'rate' | 'keep'>) {
  const { graph } = gradient;
  const shape = staticShape(gradient.shape, 'a gradient');
  const rows = shape[0]!;
  const columns = shape.slice(1).reduce((product, size) => product * size, 1);
  const fresh = mul(gradient, mul(factor, graph.scalar(1 - momentum)));
  const mean = add(mul(state.mean, graph.scalar(momentum)), fresh);
  const ahead = add(mul(mean, graph.scalar(momentum)), fresh);
  const direction = reshape(orthogonalised(reshape(ahead, [rows, columns])), shape);
  const weight = sub(mul(state.weight, scalars.keep), mul(direction, mul(scalars.rate, graph.scalar(updateScale * Math.sqrt(Math.max(rows, columns))))));
  return { weight, mean };
}
