// Memory adapters: what they replace and add, and what is refused.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeAdapter, type AdapterFixture } from './adapter.fixture.ts';
import { adapterBaseHash, listAdapters } from './adapters.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './contract.ts';
import { goldenCheckpoint } from './goldens.fixture.ts';
import { packName } from './packed/identity.ts';
import { openWeights } from './packed/open.ts';

let root: string;
let folder: string;
let base: Checkpoint;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-adapters-'));
  folder = path.join(root, 'model');
  await cp(goldenCheckpoint('smolvlm-tiny'), folder, { recursive: true });
  base = await openCheckpoint(folder);
});
afterAll(() => rm(root, { recursive: true }));

let made = 0;
const write = (fixture: AdapterFixture, of = base) => writeAdapter(of, path.join(root, `adapter-${made++}`), fixture);
const openWith = async (fixture: AdapterFixture) => openCheckpoint(folder, { adapter: await write(fixture) });

test('a dmc adapter replaces queries and keys, and nothing else', async () => {
  const with4 = await openWith({ kind: 'dmc', dtype: 'float16', config: { window: 12, trained: { steps: 10 } } });
  const [old, layer] = [base.decoder.weights.layers[0]!, with4.decoder.weights.layers[0]!];
  expect(layer.key.weight.name).toBe(old.key.weight.name);
  expect(layer.key.weight.file).not.toBe(old.key.weight.file);
  expect(JSON.stringify(layer.value)).toBe(JSON.stringify(old.value));
  const [before, after] = [await old.key.weight.read(), await layer.key.weight.read()];
  const { headWidth, width } = base.decoder.spec;
  const changedRows = new Set([...after.keys()].filter((i) => Math.abs(after[i]! - before[i]!) > 1e-2).map((i) => Math.floor(i / width) % headWidth));
  expect([...changedRows]).toEqual([headWidth - 1]);
  expect(with4.adapter).toMatchObject({ kind: 'dmc', ratio: 4, window: 12, trained: { steps: 10 }, decisions: { kind: 'dmc', channel: headWidth - 1, offset: 5 } });
});

test('a dms adapter adds its network and leaves the weights alone', async () => {
  const opened = await openWith({ kind: 'dms', config: { window: 8, offset: 4 } });
  expect(JSON.stringify(opened.decoder.weights)).toBe(JSON.stringify(base.decoder.weights));
  using weights = await openWeights(opened, 'float32', path.join(root, 'cache'));
  const decisions = weights.decoder.decisions!;
  expect(decisions).toMatchObject({ kind: 'dms', offset: 4 });
  const { layers, kvHeads, width } = base.decoder.spec;
  if (decisions.kind !== 'dms') throw new Error('not dms');
  expect(decisions.layers).toHaveLength(layers);
  expect(decisions.layers[0]!.project.weight.shape).toEqual([kvHeads, width]);
  using plain = await openWeights(base, 'float32', path.join(root, 'cache'));
  expect(plain.decoder.decisions).toBeUndefined();
});

test('packs of different adapters and of none have different names', async () => {
  const names = await Promise.all([base, await openWith({ kind: 'dmc' }), await openWith({ kind: 'dmc' }), await openWith({ kind: 'dmc', config: { offset: 4 } })].map((checkpoint) => packName(checkpoint, 'w8a8')));
  expect(new Set(names).size).toBe(4);
});

test('a checkpoint lists its adapters, and says what is wrong with one', async () => {
  const copy = path.join(root, 'listed');
  await cp(goldenCheckpoint('smolvlm-tiny'), copy, { recursive: true });
  const checkpoint = await openCheckpoint(copy);
  expect(await listAdapters(checkpoint)).toEqual([]);
  await writeAdapter(checkpoint, path.join(copy, 'adapters', 'dmc-4x'), { kind: 'dmc' });
  await writeAdapter(checkpoint, path.join(copy, 'adapters', 'other'), { kind: 'dmc', config: { baseHash: '0'.repeat(64) } });
  expect(await listAdapters(checkpoint)).toEqual([{ name: 'dmc-4x', kind: 'dmc', ratio: 4 }, { name: 'other', fault: expect.stringContaining('another checkpoint') as unknown }]);
  expect((await openCheckpoint(copy, { adapter: 'dmc-4x' })).adapter?.name).toBe('dmc-4x');
  await expect(openCheckpoint(copy, { adapter: 'dmc-8x' })).rejects.toThrow('one of dmc-4x, other');
});

test('the hash is of names and shapes: another model has another', async () => {
  const other = await openCheckpoint(goldenCheckpoint('smolvlm2-tiny'));
  expect(await adapterBaseHash(base)).toMatch(/^[0-9a-f]{64}$/);
  expect(await adapterBaseHash(other)).not.toBe(await adapterBaseHash(base));
  expect(await adapterBaseHash(await openWith({ kind: 'dmc' }))).toBe(await adapterBaseHash(base));
});

describe('refused', () => {
  const refusals: readonly (readonly [string, AdapterFixture, RegExp])[] = [
    ['another base', { kind: 'dmc', config: { baseHash: 'a'.repeat(64) } }, /made for another checkpoint.*retrofit/],
    ['an unknown kind', { kind: 'dmc', config: { kind: 'lora' as 'dmc' } }, /kind/],
    ['a later format', { kind: 'dmc', config: { format: 2 as 1 } }, /a supported version: 1/],
    ['a channel that heads do not have', { kind: 'dmc', config: { channel: 4096 } }, /channel.*4096/],
    ['a key matrix that is missing', { kind: 'dmc', change: (tensors) => delete tensors['model.text_model.layers.0.self_attn.k_proj.weight'] }, /lacks.*layers\.0\.self_attn\.k_proj/],
    ['a projection that is missing', { kind: 'dms', change: (tensors) => delete tensors['dms.layers.1.proj.bias'] }, /lacks.*dms\.layers\.1\.proj\.bias/],
    ['a tensor that nobody knows', { kind: 'dmc', change: (tensors) => (tensors['model.what'] = { shape: [1], data: Float32Array.of(1) }) }, /does not know.*model\.what/],
    ['a tensor of another shape', { kind: 'dms', change: (tensors) => (tensors['dms.layers.0.proj.bias'] = { shape: [7], data: new Float32Array(7) }) }, /proj\.bias.*got \[7\]/],
  ];
  test.each(refusals)('%s', async (_, fixture, message) => {
    await expect(openWith(fixture)).rejects.toThrow(message);
  });

  test('a name that is none', async () => {
    await expect(openCheckpoint(folder, { adapter: 'dmc-99x' })).rejects.toMatchObject({ code: 'ADAPTER_MISSING' });
  });
});

const stories = path.resolve(import.meta.dirname, '../../../shared/data/stories260K');
// The model file is not part of the repository.
test.skipIf(!existsSync(stories))('a llama2.c model takes an adapter folder by path (needs stories260K)', async () => {
  const checkpoint = await openCheckpoint(path.join(stories, 'stories260K.bin'));
  const adapter = await write({ kind: 'dmc' }, checkpoint);
  const opened = await openCheckpoint(path.join(stories, 'stories260K.bin'), { adapter });
  expect(opened.decoder.weights.layers[4]!.key.weight).toMatchObject({ name: 'wk.4', file: path.join(adapter, 'adapter.safetensors') });
});
