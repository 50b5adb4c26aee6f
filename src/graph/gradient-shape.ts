// Gradient rules of operations that move, select, repeat or sum elements.
import { ModelError } from '../core/errors.ts';
import { scalarLike, unbroadcast } from './gradient-elementwise.ts';
import type { GradientRules } from './gradient.ts';
import type { Node, Value } from './graph.ts';
import { cast, concat, cumSum, div, equal, expand, mul, pad, reduceSum, reshape, single, slice, split, transpose } from './ops.ts';
import { gatherElements, scatterRows, shapeOf, zeros } from './ops-index.ts';
import { staticShape } from './shape.ts';

const isStatic = (value: Value) => value.shape.every((dim) => typeof dim === 'number');

/** `x` with the dimensions of `like`. */
export function reshapeLike(x: Value, like: Value): Value {
  return isStatic(like) ? reshape(x, staticShape(like.shape, 'reshape')) : single('Reshape', [x, shapeOf(like)], like.shape);
}

/** `x` stretched to the dimensions of `like`. */
function expandLike(x: Value, like: Value): Value {
  return isStatic(like) ? expand(x, staticShape(like.shape, 'expand')) : single('Expand', [x, shapeOf(like)], like.shape);
}

/** Whole numbers that a node takes as a constant input. */
function constantInts(value: Value): number[] {
  const data = value.graph.initializer(value);
  if (!(data instanceof Uint8Array)) throw new ModelError('GRADIENT_DYNAMIC', { what: `the gradient needs ${value.name} as a constant`, got: 'a computed value' });
  return Array.from(new BigInt64Array(data.slice().buffer), Number);
}

function attributeInt(node: Node, name: string, otherwise: number): number {
  const found = node.attributes[name];
  return found?.kind === 'int' ? found.value : otherwise;
}

/** The gradient of a reduction with its reduced axes back as ones. */
function withReducedAxes(node: Node, value: Value): Value {
  if (attributeInt(node, 'keepdims', 1) === 1) return value;
  const axes = constantInts(node.inputs[1]!);
  const x = node.inputs[0]!;
  return reshape(value, staticShape(x.shape, 'a reduction').map((dim, i) => (axes.includes(i) ? 1 : dim)));
}

/** Elements that one result of a reduction is made of. */
function reducedCount(node: Node): number {
  const sizes = staticShape(node.inputs[0]!.shape, 'a mean');
  return constantInts(node.inputs[1]!).reduce((product, axis) => product * sizes[axis]!, 1);
}

export const shapeRules: GradientRules = {
  Reshape: ({ inputs: [x] }, [gradient]) => [reshapeLike(gradient!, x!)],
  Transpose: (node, [gradient]) => {
    const order = node.attributes['perm'];
    if (order?.kind !== 'ints') throw new ModelError('GRADIENT_TRANSPOSE', { what: 'a transposition without its order', expected: 'attribute perm' });
    return [transpose(gradient!, order.value.map((_, axis) => order.value.indexOf(axis)))];
  },
  Expand: ({ inputs: [x] }, [gradient]) => [unbroadcast(gradient!, x!)],
  Concat: (node, [gradient]) => {
    const axis = attributeInt(node, 'axis', 0);
    const sizes = node.inputs.map((input) => staticShape([input!.shape[axis]!], 'concat')[0]!);
    return sizes.length === 1 ? [gradient] : [...split(gradient!, sizes, axis)];
  },
  Split: (node, gradients) => {
    const parts = node.outputs.map((output, i) => gradients[i] ?? zeros(output, staticShape(output.shape, 'split')));
    return [parts.length === 1 ? parts[0] : concat(parts, attributeInt(node, 'axis', 0))];
  },
  Slice: ({ inputs: [x, start, end, axis] }, [gradient]) => {
    const [at, from, to] = [constantInts(axis!)[0]!, constantInts(start!)[0]!, constantInts(end!)[0]!];
    return [pad(gradient!, at, from, staticShape([x!.shape[at]!], 'slice')[0]! - to)];
  },
  Pad: ({ inputs: [x, pads] }, [gradient]) => {
    const amounts = constantInts(pads!);
    const sizes = staticShape(x!.shape, 'pad');
    return [sizes.reduce((part, size, axis) => (part.shape[axis] === size ? part : slice(part, axis, amounts[axis]!, amounts[axis]! + size)), gradient!)];
  },
  Gather: (node, [gradient]) => {
    const [x, indices] = [node.inputs[0]!, node.inputs[1]!];
    const axis = attributeInt(node, 'axis', 0);
    const sizes = staticShape(x.shape, 'gather');
    const count = staticShape(indices.shape, 'gather').reduce((product, size) => product * size, 1);
    const numbers = reshape(indices.dtype === 'int64' ? indices : cast(indices, 'int64'), [count]);
    const before = sizes.slice(0, axis);
    const after = sizes.slice(axis + 1);
    const outside = [...before, ...after].reduce((product, size) => product * size, 1);
    // The gathered axis first, so that every gathered element is a row.
    const moved = reshape(gradient!, [...before, count, ...after]);
    const first = axis === 0 ? moved : transpose(moved, [axis, ...sizes.map((_, i) => i).filter((i) => i !== axis)]);
    const summed = reshape(scatterRows(reshape(first, [count, outside]), numbers, sizes[axis]!), [sizes[axis]!, ...before, ...after]);
    return [axis === 0 ? summed : transpose(summed, sizes.map((_, i) => (i < axis ? i + 1 : i === axis ? 0 : i)))];
  },
  GatherElements: (node, [gradient]) => {
    const [x, indices] = [node.inputs[0]!, node.inputs[1]!];
    const sizes = staticShape(x.shape, 'gatherElements');
    return [single('ScatterElements', [zeros(gradient!, sizes), indices, gradient!], sizes, { axis: { kind: 'int', value: attributeInt(node, 'axis', 0) }, reduction: { kind: 'string', value: 'add' } })];
  },
  ScatterElements: (node, [gradient]) => [gradient, undefined, gatherElements(gradient!, node.inputs[1]!, attributeInt(node, 'axis', 0))],
  CumSum: (node, [gradient]) => [
    cumSum(gradient!, constantInts(node.inputs[1]!)[0]!, { reverse: attributeInt(node, 'reverse', 0) === 0, exclusive: attributeInt(node, 'exclusive', 0) === 1 }),
  ],
  ReduceSum: (node, [gradient]) => [expandLike(withReducedAxes(node, gradient!), node.inputs[0]!)],
  ReduceMean: (node, [gradient]) => [expandLike(mul(withReducedAxes(node, gradient!), scalarLike(gradient!, 1 / reducedCount(node))), node.inputs[0]!)],
  ReduceSumSquare: (node, [gradient]) => [mul(mul(node.inputs[0]!, scalarLike(gradient!, 2)), withReducedAxes(node, gradient!))],
  ReduceMax: (node, [gradient]) => {
    const x = node.inputs[0]!;
    // Equal maxima share the gradient.
    const winners = cast(equal(x, withReducedAxes(node, node.outputs[0]!)), x.dtype === 'float64' ? 'float64' : 'float32');
    return [mul(winners, div(withReducedAxes(node, gradient!), reduceSum(winners, constantInts(node.inputs[1]!))))];
  },
};
