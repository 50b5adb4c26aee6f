// Operations of the standard ONNX operator set (opset 21), each with the shape of its result.
import { UserError } from '../core/errors.ts';
import type { Attribute, DType, Dim, Shape, Value } from './graph.ts';
import { axisOf, broadcast, matmulShape, withDim } from './shape.ts';

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });

/** A node with one output. */
export function single(type: string, inputs: readonly (Value | undefined)[], shape: Shape, attributes: Readonly<Record<string, Attribute>> = {}, dtype?: DType, domain: '' | 'com.microsoft' = ''): Value {
  const first = inputs.find((input) => input !== undefined)!;
  return first.graph.node(type, inputs, [{ dtype: dtype ?? first.dtype, shape }], { attributes, domain })[0]!;
}

const unary = (type: string) => (x: Value) => single(type, [x], x.shape);
const binary = (type: string) => (a: Value, b: Value) => single(type, [a, b], broadcast(a.shape, b.shape));
const comparison = (type: string) => (a: Value, b: Value) => single(type, [a, b], broadcast(a.shape, b.shape), {}, 'bool');

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const pow = binary('Pow');
export const less = comparison('Less');
export const greater = comparison('Greater');
export const equal = comparison('Equal');
export const neg = unary('Neg');
export const exp = unary('Exp');
export const log = unary('Log');
export const sqrt = unary('Sqrt');
export const reciprocal = unary('Reciprocal');
export const tanh = unary('Tanh');
export const sigmoid = unary('Sigmoid');
export const relu = unary('Relu');
export const abs = unary('Abs');
export const erf = unary('Erf');
export const cos = unary('Cos');
export const sin = unary('Sin');
export const identity = unary('Identity');
export const softplus = unary('Softplus');
/** −1, 0 or 1. */
export const sign = unary('Sign');
export const maximum = binary('Max');
export const minimum = binary('Min');

export function where(condition: Value, a: Value, b: Value): Value {
  return single('Where', [condition, a, b], broadcast(condition.shape, broadcast(a.shape, b.shape)), {}, a.dtype);
}

export function cast(x: Value, dtype: 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'bool' | 'uint8' | 'int8'): Value {
  const to = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }[dtype];
  return single('Cast', [x], x.shape, { to: int(to) }, dtype);
}

export function matmul(a: Value, b: Value): Value {
  return single('MatMul', [a, b], matmulShape(a.shape, b.shape));
}

export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
}

/** `alpha · op(a) @ op(b) + beta · c` on matrices; `c` broadcasts to the result. */
export function gemm(a: Value, b: Value, c?: Value, { transA = false, transB = false, alpha = 1, beta = 1 }: GemmOptions = {}): Value {
  const left = transA ? a.shape.toReversed() : a.shape;
  const right = transB ? b.shape.toReversed() : b.shape;
  return single('Gemm', c ? [a, b, c] : [a, b], matmulShape(left, right), { transA: int(Number(transA)), transB: int(Number(transB)), alpha: float(alpha), beta: float(beta) });
}

export function softmax(x: Value, axis = -1): Value {
  return single('Softmax', [x], x.shape, { axis: int(axisOf(x.shape, axis)) });
}

export function logSoftmax(x: Value, axis = -1): Value {
  return single('LogSoftmax', [x], x.shape, { axis: int(axisOf(x.shape, axis)) });
}

/** Running sum along an axis. */
export function cumSum(x: Value, axis: number, { reverse = false, exclusive = false }: { readonly reverse?: boolean; readonly exclusive?: boolean } = {}): Value {
  return single('CumSum', [x, x.graph.scalar(axisOf(x.shape, axis), 'int64')], x.shape, { reverse: int(Number(reverse)), exclusive: int(Number(exclusive)) });
}

/** Gelu; `tanh` is the approximation that checkpoints call `gelu_pytorch_tanh`. */
export function gelu(x: Value, approximate: 'none' | 'tanh'): Value {
  return single('Gelu', [x], x.shape, { approximate: text(approximate) });
}

/** `x · sigmoid(x)`. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x));
}

/** Layer normalisation over the last axis. */
export function layerNorm(x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return single('LayerNormalization', [x, scale, bias], x.shape, { axis: int(-1), epsilon: float(epsilon) });
}

