// Equalisation: moves size from the channels of activations into weights, so that outlier channels cost the others no precision.
// After SmoothQuant (Xiao et al. 2022, arXiv 2211.10438), with powers of two, so that nothing is rounded, and with the strength chosen by measured error.
import type { FloatLinear, Inputs, QuantizedPrecision } from './formats.ts';
import { errorsOf, ladders } from './formats.ts';

/** How much of a channel's size moves: 0 none, 1 all. */
const strengths = [0, 0.5, 0.8];
/** Outputs of each layer that strengths are compared on. */
const comparedOutputs = 256;

/**
 * Chooses channel factors for layers that share an input: inputs are divided by them, columns of weights multiplied.
 * @param inputs what the layers get
 * @param groups channels i and j with `groups[i] === groups[j]` share a factor; each its own when absent
 * @returns float32 [in]
 */
export async function chooseFactors(layers: readonly FloatLinear[], inputs: Inputs, precision: QuantizedPrecision, groups?: Int32Array): Promise<Float32Array> {
  const width = layers[0]!.inWidth;
  const inputSize = channelSizes(inputs.rows, width);
  const weightSize = new Float32Array(width);
  for (const { weight } of layers) channelSizes(weight, width).forEach((size, i) => (weightSize[i] = Math.max(weightSize[i]!, size)));
  if (groups) for (const sizes of [inputSize, weightSize]) shareMaximum(sizes, groups);
  let best = new Float32Array(width).fill(1);
  let least = Infinity;
  for (const strength of strengths) {
    const factors = factorsOf(inputSize, weightSize, strength);
    const divided = divideColumns(inputs, factors);
    let error = 0;
    for (const layer of layers) {
      const compared = Math.min(comparedOutputs, layer.outWidth);
      const weight = multiplyColumns(layer.weight.slice(0, compared * width), factors);
      const [first] = await errorsOf({ ...layer, weight, outWidth: compared }, ladders[precision].slice(0, 1), divided);
      error += first!;
    }
    // The inputs of calibration are a sample: prefer less change unless more clearly pays.
    if (error < 0.95 * least) [least, best] = [error, factors];
  }
  return best;
}

function factorsOf(inputSize: Float32Array, weightSize: Float32Array, strength: number): Float32Array<ArrayBuffer> {
  if (strength === 0) return new Float32Array(inputSize.length).fill(1);
  const logs = Float64Array.from(inputSize, (size, i) => (size === 0 || weightSize[i] === 0 ? NaN : strength * Math.log2(size) - (1 - strength) * Math.log2(weightSize[i]!)));
  const known = logs.filter((log) => !Number.isNaN(log));
  const mean = known.reduce((sum, log) => sum + log, 0) / Math.max(1, known.length);
  return Float32Array.from(logs, (log) => (Number.isNaN(log) ? 1 : 2 ** Math.max(-20, Math.min(20, Math.round(log - mean)))));
}

/** Largest magnitude of each column of [rows, width]. */
function channelSizes(matrix: Float32Array, width: number): Float32Array {
  const sizes = new Float32Array(width);
  for (let at = 0; at < matrix.length; at += width) {
    for (let i = 0; i < width; i++) sizes[i] = Math.max(sizes[i]!, Math.abs(matrix[at + i]!));
  }
  return sizes;
}

function shareMaximum(sizes: Float32Array, groups: Int32Array): void {
  const most = new Map<number, number>();
  for (const [i, group] of groups.entries()) most.set(group, Math.max(most.get(group) ?? 0, sizes[i]!));
  for (const [i, group] of groups.entries()) sizes[i] = most.get(group)!;
}

/** Multiplies columns of [rows, factors.length] in place. */
export function multiplyColumns(matrix: Float32Array, factors: Float32Array): Float32Array {
  const width = factors.length;
  for (let at = 0; at < matrix.length; at += width) for (let i = 0; i < width; i++) matrix[at + i]! *= factors[i]!;
  return matrix;
}

/** Divides the rows of a layer, and its bias, in place: its outputs shrink by the factors. */
export function divideOutputs({ weight, bias, inWidth }: FloatLinear, factors: Float32Array): void {
  for (const [o, factor] of factors.entries()) {
    for (let i = o * inWidth; i < (o + 1) * inWidth; i++) weight[i]! /= factor;
    if (bias) bias[o]! /= factor;
  }
}

/** The inputs with their columns divided. */
export function divideColumns({ rows, count }: Inputs, factors: Float32Array): Inputs {
  return { rows: multiplyColumns(rows.slice(), factors.map((factor) => 1 / factor)), count };
}
