// Linear layers: `y = x @ weightᵀ + bias` over weights in any of the stored formats, and weights as values of a graph.
import { relative, parse } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { DType, Graph, TypedArray, Value } from './graph.ts';
import { bytesPerElement } from './graph.ts';
import { add, concat, gemm, int, mul, single, split } from './ops.ts';
import { blockSize } from './quantize.ts';

/** A weight tensor: bytes in a file, referenced there, or an array that is stored in the model itself (small ones, tests). */
export type TensorRef = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
} & (
  | {
      readonly kind: 'file';
      /** Absolute and free of symbolic links. */
      readonly file: string;
      readonly offsetBytes: number;
    }
  | { readonly kind: 'inline'; readonly data: TypedArray }
);

/** Weights of one linear layer, ready for a graph. */
export interface Float32Linear {
  readonly format: 'float32';
  /** float32 [out, in]. */
  readonly weight: TensorRef;
  /** float32 [out]. */
  readonly bias?: TensorRef;
}

/**
 * 8-bit activations with a scale for each row, 7- or 8-bit weights with a scale for each output: products are exact on every processor,
 * and a row's result does not depend on the rows beside it. 7 bits run at full speed everywhere; 8 bits take a slower kernel.
 */
export interface RowsLinear {
  readonly format: 'rows7' | 'rows8';
  /** [in, out]: int8 (7 bits), or uint8 whose zero is 128. */
  readonly weight: TensorRef;
  /** float32 [out]. */
  readonly scales: TensorRef;
  readonly bias?: TensorRef;
}

/** Weights in blocks of 32 inputs with a scale each; activations are quantised to 8 bits in the same blocks as they come. */
export interface BlocksLinear {
  readonly format: 'blocks8' | 'blocks4';
  readonly inWidth: number;
  /** uint8 [out, blocks, bytes of a block]. */
  readonly weight: TensorRef;
  /** float32 [out · blocks]. */
  readonly scales: TensorRef;
  /** uint8; absent for 8 bits. */
  readonly zeroPoints?: TensorRef;
  readonly bias?: TensorRef;
}

export type PackedLinear = Float32Linear | RowsLinear | BlocksLinear;

/** Widths of a linear layer. */
export function linearWidths(packed: PackedLinear): { readonly inWidth: number; readonly outWidth: number } {
  const [first, second] = packed.weight.shape as readonly [number, number];
  switch (packed.format) {
    case 'float32':
      return { inWidth: second, outWidth: first };
    case 'rows7':
    case 'rows8':
      return { inWidth: first, outWidth: second };
    case 'blocks8':
    case 'blocks4':
      return { inWidth: packed.inWidth, outWidth: first };
  }
}

/** Length of a tensor in bytes. */
export function tensorBytes({ dtype, shape }: Pick<TensorRef, 'dtype' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, bytesPerElement[dtype]);
}

/** A tensor of an array, stored in the model itself. */
export function inlineTensor(name: string, data: TypedArray, dtype: DType, shape: readonly number[]): TensorRef {
  return { kind: 'inline', name, dtype, shape, data };
}

/** The weight as a value of `graph`. Files are referenced from the root of their file system, which is what `openOnnx` opens them by. */
export function weight(graph: Graph, ref: TensorRef): Value {
  if (ref.kind === 'inline') return graph.constant(ref.data, ref.dtype, ref.shape, ref.name);
  const location = relative(parse(ref.file).root, ref.file).replaceAll('\\', '/');
  return graph.weight(ref.name, ref.dtype, ref.shape, { location, offset: ref.offsetBytes, length: tensorBytes(ref) });
}

/**
 * `x @ weightᵀ + bias`. Layers that share an input share its quantisation.
 * @param x float32 [T, in]
 * @returns float32 [T, out]
 * @throws UserError when `x` is not a matrix as wide as the weight
 */
export function linear(x: Value, packed: PackedLinear): Value {
  const { inWidth } = linearWidths(packed);
  if (x.shape.length !== 2 || x.shape[1] !== inWidth || x.dtype !== 'float32') {
    throw new UserError('GRAPH_LINEAR', { what: `linear layer ${packed.weight.name} cannot take its input`, got: `${x.dtype} [${x.shape.join(', ')}]`, expected: `float32 [T, ${inWidth}]` });
  }
  switch (packed.format) {
    case 'float32':
      return gemm(x, weight(x.graph, packed.weight), packed.bias && weight(x.graph, packed.bias), { transB: true });
    case 'rows7':
    case 'rows8':
      return rowsLinear(x, packed);
    case 'blocks8':
    case 'blocks4':
      return blocksLinear(x, packed);
  }
}

