// Norms and layers in memory, for calibration runs.
import type { Graph } from '../../graph/graph.ts';
import type { PackedLinear } from '../../graph/linear.ts';
import { inlineTensor } from '../../graph/linear.ts';
import type { Tensor } from '../../runtime/onnx.ts';
import { openOnnx } from '../../runtime/onnx.ts';
import type { NormSource } from '../contract.ts';
import type { PackedNorm } from './contract.ts';
import type { FloatLinear } from './fit-linear.ts';
import type { TensorWriter } from './tensor-writer.ts';

/** A norm in memory. */
export interface FloatNorm {
  readonly name: string;
  readonly scale: Float32Array;
  readonly bias?: Float32Array;
}

export async function readNorm({ scale, bias }: NormSource): Promise<FloatNorm> {
  return { name: scale.name, scale: await scale.read(), ...(bias && { bias: await bias.read() }) };
}

/** Writes a norm whose outputs are divided by channel factors. */
export async function writeNorm({ name, scale, bias }: FloatNorm, factors: Float32Array, writer: TensorWriter): Promise<PackedNorm> {
  const divided = (values: Float32Array) => values.map((value, i) => value / factors[i]!);
  const shape = [scale.length];
  return { scale: await writer.add(name, divided(scale), 'float32', shape), ...(bias && { bias: await writer.add(`${name}.bias`, divided(bias), 'float32', shape) }) };
}

/** A layer as it is, for calibration runs. */
export function floatLinear({ name, weight, bias, outWidth, inWidth }: FloatLinear): PackedLinear {
  return { format: 'float32', weight: inlineTensor(name, weight, 'float32', [outWidth, inWidth]), ...(bias && { bias: inlineTensor(`${name}.bias`, bias, 'float32', [outWidth]) }) };
}

/** Runs a graph of one use. */
export async function runOnce(graph: Graph, feeds: Readonly<Record<string, Tensor>>, threads: number): Promise<Readonly<Record<string, Float32Array>>> {
  await using model = await openOnnx(graph.encode(), { threads, arena: false });
  const results = await model.run(feeds);
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}
