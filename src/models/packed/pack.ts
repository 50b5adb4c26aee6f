// Packs a checkpoint into the cache folder, unit by unit: cancellable, taken up again where it stopped, safe with several processes.
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../contract.ts';
import { CalibrationStore } from './calibration-store.ts';
import type { Precision } from './contract.ts';
import type { QuantizedPrecision } from './fit-linear.ts';
import { packName } from './identity.ts';
import { decoderUnits } from './quantize-decoder.ts';
import { visionUnits } from './quantize-vision.ts';
import { TensorWriter } from './tensor-writer.ts';
import type { PackUnit } from './units.ts';
import { float32Units } from './units.ts';
import { openWorkFolder } from './work-folder.ts';

/** The file that lists a pack's tensors. */
export const manifestName = 'pack.json';

export interface PackProgress {
  /** Units that are done, of `total`. */
  readonly done: number;
  readonly total: number;
  /** The unit that comes next. */
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
    const list = precision === 'float32' ? float32Units(checkpoint) : quantizedUnits(checkpoint, precision, new CalibrationStore(work.path), threads);
    const units: Record<string, PackedUnit> = {};
    for (const [done, unit] of list.entries()) {
      signal?.throwIfAborted();
      onProgress?.({ done, total: list.length, unit: unit.name });
      units[unit.name] = (await readUnit(work.path, unit)) ?? (await packUnit(work.path, unit, signal));
    }
    await writeFile(join(work.path, manifestName), JSON.stringify({ precision, units } satisfies Manifest));
    await CalibrationStore.clear(work.path);
    await Promise.all(list.map((unit) => rm(join(work.path, `${unit.name}.json`))));
    await work.publish();
    whole = true;
    return target;
  } finally {
    if (!whole) await work.abandon();
  }
}

function quantizedUnits(checkpoint: Checkpoint, precision: QuantizedPrecision, store: CalibrationStore, threads: number): readonly PackUnit[] {
  const { vision } = checkpoint;
  return [...(vision ? visionUnits(vision, precision, store, threads) : []), ...decoderUnits(checkpoint, precision, store, threads)];
}

async function packUnit(folder: string, unit: PackUnit, signal: AbortSignal | undefined): Promise<PackedUnit> {
  const file = `${unit.name}.bin`;
  await using writer = await TensorWriter.create(folder, file);
  const tensors = await unit.pack(writer, signal);
  await writer.sync();
  const packed: PackedUnit = { tensors, bytes: (await stat(join(folder, file))).size };
  // The unit counts as done from the moment that its description has its name.
  const description = join(folder, `${unit.name}.json`);
  await writeFile(`${description}.new`, JSON.stringify(packed));
  await rename(`${description}.new`, description);
  return packed;
}

async function readUnit(folder: string, unit: PackUnit): Promise<PackedUnit | undefined> {
  const description = join(folder, `${unit.name}.json`);
  return (await exists(description)) ? (JSON.parse(await readFile(description, 'utf8')) as PackedUnit) : undefined;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
