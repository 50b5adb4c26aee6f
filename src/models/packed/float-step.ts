// A step's weights in float32: in memory, and as parts of graphs.
import type { PackedLinear } from '../../graph/linear.ts';
import type { LinearSource } from '../contract.ts';
import type { PackedNorm } from './contract.ts';
import { multiplyColumns } from './equalize.ts';
import type { FloatLinear } from './formats.ts';
import { divideOutputs } from './equalize.ts';
import type { Step, StepParts } from './steps.ts';
import type { TensorWriter } from './tensor-writer.ts';

/** A norm in memory. */
export interface FloatNorm {
  readonly name: string;
  readonly scale: Float32Array;
  readonly bias?: Float32Array;
}

export interface FloatTensor {
  readonly name: string;
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** A step's weights in memory; they may be changed in place. */
export interface FloatStep {
  readonly linears: Readonly<Record<string, FloatLinear>>;
  readonly norms: Readonly<Record<string, FloatNorm>>;
  readonly tensors: Readonly<Record<string, FloatTensor>>;
}

async function readLinear({ weight, bias }: LinearSource): Promise<FloatLinear> {
  const outWidth = weight.shape[0]!;
  const inWidth = weight.shape.slice(1).reduce((product, size) => product * size, 1);
  return { name: weight.name, weight: await weight.read(), ...(bias && { bias: await bias.read() }), outWidth, inWidth };
}

export async function readStep({ linears, norms, tensors }: Step): Promise<FloatStep> {
  const [readLinears, readNorms, readTensors]: [Record<string, FloatLinear>, Record<string, FloatNorm>, Record<string, FloatTensor>] = [{}, {}, {}];
  for (const [role, source] of Object.entries(linears)) readLinears[role] = await readLinear(source);
  for (const [role, { scale, bias }] of Object.entries(norms)) readNorms[role] = { name: scale.name, scale: await scale.read(), ...(bias && { bias: await bias.read() }) };
  for (const [role, source] of Object.entries(tensors)) readTensors[role] = { name: source.name, values: await source.read(), shape: source.shape };
  return { linears: readLinears, norms: readNorms, tensors: readTensors };
}

/** Writes a step; `pack` writes one linear layer. */
export async function writeStep({ linears, norms, tensors }: FloatStep, writer: TensorWriter, pack: (role: string, layer: FloatLinear) => Promise<PackedLinear>): Promise<StepParts> {
  const written: { linears: Record<string, PackedLinear>; norms: Record<string, PackedNorm>; tensors: Record<string, PackedNorm['scale']> } = { linears: {}, norms: {}, tensors: {} };
  for (const [role, layer] of Object.entries(linears)) written.linears[role] = await pack(role, layer);
  for (const [role, { name, scale, bias }] of Object.entries(norms)) {
    written.norms[role] = { scale: await writer.add(name, scale, 'float32', [scale.length]), ...(bias && { bias: await writer.add(`${name}.bias`, bias, 'float32', [bias.length]) }) };
  }
  for (const [role, { name, values, shape }] of Object.entries(tensors)) written.tensors[role] = await writer.add(name, values, 'float32', shape);
  return written;
}

/** Divides the channels of a fold's source and multiplies the columns of its layers, in place. What the step computes stays the same. */
export function applyFold(step: FloatStep, fold: Step['folds'][number], factors: Float32Array): void {
  for (const role of fold.linears) multiplyColumns(step.linears[role]!.weight, factors);
  const { source, channels } = fold;
  if (source.kind === 'norm') {
    const { scale, bias } = step.norms[source.name]!;
    for (const values of bias ? [scale, bias] : [scale]) factors.forEach((factor, i) => (values[i]! /= factor));
    return;
  }
  const layer = step.linears[source.name]!;
  const outputs = new Float32Array(layer.outWidth).fill(1);
  factors.forEach((factor, i) => (outputs[channels ? channels[i]! : i] = factor));
  divideOutputs(layer, outputs);
}
