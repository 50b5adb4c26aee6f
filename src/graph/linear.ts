// Linear layers: `y = x @ weightᵀ + bias` over weights in any of the stored formats, and weights as values of a graph.
import { relative, parse } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { DType, Graph, TypedArray, Value } from './graph.ts';
import { bytesPerElement } from './graph.ts';
import { gemm } from './ops.ts';

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

export type PackedLinear = Float32Linear;

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
 * `x @ weightᵀ + bias`.
 * @param x float32 [T, in]
 * @returns float32 [T, out]
 * @throws UserError when `x` is not a matrix as wide as the weight
 */
export function linear(x: Value, packed: PackedLinear): Value {
  const { graph } = x;
  const inWidth = packed.weight.shape[1]!;
  if (x.shape.length !== 2 || x.shape[1] !== inWidth || x.dtype !== 'float32') {
    throw new UserError('GRAPH_LINEAR', { what: `linear layer ${packed.weight.name} cannot take its input`, got: `${x.dtype} [${x.shape.join(', ')}]`, expected: `float32 [T, ${inWidth}]` });
  }
  return gemm(x, weight(graph, packed.weight), packed.bias && weight(graph, packed.bias), { transB: true });
}
