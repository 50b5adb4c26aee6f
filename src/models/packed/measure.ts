// Measures a step on calibration numbers: how errors inside it and before it reach its output, which channel factors help, and what each format costs in error.
import { join } from 'node:path';
import { createRandom } from '../../core/random.ts';
import type { Random } from '../../core/random.ts';
import type { CalibrationStore } from './calibration-store.ts';
import { chooseFactors, divideColumns } from './equalize.ts';
import { applyFold, readStep, writeStep } from './float-step.ts';
import type { Format, QuantizedPrecision } from './formats.ts';
import { errorsOf, ladders, relativeError, sampleRows, writeLinear } from './formats.ts';
import type { OpenStep, Step, StepParts } from './steps.ts';
import { TensorWriter } from './tensor-writer.ts';

/** What is known of one linear layer. */
export interface LinearMeasure {
  /** Relative square error of the step's output for one of the layer's output. */
  readonly sensitivity: number;
  /** Relative square error of the layer's output in each format that the precision has. */
  readonly errors: Readonly<Partial<Record<Format, number>>>;
  /** Numbers in its weight. */
  readonly size: number;
}

export interface StepMeasure {
  /** Relative square error of the step's output for one of its input. */
  readonly gain: number;
  readonly linears: Readonly<Record<string, LinearMeasure>>;
  /** Channel factors of each fold. */
  readonly factors: readonly (readonly number[])[];
}

/** Amplitude of the noise, relative to each row: about that of quantisation. */
const amplitude = 0.01;

/**
 * Measures a step.
 * @param input float32: what the step gets when all is exact
 * @returns the measure, and what the step makes of its input
 */
export async function measureStep(step: Step, input: Float32Array, precision: QuantizedPrecision, folder: string, threads: number): Promise<{ readonly measure: StepMeasure; readonly after: Float32Array }> {
  const floats = await readStep(step);
  const random = createRandom(step.name);
  const file = `calibration-${step.name}.weights`;
  const parts = await writeTo(folder, file, (writer) => writeStep(floats, writer, (_, layer) => writeLinear(layer, 'float32', writer)));
  const sensitivities: Record<string, number> = {};
  await using open = await step.open(placed(parts, folder), threads);
  const exact = await open.run(input, {});
  const inputRow = Object.values(floats.norms)[0]?.scale.length ?? Object.values(floats.linears)[0]!.inWidth;
  const gain = (await outputError(open, disturbed(input, inputRow, random), {}, exact.after, step.afterWidth)) / amplitude ** 2;
  for (const [role, { outWidth }] of Object.entries(floats.linears)) {
    const output = exact.outputs[role]!;
    const noise = disturbed(output, outWidth, random).map((value, i) => value - output[i]!);
    sensitivities[role] = (await outputError(open, input, { [role]: noise }, exact.after, step.afterWidth)) / amplitude ** 2;
  }

  const samples = Object.fromEntries(Object.entries(floats.linears).map(([role, { inWidth }]) => [role, sampleRows(exact.inputs[role]!, inWidth)]));
  const factors: number[][] = [];
  for (const fold of step.folds) {
    const layers = fold.linears.map((role) => floats.linears[role]!);
    const chosen = await chooseFactors(layers, samples[fold.linears[0]!]!, precision, fold.channels);
    applyFold(floats, fold, chosen);
    for (const role of fold.linears) samples[role] = divideColumns(samples[role]!, chosen);
    factors.push([...chosen]);
  }
  const linears: Record<string, LinearMeasure> = {};
  for (const [role, layer] of Object.entries(floats.linears)) {
    const formats = ladders[precision];
    const errors = await errorsOf(layer, formats, samples[role]!);
    linears[role] = { sensitivity: sensitivities[role]!, errors: Object.fromEntries(formats.map((format, i) => [format, errors[i]!])), size: layer.weight.length };
  }
  return { measure: { gain, linears, factors }, after: exact.after };
}

async function outputError(open: OpenStep, input: Float32Array, noise: Readonly<Record<string, Float32Array>>, exact: Float32Array, rowWidth: number): Promise<number> {
  const { after } = await open.run(input, noise);
  return relativeError(after, exact, exact.length / rowWidth);
}

/** The matrix with noise on each row, in proportion to the row: ±1 at random, which has the variance of normal noise and is cheap. */
function disturbed(matrix: Float32Array, width: number, random: Random): Float32Array {
  const result = matrix.slice();
  for (let at = 0; at < matrix.length; at += width) {
    let square = 0;
    for (let i = at; i < at + width; i++) square += matrix[i]! ** 2;
    const size = amplitude * Math.sqrt(square / width);
    let bits = 0;
    for (let i = at; i < at + width; i++) {
      if ((i - at) % 32 === 0) bits = random.int(0, 2 ** 32);
      result[i]! += (bits & 1) === 0 ? size : -size;
      bits >>>= 1;
    }
  }
  return result;
}

/** Writes a file of tensors. */
export async function writeTo<T>(folder: string, file: string, write: (writer: TensorWriter) => Promise<T>): Promise<T> {
  await using writer = await TensorWriter.create(folder, file);
  const result = await write(writer);
  await writer.sync();
  return result;
}

/** The same parts, with file names made paths. */
export function placed(parts: StepParts, folder: string): StepParts {
  return JSON.parse(JSON.stringify(parts), (key, value: unknown) => (key === 'file' && typeof value === 'string' ? join(folder, value) : value)) as StepParts;
}

/** Inputs of steps are kept by the name of the step. */
export function inputName(step: Step): string {
  return `input-${step.name}`;
}

/** The input of step `index`: what the step before made, or the start of a chain. */
export async function inputOf(steps: readonly Step[], index: number, store: CalibrationStore): Promise<Float32Array> {
  const step = steps[index]!;
  const before = index > 0 ? await store.read(inputName(step)) : undefined;
  return step.start ? step.start(before) : before!;
}
