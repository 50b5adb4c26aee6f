// Units of a float32 pack: the checkpoint's weights, widened.
import type { PackedLinear, TensorRef } from '../../graph/linear.ts';
import type { LinearSource, NormSource, WeightSource } from '../contract.ts';
import type { PackedNorm } from './contract.ts';
import type { TensorWriter } from './tensor-writer.ts';

export async function convertTensor(source: WeightSource, writer: TensorWriter, shape = source.shape): Promise<TensorRef> {
  return writer.add(source.name, await source.read(), 'float32', shape);
}

/** Weights of more than two dimensions (a convolution) become [out, rest]. */
export async function convertLinear({ weight, bias }: LinearSource, writer: TensorWriter): Promise<PackedLinear> {
  const matrix = [weight.shape[0]!, weight.shape.slice(1).reduce((product, size) => product * size, 1)];
  return { format: 'float32', weight: await convertTensor(weight, writer, matrix), ...(bias && { bias: await convertTensor(bias, writer) }) };
}

export async function convertNorm({ scale, bias }: NormSource, writer: TensorWriter): Promise<PackedNorm> {
  return { scale: await convertTensor(scale, writer), ...(bias && { bias: await convertTensor(bias, writer) }) };
}
