// The tensors of a checkpoint folder by name: one safetensors file or shards with an index.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';
import { parseWith, readJsonIfPresent } from './json.ts';
import { readSafetensorsHeader } from './safetensors.ts';
import type { TensorEntry } from './safetensors.ts';

const indexName = 'model.safetensors.index.json';
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Describes every tensor of `model.safetensors`, or of the shards that `model.safetensors.index.json` names. Symbolic links, as in a hub
 * snapshot, are followed.
 * @throws ModelError when there is neither, a shard is missing, or index and shards disagree
 */
export async function openTensors(folder: string): Promise<ReadonlyMap<string, TensorEntry>> {
  const index = await readJsonIfPresent(folder, indexName);
  if (index !== undefined) return openShards(folder, index);
  const names = await listFolder(folder);
  if (names.includes('model.safetensors')) return (await readSafetensorsHeader(path.join(folder, 'model.safetensors'))).tensors;
  const weights = names.filter((name) => /\.(safetensors|bin|pt|pth|onnx|gguf|h5|msgpack)$/.test(name));
  throw new ModelError('WEIGHTS_MISSING', {
    what: `checkpoint ${folder} has no weights that can be read`,
    got: weights.length === 0 ? 'no weight file' : weights.join(', '),
    expected: `model.safetensors or ${indexName} with its shards`,
    todo: 'download the safetensors files',
  });
}

async function openShards(folder: string, index: unknown): Promise<ReadonlyMap<string, TensorEntry>> {
  const indexFile = path.join(folder, indexName);
  const { weight_map: weightMap } = parseWith(indexSchema, index, indexFile);
  const shards = [...new Set(Object.values(weightMap))];
  const tensors = new Map<string, TensorEntry>();
  for (const shard of shards) {
    // The index is data from elsewhere: it may name files of this folder only.
    if (path.basename(shard) !== shard || shard === '..' || shard === '.') {
      throw new ModelError('SHARD_INVALID', { what: `${indexFile} names a shard outside its folder`, got: JSON.stringify(shard), expected: 'a plain file name' });
    }
    for (const [name, entry] of (await readSafetensorsHeader(path.join(folder, shard))).tensors) {
      const listed = Object.hasOwn(weightMap, name) ? weightMap[name] : undefined;
      if (listed !== shard) {
        throw new ModelError('SHARD_INVALID', {
          what: `${indexFile} and its shards disagree on tensor ${JSON.stringify(name)}`,
          got: `it in ${shard}`,
          expected: listed === undefined ? 'it nowhere, by the index' : `it in ${listed}, by the index`,
        });
      }
      tensors.set(name, entry);
    }
  }
  for (const [name, shard] of Object.entries(weightMap)) {
    if (!tensors.has(name)) throw new ModelError('SHARD_INVALID', { what: `${path.join(folder, shard)} lacks tensor ${JSON.stringify(name)}`, expected: `it, by ${indexFile}` });
  }
  return tensors;
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw new ModelError('CHECKPOINT_MISSING', { what: `cannot open checkpoint ${folder}`, got: messageOf(cause), expected: 'a checkpoint folder', todo: 'give the path of a folder, or download a model first', cause });
  }
}
