// Packs: made once, whole or not at all, taken up again, safe with several at once, and refused when damaged.
import { cp, mkdtemp, readFile, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../checkpoint.ts';
import { writeRandomCheckpoint } from '../random-checkpoint.ts';
import { openPack, openWeights } from './open.ts';
import { packModel } from './pack.ts';
import { readFloat32 } from './read-tensor.ts';

const golden = join(import.meta.dirname, '../../../test/goldens/checkpoints/smolvlm-tiny');

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-pack-'));
  cache = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true }));

describe('a pack', () => {
  test('holds the weights of the checkpoint', async () => {
    const checkpoint = await openCheckpoint(golden);
    using packed = openPack(checkpoint, await packModel(checkpoint, 'float32', cache));
    const source = checkpoint.decoder.weights.layers[1]!.up.weight;
    expect(await readFloat32(packed.decoder.layers[1]!.up.weight)).toEqual(await source.read());
    expect(await readFloat32(packed.vision!.patch.weight)).toEqual(await checkpoint.vision!.weights.patch.weight.read());
    expect([...packed.decoder.embedding.rows([3])]).toEqual([...(await checkpoint.decoder.weights.embedding.read()).subarray(3 * 64, 4 * 64)]);
    expect(() => packed.decoder.embedding.rows([999999])).toThrow(/999999/u);
  });

  test('is made once; another checkpoint file makes another', async () => {
    const copy = join(folder, 'copy');
    await cp(golden, copy, { recursive: true });
    const first = await packModel(await openCheckpoint(copy), 'float32', cache);
    let worked = false;
    expect(await packModel(await openCheckpoint(copy), 'float32', cache, { onProgress: () => (worked = true) })).toBe(first);
    expect(worked).toBe(false);
    await utimes(join(copy, 'model.safetensors'), 1, 1);
    expect(await packModel(await openCheckpoint(copy), 'float32', cache)).not.toBe(first);
  });

  test.each(['float32', 'w8a8'] as const)('%s: stopped half-way it shows nothing, and goes on where it stopped', async (precision) => {
    const checkpoint = await openCheckpoint(golden);
    const unit = precision === 'float32' ? 'write decoder-1' : 'measure decoder-1';
    const controller = new AbortController();
    const stop = (at: string) => controller.abort(new Error(`stopped at ${at}`));
    await expect(packModel(checkpoint, precision, cache, { signal: controller.signal, onProgress: (progress) => progress.unit === unit && stop(progress.unit) })).rejects.toThrow(/stopped at/u);
    expect((await readdir(cache)).every((name) => name.endsWith('.partial'))).toBe(true);
    const units: string[] = [];
    const target = await packModel(checkpoint, precision, cache, { onProgress: (progress) => units.push(progress.unit) });
    expect(units[0]).toBe(unit);
    expect(await readdir(cache)).toEqual([target.slice(cache.length + 1)]);

    const whole = await packModel(checkpoint, precision, join(folder, 'other'));
    for (const file of await readdir(whole)) expect(await readFile(join(target, file))).toEqual(await readFile(join(whole, file)));
  });

  test('several at once give one pack, and leave nothing behind', async () => {
    const checkpoint = await openCheckpoint(golden);
    const targets = await Promise.all([1, 2, 3].map(() => packModel(checkpoint, 'float32', cache)));
    expect(new Set(targets).size).toBe(1);
    expect(await readdir(cache)).toHaveLength(1);
  });

  test('that lost a part is refused by name', async () => {
    const checkpoint = await openCheckpoint(golden);
    const target = await packModel(checkpoint, 'float32', cache);
    await truncate(join(target, 'vision-1.bin'), 100);
    expect(() => openPack(checkpoint, target)).toThrow(/vision-1\.bin of 100 bytes/u);
    await writeFile(join(target, 'pack.json'), '{');
    expect(() => openPack(checkpoint, target)).toThrow(/cannot read the pack/u);
  });

  test('is not needed for float32 files, also behind the symbolic links of a hub snapshot', async () => {
    const blobs = join(folder, 'blobs');
    await writeRandomCheckpoint(blobs, 'smolvlm-tiny', { seed: 1, dtype: 'float32' });
    const snapshot = join(folder, 'snapshot');
    await cp(blobs, snapshot, { recursive: true });
    await rm(join(snapshot, 'model.safetensors'));
    await symlink(join(blobs, 'model.safetensors'), join(snapshot, 'model.safetensors'));
    const checkpoint = await openCheckpoint(snapshot);
    using packed = await openWeights(checkpoint, 'float32', cache);
    const { weight } = packed.decoder.layers[0]!.query;
    expect(weight.kind === 'file' && weight.file).toContain('blobs');
    await expect(readdir(cache)).rejects.toThrow(/ENOENT/u);
  });
});
