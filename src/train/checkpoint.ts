// Training checkpoints: weights, moments and the run's state in one file with a checksum; the last two are kept.
import { createHash } from 'node:crypto';
import { readFile, readdir, rm } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ModelError, messageOf } from '../core/errors.ts';
import { readSafetensorsHeader } from '../models/safetensors.ts';
import type { ParameterStore } from './parameters.ts';
import { elementsOf } from './parameters.ts';
import type { TensorToWrite } from './safetensors-writer.ts';
import { writeSafetensors } from './safetensors-writer.ts';

/** What a checkpoint holds beside the parameters: plain JSON. */
export type RunState = Readonly<Record<string, unknown>>;

const pattern = /^step-(\d{9})\.safetensors$/;
const kept = 2;

const kinds = ['weights', 'means', 'squares'] as const;

function tensorsOf(store: ParameterStore, average: ReadonlyMap<string, Float32Array> | undefined): TensorToWrite[] {
  const maps = [...kinds.map((kind) => [kind, store[kind]] as const), ...(average ? [['average', average] as const] : [])];
  return maps.flatMap(([kind, map]) => store.specs.map(({ name, shape }): TensorToWrite => ({ name: `${kind} ${name}`, dtype: 'F32', shape, data: map.get(name)! })));
}

/** SHA-256 over the tensors in name order and over the state's text. */
function checksum(tensors: readonly { readonly name: string; readonly bytes: Uint8Array }[], state: string): string {
  const hash = createHash('sha256').update(state);
  for (const { name, bytes } of tensors.toSorted((a, b) => (a.name < b.name ? -1 : 1))) hash.update(name).update(bytes);
  return hash.digest('hex');
}

/** Writes `step-<n>.safetensors` and removes all but the last two. */
export async function saveCheckpoint(folder: string, store: ParameterStore, state: RunState, average?: ReadonlyMap<string, Float32Array>): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const tensors = tensorsOf(store, average);
  const text = JSON.stringify({ ...state, step: store.step });
  const hash = checksum(tensors.map(({ name, data }) => ({ name, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) })), text);
  const file = path.join(folder, `step-${String(store.step).padStart(9, '0')}.safetensors`);
  await writeSafetensors(file, tensors, { state: text, sha256: hash });
  for (const old of (await checkpointFiles(folder)).slice(kept)) await rm(old);
  return file;
}

/** Newest first. */
async function checkpointFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => pattern.test(name)).sort().reverse().map((name) => path.join(folder, name));
}

export interface LoadedCheckpoint {
  readonly file: string;
  readonly state: RunState;
  /** Newer files that were damaged, with what is wrong with them. */
  readonly damaged: readonly { readonly file: string; readonly why: string }[];
}

/**
 * Reads the newest checkpoint that is whole into `store` (and `average`), in place.
 * @returns undefined when the folder has none
 * @throws ModelError when there are checkpoints and none is whole, or when it belongs to another model
 */
export async function loadCheckpoint(folder: string, store: ParameterStore, average?: ReadonlyMap<string, Float32Array>): Promise<LoadedCheckpoint | undefined> {
  const damaged: { file: string; why: string }[] = [];
  for (const file of await checkpointFiles(folder)) {
    const read = await readCheckpoint(file).catch((error: unknown) => {
      damaged.push({ file, why: messageOf(error) });
      return undefined;
    });
    if (!read) continue;
    restore(file, read.tensors, store, average);
    store.step = Number(read.state['step']);
    return { file, state: read.state, damaged };
  }
  if (damaged.length > 0) throw new ModelError('CHECKPOINTS_DAMAGED', { what: `no checkpoint in ${folder} is whole`, got: damaged.map(({ file, why }) => `${path.basename(file)}: ${why}`).join('; '), todo: 'remove the folder to start anew' });
  return undefined;
}

interface StoredTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

async function readCheckpoint(file: string): Promise<{ readonly tensors: ReadonlyMap<string, StoredTensor>; readonly state: RunState }> {
  const { tensors, metadata } = await readSafetensorsHeader(file);
  const content = await readFile(file);
  const stored = [...tensors.values()].map(({ name, shape, offsetBytes, lengthBytes }) => ({ name, shape, bytes: new Uint8Array(content.buffer, content.byteOffset + offsetBytes, lengthBytes) }));
  const text = metadata.get('state') ?? '';
  const hash = checksum(stored, text);
  if (hash !== metadata.get('sha256')) throw new ModelError('CHECKPOINT_DAMAGED', { what: `${file} does not match its checksum`, got: hash, expected: metadata.get('sha256') ?? 'a checksum in the header' });
  return { tensors: new Map(stored.map((tensor) => [tensor.name, tensor])), state: JSON.parse(text) as RunState };
}

function restore(file: string, tensors: ReadonlyMap<string, StoredTensor>, store: ParameterStore, average: ReadonlyMap<string, Float32Array> | undefined): void {
  const maps = [...kinds.map((kind) => [kind, store[kind]] as const), ...(average ? [['average', average] as const] : [])];
  for (const [kind, map] of maps) {
    for (const { name, shape } of store.specs) {
      const found = tensors.get(`${kind} ${name}`);
      if (found?.bytes.length !== elementsOf(shape) * 4) {
        throw new ModelError('CHECKPOINT_OTHER', { what: `${file} belongs to another model`, got: found ? `${kind} ${name} [${found.shape.join(', ')}]` : `no ${kind} ${name}`, expected: `[${shape.join(', ')}]`, todo: 'give the run a folder of its own' });
      }
      new Uint8Array(map.get(name)!.buffer).set(found.bytes);
    }
  }
}
