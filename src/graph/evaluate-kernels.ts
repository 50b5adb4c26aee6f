// Reference kernels in double precision, one for each operation of the op files, straight from the operators' definitions.
import type { Dense } from './evaluate.ts';
import type { Node } from './graph.ts';

type Kernel = (inputs: readonly (Dense | undefined)[], node: Node) => readonly Dense[];

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
const dense = (shape: readonly number[], data: Float64Array = new Float64Array(count(shape))): Dense => ({ shape, data });

function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Place in `from` of every element of a broadcast result. */
function* places(from: readonly number[], to: readonly number[]): Generator<number> {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  const strides = to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : own[i - lead]!));
  yield* walk(to, strides);
}

/** Offsets of a nested loop over `shape` with the given strides. */
function* walk(shape: readonly number[], strides: readonly number[], start = 0): Generator<number> {
  const at = shape.map(() => 0);
  let offset = start;
  for (let n = count(shape); n > 0; n--) {
    yield offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      offset -= strides[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
}

function common(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => Math.max(...shapes.map((shape) => shape[i - rank + shape.length] ?? 1)));
}

function stretched(x: Dense, shape: readonly number[]): Float64Array {
  return Float64Array.from(places(x.shape, shape), (place) => x.data[place]!);
}

const unary =
  (f: (x: number) => number): Kernel =>
  ([x]) => [dense(x!.shape, x!.data.map(f))];

const binary =
  (f: (a: number, b: number) => number): Kernel =>
  ([a, b]) => {
    const shape = common(a!.shape, b!.shape);
    const right = stretched(b!, shape);
    return [dense(shape, stretched(a!, shape).map((value, i) => f(value, right[i]!)))];
  };

const number = (node: Node, name: string, otherwise: number) => {
  const found = node.attributes[name];
  return found?.kind === 'int' || found?.kind === 'float' ? found.value : otherwise;
};
const word = (node: Node, name: string, otherwise: string) => {
  const found = node.attributes[name];
  return found?.kind === 'string' ? found.value : otherwise;
};
const axisNumber = (node: Node, rank: number, otherwise = -1) => (number(node, 'axis', otherwise) + rank) % rank;

function transposed(x: Dense, order: readonly number[]): Dense {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  return dense(shape, Float64Array.from(walk(shape, order.map((axis) => strides[axis]!)), (place) => x.data[place]!));
}

const swapLast = (x: Dense, swap: boolean) => (swap ? transposed(x, [...x.shape.keys()].map((i) => (i === x.shape.length - 1 ? i - 1 : i === x.shape.length - 2 ? i + 1 : i))) : x);

function product(a: Dense, b: Dense, alpha = 1): Dense {
  const [m, k, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const batch = common(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const result = dense([...batch, m, n]);
  const lefts = [...places(a.shape.slice(0, -2), batch)];
  const rights = [...places(b.shape.slice(0, -2), batch)];
  for (let at = 0; at < count(batch); at++) {
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += a.data[lefts[at]! * m * k + i * k + l]! * b.data[rights[at]! * k * n + l * n + j]!;
        result.data[(at * m + i) * n + j] = alpha * sum;
      }
  }
  return result;
}

/** Applies `f` to every line of `x` along an axis. */
function lines(x: Dense, axis: number, f: (line: Float64Array) => Float64Array): Dense {
  const strides = stridesOf(x.shape);
  const size = x.shape[axis]!;
  const result = dense(x.shape);
  const outer = x.shape.with(axis, 1);
  for (const start of walk(outer, strides)) f(Float64Array.from({ length: size }, (_, i) => x.data[start + i * strides[axis]!]!)).forEach((value, i) => (result.data[start + i * strides[axis]!] = value));
  return result;
}

function softmaxLine(line: Float64Array): Float64Array {
  const top = Math.max(...line);
  const exps = line.map((value) => Math.exp(value - top));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / sum);
}

const reduction =
  (f: (values: readonly number[]) => number): Kernel =>
  ([x, axes], node) => {
    const kept = x!.shape.map((size, i) => (axes!.data.includes(i) ? 1 : size));
    const groups = Array.from({ length: count(kept) }, (): number[] => []);
    const own = stridesOf(kept).map((stride, i) => (axes!.data.includes(i) ? 0 : stride));
    [...walk(x!.shape, own)].forEach((group, i) => groups[group]!.push(x!.data[i]!));
    const shape = number(node, 'keepdims', 1) === 1 ? kept : kept.filter((_, i) => !axes!.data.includes(i));
    return [dense(shape, Float64Array.from(groups, f))];
  };

/** Abramowitz and Stegun give 1e-7; the series and the continued fraction give double precision. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  let sum = size;
  let term = size;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum * Math.exp(-size * size);
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The last axis normalised: mean, inverse deviation, and what each element becomes. */
function normalised(x: Dense, centred: boolean, epsilon: number) {
  const width = x.shape.at(-1)!;
  const shape = x.shape.with(-1, 1);
  const [mean, inverse, values] = [dense(shape), dense(shape), dense(x.shape)];
  for (let row = 0; row < count(shape); row++) {
    const line = x.data.subarray(row * width, (row + 1) * width);
    const centre = centred ? line.reduce((a, b) => a + b, 0) / width : 0;
    const variance = line.reduce((sum, value) => sum + (value - centre) ** 2, 0) / width;
    mean.data[row] = centre;
    inverse.data[row] = 1 / Math.sqrt(variance + epsilon);
    line.forEach((value, i) => (values.data[row * width + i] = (value - centre) * inverse.data[row]!));
  }
  return { mean, inverse, values };
}

export const kernels: Readonly<Record<string, Kernel>> = {
  Identity: unary((x) => x),
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Pow: binary((a, b) => a ** b),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Less: binary((a, b) => Number(a < b)),
  Greater: binary((a, b) => Number(a > b)),
  Equal: binary((a, b) => Number(a === b)),
  Neg: unary((x) => -x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Tanh: unary(Math.tanh),
  Sigmoid: unary(sigmoid),
  Softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Relu: unary((x) => Math.max(x, 0)),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Erf: unary(erf),
  Cos: unary(Math.cos),
  Sin: unary(Math.sin),
  Cast: ([x], node) => {
    const to = number(node, 'to', 1);
    return [dense(x!.shape, to === 9 ? x!.data.map((value) => Number(value !== 0)) : [1, 10, 11, 16].includes(to) ? x!.data : x!.data.map(Math.trunc))];
  },
  Gelu: (inputs, node) => unary(word(node, 'approximate', 'none') === 'tanh' ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))) : (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)))(inputs, node),
  Where: ([condition, a, b]) => {
    const shape = common(condition!.shape, a!.shape, b!.shape);
    const [yes, no] = [stretched(a!, shape), stretched(b!, shape)];
    return [dense(shape, stretched(condition!, shape).map((value, i) => (value ? yes[i]! : no[i]!)))];
  },
  MatMul: ([a, b]) => [product(a!, b!)],
  FusedMatMul: ([a, b], node) => [product(swapLast(a!, number(node, 'transA', 0) === 1), swapLast(b!, number(node, 'transB', 0) === 1), number(node, 'alpha', 1))],
  Gemm: ([a, b, c], node) => {
    const result = product(swapLast(a!, number(node, 'transA', 0) === 1), swapLast(b!, number(node, 'transB', 0) === 1), number(node, 'alpha', 1));
    if (c) stretched(c, result.shape).forEach((value, i) => (result.data[i]! += number(node, 'beta', 1) * value));
    return [result];
  },
  Softmax: ([x], node) => [lines(x!, axisNumber(node, x!.shape.length), softmaxLine)],
  LogSoftmax: ([x], node) => [lines(x!, axisNumber(node, x!.shape.length), (line) => softmaxLine(line).map(Math.log))],
  CumSum: ([x, axis], node) => {
    const [reverse, exclusive] = [number(node, 'reverse', 0) === 1, number(node, 'exclusive', 0) === 1];
    const sums = (line: Float64Array): Float64Array => {
      let sum = 0;
      return line.map((value) => {
        const before = sum;
        sum += value;
        return exclusive ? before : sum;
      });
    };
    return [lines(x!, axis!.data[0]!, (line) => (reverse ? sums(line.toReversed()).toReversed() : sums(line)))];
  },
  LayerNormalization: ([x, scale, bias], node) => {
    const { mean, inverse, values } = normalised(x!, true, number(node, 'epsilon', 1e-5));
    const [scales, biases] = [stretched(scale!, x!.shape), stretched(bias!, x!.shape)];
    return [dense(x!.shape, values.data.map((value, i) => value * scales[i]! + biases[i]!)), mean, inverse];
  },
  SimplifiedLayerNormalization: ([x, scale], node) => {
    const { inverse, values } = normalised(x!, false, number(node, 'epsilon', 1e-5));
    const scales = stretched(scale!, x!.shape);
    return [dense(x!.shape, values.data.map((value, i) => value * scales[i]!)), inverse];
  },
  RotaryEmbedding: ([x, positions, cos, sin]) => {
    const half = cos!.shape[1]!;
    const [batch, length, width] = x!.shape as [number, number, number];
    const result = dense(x!.shape);
    for (let row = 0; row < batch * length; row++)
      for (let head = 0; head < width; head += 2 * half)
        for (let i = 0; i < half; i++) {
          const at = row * width + head + i;
          const angle = positions!.data[row]! * half + i;
          const [c, s, a, b] = [cos!.data[angle]!, sin!.data[angle]!, x!.data[at]!, x!.data[at + half]!];
          result.data[at] = a * c - b * s;
          result.data[at + half] = b * c + a * s;
        }
    return [result];
  },
  Reshape: ([x, shape]) => {
    const wanted = Array.from(shape!.data, (size, i) => (size === 0 ? x!.shape[i]! : size));
    const known = wanted.reduce((total, size) => (size < 0 ? total : total * size), 1);
    return [dense(wanted.map((size) => (size < 0 ? x!.data.length / known : size)), x!.data)];
  },
  Transpose: ([x], node) => {
    const order = node.attributes['perm'];
    return [transposed(x!, order?.kind === 'ints' ? order.value : [])];
  },
  Expand: ([x, shape]) => {
    const target = common(x!.shape, Array.from(shape!.data));
    return [dense(target, stretched(x!, target))];
  },
  Shape: ([x]) => [dense([x!.shape.length], Float64Array.from(x!.shape))],
  ConstantOfShape: ([shape]) => [dense(Array.from(shape!.data))],
  Concat: (inputs, node) => {
    const axis = axisNumber(node, inputs[0]!.shape.length);
    const result = dense(inputs[0]!.shape.with(axis, inputs.reduce((sum, input) => sum + input!.shape[axis]!, 0)));
    const strides = stridesOf(result.shape);
    let start = 0;
    for (const input of inputs) {
      [...walk(input!.shape, strides, start * strides[axis]!)].forEach((place, i) => (result.data[place] = input!.data[i]!));
      start += input!.shape[axis]!;
    }
    return [result];
  },
  Split: ([x, sizes], node) => {
    const axis = axisNumber(node, x!.shape.length);
    const strides = stridesOf(x!.shape);
    let start = 0;
    return Array.from(sizes!.data, (size) => {
      const shape = x!.shape.with(axis, size);
      const part = dense(shape, Float64Array.from(walk(shape, strides, start * strides[axis]!), (place) => x!.data[place]!));
      start += size;
      return part;
    });
  },
  Slice: ([x, start, end, axis]) => {
    const at = axis!.data[0]!;
    const strides = stridesOf(x!.shape);
    const shape = x!.shape.with(at, end!.data[0]! - start!.data[0]!);
    return [dense(shape, Float64Array.from(walk(shape, strides, start!.data[0]! * strides[at]!), (place) => x!.data[place]!))];
  },
  Pad: ([x, pads]) => {
    const rank = x!.shape.length;
    const result = dense(x!.shape.map((size, i) => size + pads!.data[i]! + pads!.data[i + rank]!));
    const strides = stridesOf(result.shape);
    const start = strides.reduce((sum, stride, i) => sum + stride * pads!.data[i]!, 0);
    [...walk(x!.shape, strides, start)].forEach((place, i) => (result.data[place] = x!.data[i]!));
    return [result];
  },
  Gather: ([x, indices], node) => {
    const axis = axisNumber(node, x!.shape.length, 0);
    const inner = count(x!.shape.slice(axis + 1));
    const outer = count(x!.shape.slice(0, axis));
    const result = dense([...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)]);
    for (let o = 0; o < outer; o++)
      indices!.data.forEach((index, i) => {
        for (let n = 0; n < inner; n++) result.data[(o * indices!.data.length + i) * inner + n] = x!.data[(o * x!.shape[axis]! + index) * inner + n]!;
      });
    return [result];
  },
  GatherElements: ([x, indices], node) => {
    const axis = axisNumber(node, x!.shape.length, 0);
    const stride = stridesOf(x!.shape);
    const base = [...walk(indices!.shape, stride.with(axis, 0))];
    return [dense(indices!.shape, indices!.data.map((index, i) => x!.data[base[i]! + index * stride[axis]!]!))];
  },
  ScatterElements: ([x, indices, updates], node) => {
    const axis = axisNumber(node, x!.shape.length, 0);
    const stride = stridesOf(x!.shape);
    const base = [...walk(indices!.shape, stride.with(axis, 0))];
    const result = dense(x!.shape, x!.data.slice());
    const adds = word(node, 'reduction', 'none') === 'add';
    indices!.data.forEach((index, i) => {
      const place = base[i]! + index * stride[axis]!;
      result.data[place] = updates!.data[i]! + (adds ? result.data[place]! : 0);
    });
    return [result];
  },
  ArgMax: ([x]) => {
    const width = x!.shape.at(-1)!;
    return [dense(x!.shape.slice(0, -1), Float64Array.from({ length: x!.data.length / width }, (_, row) => x!.data.subarray(row * width, (row + 1) * width).reduce((best, value, i, line) => (value > line[best]! ? i : best), 0)))];
  },
  ReduceSum: reduction((values) => values.reduce((a, b) => a + b, 0)),
  ReduceMean: reduction((values) => values.reduce((a, b) => a + b, 0) / values.length),
  ReduceMax: reduction((values) => Math.max(...values)),
  ReduceSumSquare: reduction((values) => values.reduce((a, b) => a + b * b, 0)),
};
