// A model's name: the built-in one, a folder, a pulled one, and what is said of one that is not there.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtInFolder, findModel } from './model-folder.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-names-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('the built-in model has two names and a place in the package', async () => {
  const builtIn = join(folder, 'built-in');
  await mkdir(builtIn);
  await writeFile(join(builtIn, 'config.json'), '{}');
  for (const name of ['nano', 'thalweg-nano']) expect(await findModel(name, builtIn)).toBe(builtIn);
  expect(builtInFolder()).toMatch(/[\\/]models[\\/]thalweg-nano$/);
  expect(builtInFolder()).not.toMatch(/src|dist/);
});

it('says what to do where the package has no built-in model', async () => {
  await expect(findModel('nano', join(folder, 'absent'))).rejects.toMatchObject({ code: 'NO_BUILT_IN_MODEL', parts: { todo: expect.stringMatching(/--model.*thalweg train nano.*thalweg pull/) as string } });
});

it('takes a folder by its path, and tells of a name that is neither', async () => {
  expect(await findModel(folder)).toBe(folder);
  await expect(findModel('owner/model')).rejects.toMatchObject({ code: 'NO_MODEL', parts: { todo: 'fetch it with: thalweg pull owner/model' } });
});
