// Packs a checkpoint into the cache folder, step by step: cancellable, taken up again where it stopped, safe with several processes.
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../../core/errors.ts';
import type { Checkpoint } from '../contract.ts';
import { CalibrationStore } from './calibration-store.ts';
import type { ChosenFormats } from './choose-formats.ts';
import { chooseFormats } from './choose-formats.ts';
import type { Precision } from './contract.ts';
import { applyFold, readStep, writeStep } from './float-step.ts';
import type { Format, QuantizedPrecision } from './formats.ts';
import { writeLinear } from './formats.ts';
import { packName } from './identity.ts';
import type { StepMeasure } from './measure.ts';
import { inputName, inputOf, measureStep, placed, writeTo } from './measure.ts';
import type { Step, StepParts } from './steps.ts';
import { stepsOf } from './steps.ts';
import { openWorkFolder } from './work-folder.ts';

/** The file that lists a pack's tensors. */
export const manifestName = 'pack.json';

export interface PackProgress {
  /** Pieces of work that are done, of `total`. */
  readonly done: number;
  readonly total: number;
  /** What comes next: `measure vision-3`, `write decoder-end`, `check`. */
  readonly unit: string;
}

export interface PackOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PackProgress) => void;
  /** Threads that calibration may use. */
  readonly threads?: number;
}

/** A unit's part of the manifest and the length of its file. */
export interface PackedUnit {
  readonly tensors: unknown;
  readonly bytes: number;
}

/** The manifest of a pack. */
export interface Manifest {
  readonly precision: Precision;
  /** By unit name; the tensors of unit `x` are in `x.bin`. */
  readonly units: Readonly<Record<string, PackedUnit>>;
}

/** Least cosine of logits that calibration must show, above what is promised: other texts and pictures differ a little. */
const leastCosine: Readonly<Record<QuantizedPrecision, number>> = { w8: 0.9993, w8a8: 0.9965, w4: 0.986 };
/** Times that the formats are chosen anew before all is float32. */
const attempts = 6;

/**
 * Packs the checkpoint's weights, unless the cache has the pack already.
 * @returns the folder of the pack
 * @throws ModelError when weights cannot be read; the signal's reason when aborted, with what is done kept for the next try
 */
export async function packModel(checkpoint: Checkpoint, precision: Precision, cacheFolder: string, { signal, onProgress, threads = 2 }: PackOptions = {}): Promise<string> {
  const name = await packName(checkpoint, precision);
  const target = join(cacheFolder, name);
  if (await exists(join(target, manifestName))) return target;
  const work = await openWorkFolder(cacheFolder, name);
  let whole = false;
  try {
    const steps = stepsOf(checkpoint);
    let done = 0;
    const total = precision === 'float32' ? steps.length : 2 * steps.length + 1;
    const next = (unit: string) => {
      signal?.throwIfAborted();
      onProgress?.({ done: Math.min(done++, total - 1), total, unit });
      signal?.throwIfAborted();
    };
    const packing: Packing = { steps, folder: work.path, threads, next };
    const parts = precision === 'float32' ? await writeAll(packing, steps.map(() => ({})), undefined) : await quantizeAll(packing, precision);
    const units: Record<string, PackedUnit> = {};
    for (const [index, step] of steps.entries()) units[step.name] = { tensors: step.manifest(parts[index]!), bytes: (await stat(join(work.path, `${step.name}.bin`))).size };
    await writeFile(join(work.path, manifestName), JSON.stringify({ precision, units } satisfies Manifest));
    await CalibrationStore.clear(work.path);
    await Promise.all(steps.map((step) => rm(join(work.path, `${step.name}.json`))));
    await work.publish();
    whole = true;
    return target;
  } finally {
    if (!whole) await work.abandon();
  }
}

interface Packing {
  readonly steps: readonly Step[];
  readonly folder: string;
  readonly threads: number;
  /** Called before each piece of work; throws when aborted. */
  readonly next: (unit: string) => void;
}

