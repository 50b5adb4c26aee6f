// Random checkpoints open, repeat, and are written whole.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';
import { cachedRandomCheckpoint, writeRandomCheckpoint } from './random-checkpoint.ts';
import { randomTensors } from './random-tensors.ts';
import { checkpointSizes } from './sizes.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-random-'));
});
afterAll(() => rm(root, { recursive: true }));

it.each([
  ['smolvlm-tiny', 'smolvlm', 'float32', 4],
  ['smolvlm2-tiny', 'smolvlm', 'bfloat16', 4],
  ['llava-onevision-tiny', 'llava-onevision', 'float16', 16],
] as const)('a random %s opens like a real checkpoint', async (size, family, dtype, tokensPerFrame) => {
  const folder = path.join(root, `open-${size}`);
  await writeRandomCheckpoint(folder, size, { seed: 7, dtype });
  const checkpoint = await openCheckpoint(folder);
  expect(checkpoint).toMatchObject({ family, tokensPerFrame });
  const { weight } = checkpoint.decoder.weights.layers[1]!.gate;
  expect(weight.dtype).toBe(dtype);
  const values = await weight.read();
  const spread = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  expect(spread).toBeCloseTo(1 / Math.sqrt(64), 2);
  const words = 'What happened after the red car stopped? Größe 你好 👍🏽';
  const ids = checkpoint.prompt.encode(words);
  expect(checkpoint.prompt.decode(ids)).toBe(words);
  expect(checkpoint.prompt.encode('What happened after the red car stopped?').length).toBeLessThan(25);
  expect(checkpoint.prompt.renderText([{ role: 'user', parts: [{ kind: 'text', text: 'Hi' }] }], { generate: true })).toBe(family === 'smolvlm' ? '<|im_start|>User: Hi<end_of_utterance>\nAssistant:' : '<|im_start|>user \nHi<|im_end|><|im_start|>assistant\n');
});

it('the same seed gives the same bytes, another seed others', async () => {
  const bytes = async (name: string, seed: number) => {
    await writeRandomCheckpoint(path.join(root, name), 'smolvlm-tiny', { seed });
    return readFile(path.join(root, name, 'model.safetensors'));
  };
  const first = await bytes('a', 1);
  expect((await bytes('b', 1)).equals(first)).toBe(true);
  expect((await bytes('c', 2)).equals(first)).toBe(false);
});

it('a folder with a checkpoint, a file and an unknown size are refused before anything is written', async () => {
  const folder = path.join(root, 'taken');
  await writeRandomCheckpoint(folder, 'smolvlm-tiny', { seed: 1, weights: 'none' });
  const before = await readFile(path.join(folder, 'config.json'), 'utf8');
  await expect(writeRandomCheckpoint(folder, 'llava-onevision-tiny', { seed: 1 })).rejects.toMatchObject({ code: 'CHECKPOINT_EXISTS', message: expect.stringContaining(folder) as string });
  expect(await readFile(path.join(folder, 'config.json'), 'utf8')).toBe(before);
  await expect(writeRandomCheckpoint(path.join(folder, 'config.json'), 'smolvlm-tiny', { seed: 1 })).rejects.toMatchObject({ code: 'BAD_FOLDER' });
  // @ts-expect-error a name that JavaScript callers may give
  await expect(writeRandomCheckpoint(path.join(root, 'never'), 'toString', { seed: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_SIZE' });
  expect(await readdir(root)).not.toContain('never');
});

it('a cached one is written once, whole, also when two ask at the same time', async () => {
  const cache = path.join(root, 'cache');
  const [one, two] = await Promise.all([cachedRandomCheckpoint(cache, 'smolvlm-tiny', { seed: 1 }), cachedRandomCheckpoint(cache, 'smolvlm-tiny', { seed: 1 })]);
  expect(one).toBe(two);
  expect(await readdir(cache)).toHaveLength(1);
  await writeFile(path.join(one, 'mark'), '');
  expect(await readdir(await cachedRandomCheckpoint(cache, 'smolvlm-tiny', { seed: 1 }))).toContain('mark');
});

it.each([
  ['smolvlm-256m', 256_484_928],
  ['smolvlm-500m', 507_482_304],
  ['llava-onevision-0.5b', 893_673_248],
] as const)('%s has the parameters of the published checkpoint', (size, parameters) => {
  const counted = randomTensors(checkpointSizes[size])
    .filter(({ name }) => size !== 'llava-onevision-0.5b' || !name.includes('post_layernorm'))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  expect(counted).toBe(parameters);
});
