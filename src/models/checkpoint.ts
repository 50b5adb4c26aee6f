// Opens a checkpoint: finds the family that understands it and hands back one description for all.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';
import { loadMethods } from '../core/methods.ts';
import { withAdapter } from './adapters.ts';
import type { Checkpoint } from './contract.ts';
import type { CheckpointFamily } from './family.ts';
import { parseWith, readJsonIfPresent } from './json.ts';

let families: Promise<ReadonlyMap<string, CheckpointFamily>> | undefined;

/** Every family of `families/`, by file name. */
export function loadFamilies(): Promise<ReadonlyMap<string, CheckpointFamily>> {
  families ??= loadMethods<CheckpointFamily>(new URL('./families/', import.meta.url));
  return families;
}

/**
 * Checks and describes a checkpoint; weights are not read yet.
 * @param location a Hugging Face checkpoint folder (a hub snapshot with symbolic links is one), or a llama2.c model file
 * @param options.adapter a memory adapter: a name in the checkpoint's `adapters` folder, or the path of an adapter folder
 * @throws ModelError naming what is missing, damaged or unsupported, and what is supported
 */
export async function openCheckpoint(location: string, { adapter }: { readonly adapter?: string } = {}): Promise<Checkpoint> {
  const checkpoint = await openBase(location);
  return adapter === undefined ? checkpoint : withAdapter(checkpoint, adapter);
}

async function openBase(location: string): Promise<Checkpoint> {
  const known = await loadFamilies();
  const config = await readJsonIfPresent(location, 'config.json');
  if (config === undefined) {
    for (const [name, family] of known) if (await family.recognises?.(location)) return { family: name, ...(await family.open(location, undefined)) };
    throw new ModelError('CHECKPOINT_MISSING', { what: `${location} is not a checkpoint`, got: await whatIsThere(location), expected: 'a folder with config.json, tokenizer.json and safetensors files', todo: 'download a model first, or check the path' });
  }
  const where = path.join(location, 'config.json');
  const { model_type: type } = parseWith(z.looseObject({ model_type: z.string() }), config, where);
  for (const [name, family] of known) if (family.modelTypes.includes(type)) return { family: name, ...(await family.open(location, config)) };
  const types = [...known.values()].flatMap(({ modelTypes }) => modelTypes);
  throw new ModelError('FAMILY_UNSUPPORTED', { what: `${where}: field model_type names a family that is not supported`, got: JSON.stringify(type), expected: `one of ${types.join(', ')}` });
}

async function whatIsThere(location: string): Promise<string> {
  try {
    const names = await readdir(location);
    return names.length === 0 ? 'an empty folder' : `a folder with ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
