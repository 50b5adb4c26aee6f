// Shapes: broadcasting and axes, with dimensions that may be known only by name.
import { UserError } from '../core/errors.ts';
import type { Dim, Shape } from './graph.ts';

/** `axis` counted from the front. */
export function axisOf(shape: Shape, axis: number): number {
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at >= shape.length) throw new UserError('GRAPH_AXIS', { what: 'axis out of range', got: `${axis} of [${shape.join(', ')}]`, expected: `−${shape.length} to ${shape.length - 1}` });
  return at;
}

/** NumPy broadcasting. A named dimension equals itself, and stretches a 1. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i): Dim => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new UserError('GRAPH_BROADCAST', { what: 'shapes do not broadcast', got: `[${a.join(', ')}] and [${b.join(', ')}]`, expected: 'equal dimensions, or 1' });
  });
}

/** Shape of `a @ b`, batch dimensions broadcast. */
export function matmulShape(a: Shape, b: Shape): Shape {
  const inner = a.at(-1);
  if (a.length < 2 || b.length < 2 || inner !== b.at(-2)) {
    throw new UserError('GRAPH_MATMUL', { what: 'matrices do not multiply', got: `[${a.join(', ')}] @ [${b.join(', ')}]`, expected: 'the last dimension of the first equal to the last but one of the second' });
  }
  return [...broadcast(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

/** `shape` with one dimension replaced. */
export function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.with(axisOf(shape, axis), dim);
}

/** The shape as numbers, or an error that names the unknown one. */
export function staticShape(shape: Shape, what: string): number[] {
  return shape.map((dim) => {
    if (typeof dim === 'number') return dim;
    throw new UserError('GRAPH_DYNAMIC', { what: `${what} needs a shape known when the graph is built`, got: `[${shape.join(', ')}]` });
  });
}
