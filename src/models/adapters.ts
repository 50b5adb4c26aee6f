// Memory adapters: folders beside a checkpoint that hold what retrofitting changed (DMC, DMS), and how they are laid over it.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';
import type { Adapter, Checkpoint, WeightSource } from './contract.ts';
import { parseWith, readJsonIfPresent } from './json.ts';
import { weightsOf } from './packed/roles.ts';
import { readSafetensorsHeader, weightSource, type TensorEntry } from './safetensors.ts';

/** The folder of a checkpoint that its adapters are in, each under its name. */
export const adaptersFolder = 'adapters';
export const adapterConfigName = 'adapter.json';
export const adapterWeightsName = 'adapter.safetensors';

const kinds = ['dmc', 'dms'] as const;

/** `adapter.json`. */
export const adapterConfigSchema = z.object({
  format: z.literal(1, 'a supported version: 1'),
  kind: z.enum(kinds),
  /** Tokens for each slot, as trained for. */
  ratio: z.number().min(1),
  /** DMS: tokens for which a token that is to go stays. DMC: the most tokens that a slot averages. */
  window: z.int().min(1).optional(),
  /** DMC: the channel of keys and queries that carries decisions; −1 is the last. */
  channel: z.int().min(-1).default(-1),
  /** Taken from decision logits. */
  offset: z.number().default(5),
  /** What `adapterBaseHash` gives for the checkpoint that it was trained on. */
  baseHash: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hexadecimal'),
  trained: z.record(z.string(), z.unknown()).default({}),
});
export type AdapterConfig = z.input<typeof adapterConfigSchema>;

/** An adapter as a list shows it; `fault` says why it cannot be used. */
export interface ListedAdapter {
  readonly name: string;
  readonly kind?: Adapter['kind'];
  readonly ratio?: number;
  readonly window?: number;
  readonly fault?: string;
}

/**
 * SHA-256, in hexadecimal, over the bytes of config.json (none for families without one) and, as JSON, the sorted [name, shape] of all weights.
 * An adapter holds that of its base.
 */
export async function adapterBaseHash(checkpoint: Checkpoint): Promise<string> {
  const hash = createHash('sha256');
  const config = path.join(checkpoint.folder, 'config.json');
  if (checkpoint.family !== 'llama2c') hash.update(await readFile(config));
  const tensors = weightsOf(checkpoint).map(({ name, shape }) => [name, shape] as const);
  return hash.update(JSON.stringify(tensors.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))).digest('hex');
}

/** Adapters in the checkpoint's folder, by name. */
export async function listAdapters(checkpoint: Checkpoint): Promise<readonly ListedAdapter[]> {
  const listed: ListedAdapter[] = [];
  for (const name of await adapterNames(checkpoint)) {
    try {
      const { kind, ratio, window } = (await withAdapter(checkpoint, name)).adapter!;
      listed.push({ name, kind, ratio, ...(window !== undefined && { window }) });
    } catch (error) {
      listed.push({ name, fault: messageOf(error) });
    }
  }
  return listed;
}

/**
 * The checkpoint with an adapter laid over it: tensors of the same name are replaced, and what decides about memory is added.
 * @param adapter a name in the checkpoint's `adapters` folder, or the path of an adapter folder
 * @throws ModelError when there is none, when it was made for another checkpoint, or when it lacks a tensor or has one too many
 */
