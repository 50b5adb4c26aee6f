// Operations that address elements by number: scatter, gather along an axis, arg-max.
import type { Shape, Value } from './graph.ts';
import { equal, int, reshape, single, text, cast, expand } from './ops.ts';
import { axisOf, staticShape } from './shape.ts';

/** The dimensions of `x` as int64 [rank]. */
export function shapeOf(x: Value): Value {
  return single('Shape', [x], [x.shape.length], {}, 'int64');
}

/** Zeros of a shape known when the graph is built. */
export function zeros(like: Value, shape: readonly number[]): Value {
  const made = single('ConstantOfShape', [like.graph.ints(shape)], shape, {}, 'float32');
  return like.dtype === 'float32' ? made : cast(made, 'float64');
}

/**
 * Sums rows into a table: `out[indices[i]] += rows[i]`. Repeated indices add up, in order, the same at every run.
 * ScatterElements, not ScatterND: the CPU kernel of ScatterND adds from several threads at once and loses some of repeated indices' sums.
 * @param rows [N, E]
 * @param indices int64 [N]
 */
export function scatterRows(rows: Value, indices: Value, tableRows: number): Value {
  const [count, width] = staticShape(rows.shape, 'scatterRows') as [number, number];
  const target = expand(reshape(indices, [count, 1]), [count, width]);
  return single('ScatterElements', [zeros(rows, [tableRows, width]), target, rows], [tableRows, width], { axis: int(0), reduction: text('add') });
}

/** `out[…, i, …] = x[…, indices[…, i, …], …]` along an axis; `indices` has the shape of the result. */
export function gatherElements(x: Value, indices: Value, axis: number): Value {
  return single('GatherElements', [x, indices], indices.shape, { axis: int(axisOf(x.shape, axis)) });
}

/** int64: place of the largest element along the last axis (the first of equals). */
export function argMax(x: Value): Value {
  return single('ArgMax', [x], x.shape.slice(0, -1), { axis: int(-1), keepdims: int(0) }, 'int64');
}

/** float32 [..., classes]: 1 at the place that `indices` names, 0 elsewhere. */
export function oneHot(indices: Value, classes: number, dtype: 'float32' | 'float64' = 'float32'): Value {
  const numbers = indices.graph.constant(BigInt64Array.from({ length: classes }, (_, i) => BigInt(i)), 'int64', [classes]);
  const shape: Shape = [...indices.shape, 1];
  return cast(equal(reshape(indices, staticShape(shape, 'oneHot')), numbers), dtype);
}
