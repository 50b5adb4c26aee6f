// Opens a checkpoint's weights at a precision: in place where that is possible, else from the pack in the cache folder.
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ModelError, messageOf } from '../../core/errors.ts';
import type { Checkpoint } from '../contract.ts';
import type { PackedModel, Precision } from './contract.ts';
import { packDecisions } from './decisions.ts';
import { openEmbedding } from './embedding.ts';
import { canStayInPlace, openInPlace } from './in-place.ts';
import type { Manifest, PackOptions } from './pack.ts';
import { manifestName, packModel } from './pack.ts';
import type { DecoderEnd, DecoderLayer, VisionEnd, VisionLayer, VisionStart } from './units.ts';

/** Packs the weights if need be, and opens them. float32 files are used as they are and need no pack. */
export async function openWeights(checkpoint: Checkpoint, precision: Precision, cacheFolder: string, options: PackOptions = {}): Promise<PackedModel> {
  const decisions = checkpoint.adapter && (await packDecisions(checkpoint.adapter));
  const open = async () => (precision === 'float32' && canStayInPlace(checkpoint) ? openInPlace(checkpoint) : openPack(checkpoint, await packModel(checkpoint, precision, resolve(cacheFolder), options)));
  const packed = await open();
  return decisions ? { ...packed, decoder: { ...packed.decoder, decisions } } : packed;
}

/**
 * Opens a pack. Rows of the embedding table come from the checkpoint itself.
 * @throws ModelError when a file of the pack is missing or has another length than when it was written
 */
export function openPack(checkpoint: Checkpoint, folder: string): PackedModel {
  const real = realpathSync(folder);
  const { precision, units } = readManifest(real);
  const unit = (name: string): unknown => {
    const packed = units[name];
    if (packed === undefined) throw damaged(real, `no unit ${name}`);
    const file = join(real, `${name}.bin`);
    const bytes = statSync(file, { throwIfNoEntry: false })?.size;
    if (bytes !== packed.bytes) throw damaged(real, `${name}.bin of ${bytes ?? 'no'} bytes, not ${packed.bytes}`);
    return placed(packed.tensors, file);
  };
  const { vision, decoder } = checkpoint;
  const decoderEnd = unit('decoder-end') as DecoderEnd;
  const embedding = openEmbedding(decoder.weights.embedding);
  return {
    precision,
    ...(vision && {
      vision: {
        ...(unit('vision-start') as VisionStart),
        layers: vision.weights.layers.map((_, index) => unit(`vision-${index}`) as VisionLayer),
        ...(unit('vision-end') as VisionEnd),
      },
    }),
    decoder: { embedding, layers: decoder.weights.layers.map((_, index) => unit(`decoder-${index}`) as DecoderLayer), ...decoderEnd },
    bytes: Object.values(units).reduce((sum, { bytes }) => sum + bytes, 0),
    [Symbol.dispose]: () => embedding[Symbol.dispose](),
  };
}

function readManifest(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, manifestName), 'utf8')) as Manifest;
  } catch (cause) {
    throw new ModelError('PACK_DAMAGED', { what: `cannot read the pack ${folder}`, got: messageOf(cause), todo: 'delete the folder; it is made again', cause });
  }
}

/** The same structure with every file name made a path. */
function placed(tensors: unknown, file: string): unknown {
  if (typeof tensors !== 'object' || tensors === null) return tensors;
  if (Array.isArray(tensors)) return tensors.map((entry) => (typeof entry === 'object' ? placed(entry, file) : (entry as unknown)));
  return Object.fromEntries(Object.entries(tensors).map(([key, entry]) => [key, key === 'file' ? file : placed(entry, file)]));
}

function damaged(folder: string, got: string): ModelError {
  return new ModelError('PACK_DAMAGED', { what: `the pack ${folder} is damaged`, got, todo: 'delete the folder; it is made again' });
}