interface QuantizedInput {
  /** uint8 [T, in], zero at 128. */
  readonly levels: Value;
  /** float32 [T, 1]: the greatest magnitude of each row, which the outermost level stands for. */
  readonly magnitude: Value;
}

/** Levels run from −127 to 127 times this. */
const levelStep = 1 / 127;

const quantizedInputs = new WeakMap<Value, QuantizedInput>();

/** Rows to 8 bits, each by its own greatest magnitude. */
function quantizeInput(x: Value): QuantizedInput {
  const known = quantizedInputs.get(x);
  if (known) return known;
  const { graph } = x;
  const rows = [x.shape[0]!, 1];
  // A row of zeros becomes 0 / 0: whatever level that is, it counts for nothing, since its magnitude is 0.
  const magnitude = single('ReduceMax', [single('Abs', [x], x.shape), graph.ints([1])], rows, { keepdims: int(1) });
  const quantized: QuantizedInput = {
    levels: single('QuantizeLinear', [single('Div', [x, magnitude], x.shape), graph.scalar(levelStep), graph.constant(Uint8Array.of(128), 'uint8', [])], x.shape, {}, 'uint8'),
    magnitude,
  };
  quantizedInputs.set(x, quantized);
  return quantized;
}

/** Whether layers over one input can be one product: all of one row format, with or without bias alike. */
function joinable(layers: readonly PackedLinear[]): layers is readonly RowsLinear[] {
  const [first] = layers;
  return layers.every(({ format, bias }) => (format === 'rows7' || format === 'rows8') && format === first!.format && (bias === undefined) === (first!.bias === undefined));
}

/**
 * Several layers over one input. Those of one row format become one product: fewer and larger operators, and the same numbers.
 * @returns float32 [T, out] of each
 */
export function linears(x: Value, layers: readonly PackedLinear[]): readonly Value[] {
  return joinable(layers) ? split(rowsProduct(x, layers), layers.map((layer) => linearWidths(layer).outWidth), 1) : layers.map((layer) => linear(x, layer));
}

/**
 * The same with the results side by side.
 * @returns float32 [T, sum of out]
 */
export function joinedLinears(x: Value, layers: readonly PackedLinear[]): Value {
  return joinable(layers) ? rowsProduct(x, layers) : concat(layers.map((layer) => linear(x, layer)), 1);
}

function rowsLinear(x: Value, packed: RowsLinear): Value {
  return rowsProduct(x, [packed]);
}

/** Layers of one format side by side, which ONNX Runtime joins once, when it opens the graph. */
function rowsProduct(x: Value, layers: readonly RowsLinear[]): Value {
  const { graph } = x;
  const { levels, magnitude } = quantizeInput(x);
  const join = (refs: readonly TensorRef[], axis: number) => {
    const values = refs.map((ref) => weight(graph, ref));
    return values.length === 1 ? values[0]! : concat(values, axis);
  };
  const zero = graph.constant(Uint8Array.of(128), 'uint8', []);
  const weights = join(layers.map((layer) => layer.weight), 1);
  const scales = join(layers.map((layer) => layer.scales), 0);
  const inputs = [levels, weights, graph.scalar(levelStep), scales, zero, ...(layers[0]!.format === 'rows8' ? [zero] : [])];
  const product = mul(single('MatMulIntegerToFloat', inputs, [x.shape[0]!, weights.shape[1]!], {}, 'float32', 'com.microsoft'), magnitude);
  const biases = layers.flatMap(({ bias }) => bias ?? []);
  return biases.length > 0 ? add(product, join(biases, 0)) : product;
}

function blocksLinear(x: Value, packed: BlocksLinear): Value {
  const { graph } = x;
  const { inWidth, outWidth } = linearWidths(packed);
  const optional = (ref: TensorRef | undefined) => ref && weight(graph, ref);
  const attributes = { K: int(inWidth), N: int(outWidth), bits: int(packed.format === 'blocks8' ? 8 : 4), block_size: int(blockSize), accuracy_level: int(4) };
  const inputs = [x, weight(graph, packed.weight), weight(graph, packed.scales), optional(packed.zeroPoints), undefined, optional(packed.bias)];
  return single('MatMulNBits', inputs, [x.shape[0]!, outWidth], attributes, 'float32', 'com.microsoft');
}