export async function withAdapter(checkpoint: Checkpoint, adapter: string): Promise<Checkpoint> {
  const folder = await locate(checkpoint, adapter);
  const where = path.join(folder, adapterConfigName);
  const config = parseWith(adapterConfigSchema, await readJsonIfPresent(folder, adapterConfigName), where);
  const { kind, ratio, window, trained } = config;
  const base = await adapterBaseHash(checkpoint);
  if (config.baseHash !== base) {
    throw new ModelError('ADAPTER_MISMATCH', { what: `adapter ${folder} was made for another checkpoint`, got: `base ${config.baseHash.slice(0, 12)}…`, expected: `${base.slice(0, 12)}…, that of ${checkpoint.folder}`, todo: 'retrofit this checkpoint, or open the one that the adapter belongs to' });
  }
  const { tensors } = await readSafetensorsHeader(path.join(folder, adapterWeightsName));
  const left = new Map(tensors);
  const replaced = new Map<WeightSource, WeightSource>();
  for (const weight of weightsOf(checkpoint)) {
    const entry = left.get(weight.name);
    if (entry === undefined) continue;
    replaced.set(weight, fitting(entry, weight.shape));
    left.delete(weight.name);
  }
  const take = (name: string, shape: readonly number[]): WeightSource => {
    const entry = left.get(name);
    if (entry === undefined) throw new ModelError('TENSOR_MISSING', { what: `adapter ${folder} lacks a tensor`, got: `${tensors.size} others`, expected: `${JSON.stringify(name)} [${shape.join(', ')}]`, todo: 'retrofit again, or fetch the whole adapter' });
    left.delete(name);
    return fitting(entry, shape);
  };
  const { spec } = checkpoint.decoder;
  const decisions = ((): Adapter['decisions'] => {
    switch (kind) {
      case 'dmc': {
        if (config.channel >= spec.headWidth) throw new ModelError('ADAPTER_INVALID', { what: `${where}: field channel names no channel of a head`, got: `${config.channel}`, expected: `−1 to ${spec.headWidth - 1}` });
        requireDecisionRows(checkpoint, new Set([...replaced.keys()].map(({ name }) => name)), folder);
        return { kind, channel: config.channel === -1 ? spec.headWidth - 1 : config.channel, offset: config.offset };
      }
      case 'dms': {
        const layers = Array.from({ length: spec.layers }, (_, i) => ({
          norm: { scale: take(`dms.layers.${i}.norm.weight`, [spec.width]) },
          project: { weight: take(`dms.layers.${i}.proj.weight`, [spec.kvHeads, spec.width]), bias: take(`dms.layers.${i}.proj.bias`, [spec.kvHeads]) },
        }));
        return { kind, offset: config.offset, layers };
      }
      default:
        return kind satisfies never;
    }
  })();
  const [extra] = left.keys();
  if (extra !== undefined) throw new ModelError('TENSOR_UNEXPECTED', { what: `adapter ${folder} has a tensor that the checkpoint does not know`, got: `${JSON.stringify(extra)}${left.size > 1 ? ` and ${left.size - 1} more` : ''}`, expected: `names of tensors of ${checkpoint.folder}${kind === 'dms' ? ', and those of dms.layers' : ''}` });
  const { vision, decoder } = checkpoint;
  const name = path.basename(folder);
  return {
    ...checkpoint,
    ...(vision && { vision: { ...vision, weights: replace(vision.weights, replaced), projectorWeights: replace(vision.projectorWeights, replaced) } }),
    decoder: { ...decoder, weights: replace(decoder.weights, replaced) },
    adapter: { name, folder, kind, ratio, ...(window !== undefined && { window }), trained, decisions },
  };
}

/** A channel of keys and queries that was never trained to decide says nothing: both matrices of every layer must come with the adapter. */
function requireDecisionRows({ decoder }: Checkpoint, given: ReadonlySet<string>, folder: string): void {
  const missing = decoder.weights.layers.flatMap(({ query, key }) => [query.weight.name, key.weight.name]).find((name) => !given.has(name));
  if (missing !== undefined) throw new ModelError('TENSOR_MISSING', { what: `adapter ${folder} lacks a tensor`, got: `${given.size} others`, expected: `${JSON.stringify(missing)}: queries and keys of every layer carry decisions`, todo: 'retrofit again, or fetch the whole adapter' });
}

async function locate(checkpoint: Checkpoint, adapter: string): Promise<string> {
  const candidates = [path.join(checkpoint.folder, adaptersFolder, adapter), adapter];
  for (const folder of candidates) if (await exists(path.join(folder, adapterConfigName))) return path.resolve(folder);
  const names = await adapterNames(checkpoint);
  throw new ModelError('ADAPTER_MISSING', { what: `there is no adapter ${adapter}`, got: `no ${candidates.map((folder) => path.join(folder, adapterConfigName)).join(' and no ')}`, expected: names.length > 0 ? `one of ${names.join(', ')}, or the folder of an adapter` : `the folder of an adapter: ${checkpoint.folder} has none`, todo: 'see `thalweg inspect`, or make one with `thalweg retrofit`' });
}

async function adapterNames({ folder }: Checkpoint): Promise<readonly string[]> {
  const entries = await readdir(path.join(folder, adaptersFolder), { withFileTypes: true }).catch((thrown: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return [];
    throw new ModelError('FILE_UNREADABLE', { what: `cannot list the adapters of ${folder}`, got: messageOf(thrown), cause: thrown });
  });
  return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name).sort();
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function fitting(entry: TensorEntry, shape: readonly number[]): WeightSource {
  if (entry.shape.length === shape.length && entry.shape.every((size, axis) => size === shape[axis])) return weightSource(entry);
  throw new ModelError('TENSOR_MISSHAPEN', { what: `tensor ${JSON.stringify(entry.name)} of ${entry.file} does not fit the checkpoint`, got: `[${entry.shape.join(', ')}]`, expected: `[${shape.join(', ')}]` });
}

/** The same structure with other weights where there are such. */
function replace<T>(tree: T, by: ReadonlyMap<WeightSource, WeightSource>): T {
  if (typeof tree !== 'object' || tree === null) return tree;
  if ('offsetBytes' in tree) return (by.get(tree as unknown as WeightSource) ?? tree) as T;
  if (Array.isArray(tree)) return tree.map((entry: unknown) => replace(entry, by)) as T;
  return Object.fromEntries(Object.entries(tree).map(([key, entry]) => [key, replace(entry as unknown, by)])) as T;
}
