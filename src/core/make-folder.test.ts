// Tests of making folders: nested ones, several makers at once, and places where no folder can be.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cacheFault, makeFolder } from './make-folder.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'thalweg-folder-'));
});
afterAll(() => rm(root, { recursive: true }));

test('several makers of one nested folder all succeed', async () => {
  const folder = join(root, 'a', 'b', 'c');
  await Promise.all([makeFolder(folder, cacheFault), makeFolder(folder, cacheFault), makeFolder(folder, cacheFault)]);
  expect((await stat(folder)).isDirectory()).toBe(true);
});

test('a file in the way is named', async () => {
  await writeFile(join(root, 'file'), '');
  for (const folder of [join(root, 'file'), join(root, 'file', 'x')]) {
    await expect(makeFolder(folder, cacheFault)).rejects.toMatchObject({ code: 'CACHE_NOT_WRITABLE', parts: { got: `${join(root, 'file')} is no folder` } });
  }
});

test.runIf(process.platform === 'linux')('a folder that takes no folders is refused at once', async () => {
  await expect(makeFolder('/proc/thalweg/x', cacheFault)).rejects.toMatchObject({ code: 'CACHE_NOT_WRITABLE', message: expect.stringMatching(/\/proc\/thalweg\/x.*THALWEG_CACHE/) as string });
});
