// Chooses the format of a linear layer: the fastest whose error on calibration inputs, measured with the kernel itself, is small enough.
import { Graph } from '../../graph/graph.ts';
import type { PackedLinear } from '../../graph/linear.ts';
import { inlineTensor, linear } from '../../graph/linear.ts';
import { blockSize, quantizeBlocks, quantizeRows } from '../../graph/quantize.ts';
import { Tensor, openOnnx } from '../../runtime/onnx.ts';
import type { LinearSource } from '../contract.ts';
import type { Precision } from './contract.ts';
import type { TensorWriter } from './tensor-writer.ts';

export type QuantizedPrecision = Exclude<Precision, 'float32'>;
type Format = PackedLinear['format'];

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

/** From fast to exact, with the greatest mean square error of an output row, relative to the row, at which a format may stand. */
const ladders: Readonly<Record<QuantizedPrecision, readonly (readonly [Format, number])[]>> = {
  w8a8: [['rows8', 1.2e-3], ['blocks8', 1.2e-3], ['float32', Infinity]],
  w8: [['blocks8', 2.5e-4], ['float32', Infinity]],
  w4: [['blocks4', 1.2e-2], ['blocks8', 1.2e-3], ['float32', Infinity]],
};

/** The format that a precision starts from. */
export function firstFormat(precision: QuantizedPrecision): Format {
  return ladders[precision][0]![0];
}

export async function readLinear({ weight, bias }: LinearSource): Promise<FloatLinear> {
  const outWidth = weight.shape[0]!;
  const inWidth = weight.shape.slice(1).reduce((product, size) => product * size, 1);
  return { name: weight.name, weight: await weight.read(), ...(bias && { bias: await bias.read() }), outWidth, inWidth };
}

/** Outputs that are measured at most: enough to know a layer's error, and an output layer has a hundred thousand. */
const measuredOutputs = 4096;

/** Quantises a layer as far as its error allows, and writes it. */
export async function fitLinear(layer: FloatLinear, inputs: Inputs, precision: QuantizedPrecision, writer: TensorWriter): Promise<PackedLinear> {
  const sample = layer.outWidth > measuredOutputs ? { ...layer, outWidth: measuredOutputs, weight: layer.weight.subarray(0, measuredOutputs * layer.inWidth) } : layer;
  const reference = await product(sample, 'float32', inputs);
  let format: Format = 'float32';
  for (const [candidate, limit] of ladders[precision]) {
    format = candidate;
    if (candidate === 'float32' || relativeError(await product(sample, candidate, inputs), reference, inputs.count) <= limit) break;
  }
  const packed = inline(layer, format);
  const write = async (ref: PackedLinear['weight']) => {
    if (ref.kind === 'file') return ref;
    return writer.add(ref.name, ref.data, ref.dtype, ref.shape);
  };
  const weight = await write(packed.weight);
  const bias = layer.bias && (await writer.add(`${layer.name}.bias`, layer.bias, 'float32', [layer.outWidth]));
  switch (packed.format) {
    case 'float32':
      return { ...packed, weight, ...(bias && { bias }) };
    case 'rows8':
      return { ...packed, weight, scales: await write(packed.scales), ...(bias && { bias }) };
    case 'blocks8':
    case 'blocks4':
      return { ...packed, weight, scales: await write(packed.scales), ...(packed.zeroPoints && { zeroPoints: await write(packed.zeroPoints) }), ...(bias && { bias }) };
  }
}

/** Mean over rows of the square error relative to the row, of a format on those inputs. */
export async function errorOf(layer: FloatLinear, format: Format, inputs: Inputs): Promise<number> {
  return relativeError(await product(layer, format, inputs), await product(layer, 'float32', inputs), inputs.count);
}

function relativeError(got: Float32Array, reference: Float32Array, count: number): number {
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

/** Runs the layer without its bias, which would hide an error behind a constant. */
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
    case 'rows8': {
      const { data, scales } = quantizeRows(weight, outWidth, inWidth);
      return { format, weight: inlineTensor(name, data, 'int8', [inWidth, outWidth]), scales: inlineTensor(`${name}.scales`, scales, 'float32', [outWidth]) };
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