/** Measures every step, chooses formats, writes them and checks the logits; with a smaller budget again where they are off. */
async function quantizeAll(packing: Packing, precision: QuantizedPrecision): Promise<readonly StepParts[]> {
  const { steps, folder, threads, next } = packing;
  const store = new CalibrationStore(folder);
  const measures: StepMeasure[] = [];
  for (const [index, step] of steps.entries()) {
    const known = await readJson<StepMeasure>(join(folder, `calibration-${step.name}.json`));
    if (known) {
      measures.push(known);
      continue;
    }
    next(`measure ${step.name}`);
    const { measure, after } = await measureStep(step, await inputOf(steps, index, store), precision, folder, threads);
    const following = steps[index + 1];
    if (following) await store.write(inputName(following), after);
    else await store.write('logits', after);
    await rm(join(folder, `calibration-${step.name}.weights`));
    await writeJson(join(folder, `calibration-${step.name}.json`), measure);
    measures.push(measure);
  }
  const exact = await store.read('logits');
  // For small errors 1 − cosine is half the relative square error; half of that is left for rows above the mean.
  let budget = 1 - leastCosine[precision];
  for (let attempt = 1; ; attempt++) {
    const formats = chooseFormats(measures, precision, attempt < attempts ? budget : 0);
    const parts = await writeAll(packing, formats, measures);
    next('check');
    const lost = (1 - (await worstCosine(packing, parts, exact))) / (1 - leastCosine[precision]);
    if (lost <= 1 || attempt === attempts) return parts;
    budget /= Math.max(1.5, Math.min(8, 1.2 * lost));
  }
}

/** Least cosine between the exact logits of a row and those of the pack. */
async function worstCosine({ steps, folder, threads }: Packing, parts: readonly StepParts[], exact: Float32Array): Promise<number> {
  let flowing: Float32Array | undefined;
  for (const [index, step] of steps.entries()) {
    const input = step.start ? step.start(flowing) : flowing!;
    await using open = await step.open(placed(parts[index]!, folder), threads);
    flowing = (await open.run(input, {})).after;
  }
  const logits = flowing!;
  if (logits.length !== exact.length) throw new ModelError('PACK_CHECK', { what: 'the pack gives another number of logits than the checkpoint', got: String(logits.length), expected: String(exact.length) });
  const rows = exact.length / steps.at(-1)!.afterWidth;
  let least = 1;
  for (let row = 0; row < rows; row++) {
    let [dot, left, right] = [0, 0, 0];
    const width = exact.length / rows;
    for (let i = row * width; i < (row + 1) * width; i++) {
      dot += logits[i]! * exact[i]!;
      left += logits[i]! ** 2;
      right += exact[i]! ** 2;
    }
    least = Math.min(least, dot / Math.sqrt(left * right));
  }
  return least;
}

interface WrittenStep {
  readonly formats: Readonly<Record<string, Format>>;
  readonly parts: StepParts;
}

/** Writes the steps in the formats chosen; those that stand so already are left. */
async function writeAll({ steps, folder, next }: Packing, chosen: ChosenFormats, measures: readonly StepMeasure[] | undefined): Promise<readonly StepParts[]> {
  const all: StepParts[] = [];
  for (const [index, step] of steps.entries()) {
    const formats = chosen[index]!;
    const description = join(folder, `${step.name}.json`);
    const written = await readJson<WrittenStep>(description);
    if (written && JSON.stringify(written.formats) === JSON.stringify(formats)) {
      all.push(written.parts);
      continue;
    }
    next(`write ${step.name}`);
    const floats = await readStep(step);
    if (measures) for (const [at, fold] of step.folds.entries()) applyFold(floats, fold, Float32Array.from(measures[index]!.factors[at]!));
    await rm(description, { force: true });
    const parts = await writeTo(folder, `${step.name}.bin`, (writer) => writeStep(floats, writer, (role, layer) => writeLinear(layer, formats[role] ?? 'float32', writer)));
    await writeJson(description, { formats, parts } satisfies WrittenStep);
    all.push(parts);
  }
  return all;
}

/** Writes a file that is there whole or not at all. */
async function writeJson(file: string, value: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(value));
  await rename(`${file}.new`, file);
}

async function readJson<T>(file: string): Promise<T | undefined> {
  return (await exists(file)) ? (JSON.parse(await readFile(file, 'utf8')) as T) : undefined;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
