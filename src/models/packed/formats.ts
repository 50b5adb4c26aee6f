// The formats of a linear layer: quantising into them, writing them, and their error, measured with the kernel itself.
import { Graph } from '../../graph/graph.ts';
import type { PackedLinear } from '../../graph/linear.ts';
import { inlineTensor, linear } from '../../graph/linear.ts';
import { blockSize, quantizeBlocks, quantizeRows } from '../../graph/quantize.ts';
import { Tensor, openOnnx } from '../../runtime/onnx.ts';
import type { Precision } from './contract.ts';
import type { TensorWriter } from './tensor-writer.ts';

export type QuantizedPrecision = Exclude<Precision, 'float32'>;
export type Format = PackedLinear['format'];

/** A linear layer in memory. */
export interface FloatLinear {
  readonly name: string;
  /** float32 [out, in]; may be changed in place. */
  readonly weight: Float32Array;
  /** float32 [out] */
  readonly bias?: Float32Array;
  readonly outWidth: number;
  readonly inWidth: number;
}

/** Rows that a layer gets in calibration. */
export interface Inputs {
  /** float32 [S, in] */
  readonly rows: Float32Array;
  readonly count: number;
}

/** Formats of a precision, from the fastest to the exact one. */
export const ladders: Readonly<Record<QuantizedPrecision, readonly Format[]>> = {
  w8a8: ['rows7', 'rows8', 'blocks8', 'float32'],
  w8: ['blocks8', 'float32'],
  w4: ['blocks4', 'blocks8', 'float32'],
};

/** What a weight costs in a format, roughly, in time and memory: picks which layer is made more exact first. */
export const costs: Readonly<Record<Format, number>> = { blocks4: 0.6, rows7: 1, rows8: 1.3, blocks8: 2.5, float32: 4 };

/** Outputs that are measured at most: enough to know a layer's error, and an output layer has a hundred thousand. */
const measuredOutputs = 1024;

/** Rows that a layer is measured on: spread evenly, and those with the largest magnitudes, which quantisation hurts most. */
export function sampleRows(matrix: Float32Array, width: number, evenly = 96, largest = 32): Inputs {
  const total = matrix.length / width;
  const spread = Math.min(evenly, total);
  const chosen = new Set(Array.from({ length: spread }, (_, i) => Math.floor((i * total) / spread)));
  const peak = (row: number) => matrix.subarray(row * width, (row + 1) * width).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const peaks = Array.from({ length: total }, (_, row) => ({ row, size: peak(row) })).sort((a, b) => b.size - a.size);
  for (const { row } of peaks.slice(0, largest)) chosen.add(row);
  const rows = new Float32Array(chosen.size * width);
  [...chosen].forEach((row, i) => rows.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  return { rows, count: chosen.size };
}

/** Quantises a layer into a format, and writes it. */
export async function writeLinear(layer: FloatLinear, format: Format, writer: TensorWriter): Promise<PackedLinear> {
  const packed = inline(layer, format);
  const write = async (ref: PackedLinear['weight']) => (ref.kind === 'file' ? ref : writer.add(ref.name, ref.data, ref.dtype, ref.shape));
  const weight = await write(packed.weight);
  const bias = layer.bias && (await writer.add(`${layer.name}.bias`, layer.bias, 'float32', [layer.outWidth]));
  switch (packed.format) {
    case 'float32':
      return { ...packed, weight, ...(bias && { bias }) };
    case 'rows7':
    case 'rows8':
      return { ...packed, weight, scales: await write(packed.scales), ...(bias && { bias }) };
    case 'blocks8':
    case 'blocks4':
      return { ...packed, weight, scales: await write(packed.scales), ...(packed.zeroPoints && { zeroPoints: await write(packed.zeroPoints) }), ...(bias && { bias }) };
  }
}

/**
 * Mean over rows of the square error relative to the row, of formats on those inputs. The bias is left out: it would hide an error behind a constant.
 * @param outputs how many of the layer's outputs are measured
 */
export async function errorsOf(layer: FloatLinear, formats: readonly Format[], inputs: Inputs, outputs = measuredOutputs): Promise<number[]> {
  const outWidth = Math.min(outputs, layer.outWidth);
  const sample = { ...layer, outWidth, weight: layer.weight.subarray(0, outWidth * layer.inWidth) };
  const reference = await product(sample, 'float32', inputs);
  const errors: number[] = [];
  for (const format of formats) errors.push(format === 'float32' ? 0 : relativeError(await product(sample, format, inputs), reference, inputs.count));
  return errors;
}

/** Mean over rows of |got − reference|² / |reference|². */
export function relativeError(got: Float32Array, reference: Float32Array, count: number): number {
  const width = reference.length / count;
  let sum = 0;
  for (let row = 0; row < count; row++) {
    let [error, size] = [0, 0];
    for (let i = row * width; i < (row + 1) * width; i++) {
      error += (got[i]! - reference[i]!) ** 2;
      size += reference[i]! ** 2;
    }
    // A row that is zero, as after a mask, has no relative error.
    sum += size === 0 ? 0 : error / size;
  }
  return sum / count;
}

async function product(layer: FloatLinear, format: Format, { rows, count }: Inputs): Promise<Float32Array> {
  const graph = new Graph(layer.name);
  graph.output('y', linear(graph.input('x', 'float32', ['T', layer.inWidth]), inline(layer, format)));
  await using model = await openOnnx(graph.encode(), { threads: 2, arena: false });
  const { y } = await model.run({ x: new Tensor('float32', rows, [count, layer.inWidth]) });
  return y!.data as Float32Array;
}

/** The layer's weight in a format, as arrays, without its bias. */
function inline({ name, weight, outWidth, inWidth }: FloatLinear, format: Format): PackedLinear {
  switch (format) {
    case 'float32':
      return { format, weight: inlineTensor(name, weight, 'float32', [outWidth, inWidth]) };
    case 'rows7':
    case 'rows8': {
      const { data, scales } = quantizeRows(weight, outWidth, inWidth, format === 'rows8' ? 8 : 7);
      return { format, weight: inlineTensor(name, data, format === 'rows8' ? 'uint8' : 'int8', [inWidth, outWidth]), scales: inlineTensor(`${name}.scales`, scales, 'float32', [outWidth]) };
    }
    case 'blocks8':
    case 'blocks4': {
      const { data, scales, zeroPoints } = quantizeBlocks(weight, outWidth, inWidth, format === 'blocks8' ? 8 : 4);
      const blocks = Math.ceil(inWidth / blockSize);
      return {
        format,
        inWidth,
        weight: inlineTensor(name, data, 'uint8', [outWidth, blocks, data.length / (outWidth * blocks)]),
        scales: inlineTensor(`${name}.scales`, scales, 'float32', [scales.length]),
        ...(zeroPoints && { zeroPoints: inlineTensor(`${name}.zeros`, zeroPoints, 'uint8', [zeroPoints.length]) }),
      };
    }
  }
}