/** Root-mean-square normalisation over the last axis. */
export function rmsNorm(x: Value, scale: Value, epsilon: number): Value {
  return single('SimplifiedLayerNormalization', [x, scale], x.shape, { axis: int(-1), epsilon: float(epsilon), stash_type: int(1) });
}

/** `shape` may hold one −1; `result` names the shape where it cannot be derived. */
export function reshape(x: Value, shape: readonly number[], result?: Shape): Value {
  return single('Reshape', [x, x.graph.ints(shape)], result ?? reshaped(x.shape, shape));
}

function reshaped(from: Shape, to: readonly number[]): Shape {
  const sizes = from.filter((dim) => typeof dim === 'number');
  const names = from.filter((dim) => typeof dim === 'string');
  const known = to.reduce<number>((product, dim, i) => (dim > 0 ? product * dim : dim === 0 && typeof from[i] === 'number' ? product * from[i] : product), 1);
  const total = sizes.reduce((product, size) => product * size, 1);
  return to.map((dim, i): Dim => {
    if (dim > 0) return dim;
    if (dim === 0) return from[i]!;
    if (names.length === 0) return total / known;
    return names.length === 1 && total === known ? names[0]! : `${names.join('*')}*${total / known}`;
  });
}

export function transpose(x: Value, order: readonly number[]): Value {
  return single('Transpose', [x], order.map((axis) => x.shape[axis]!), { perm: { kind: 'ints', value: order } });
}

export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0]!;
  const at = axisOf(first.shape, axis);
  const dims = values.map(({ shape }) => shape[at]!);
  const dim = dims.every((size) => typeof size === 'number') ? dims.reduce((sum, size) => sum + size, 0) : dims.join('+');
  return single('Concat', values, withDim(first.shape, at, dim), { axis: int(at) });
}

/** Parts of the given sizes along an axis. */
export function split(x: Value, sizes: readonly number[], axis: number): readonly Value[] {
  const at = axisOf(x.shape, axis);
  const outputs = sizes.map((size) => ({ dtype: x.dtype, shape: withDim(x.shape, at, size) }));
  return x.graph.node('Split', [x, x.graph.ints(sizes)], outputs, { attributes: { axis: int(at) } });
}

/** Elements `start` to `end` (not included) along an axis of known size. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const at = axisOf(x.shape, axis);
  const size = x.shape[at]!;
  if (typeof size !== 'number' || start < 0 || end > size || start >= end) {
    throw new UserError('GRAPH_SLICE', { what: 'slice out of range', got: `${start} to ${end} of ${size}`, expected: '0 ≤ start < end ≤ size' });
  }
  const { graph } = x;
  return single('Slice', [x, graph.ints([start]), graph.ints([end]), graph.ints([at])], withDim(x.shape, at, end - start));
}

/** `x` with zeros before and after along an axis. */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  const at = axisOf(x.shape, axis);
  const size = x.shape[at]!;
  const rank = x.shape.length;
  const pads = Array.from({ length: 2 * rank }, (_, i) => (i === at ? before : i === at + rank ? after : 0));
  return single('Pad', [x, x.graph.ints(pads)], withDim(x.shape, at, typeof size === 'number' ? size + before + after : `${size}+${before + after}`));
}

/** Rows of `x` at `indices` (int64 or int32, any shape) along an axis. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  const at = axisOf(x.shape, axis);
  return single('Gather', [x, indices], [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)], { axis: int(at) });
}

const reduce = (type: string) => (x: Value, axes: readonly number[], keepDims = true) => {
  const at = axes.map((axis) => axisOf(x.shape, axis));
  const shape = keepDims ? x.shape.map((dim, i) => (at.includes(i) ? 1 : dim)) : x.shape.filter((_, i) => !at.includes(i));
  return single(type, [x, x.graph.ints(at)], shape, { keepdims: int(Number(keepDims)) });
};

export const reduceSum = reduce('ReduceSum');
export const reduceMean = reduce('ReduceMean');
export const reduceMax = reduce('ReduceMax');
export const reduceSumSquare = reduce('ReduceSumSquare');

/** `x` stretched to `shape`. */
export function expand(x: Value, shape: readonly number[]): Value {
  return single('Expand', [x, x.graph.ints(shape)], shape);
}
