// A folder belongs to the first work that claims it.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimFolder } from './claim-folder.ts';

test('the same work may come back, other work is told what is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-claim-'));
  try {
    const file = join(folder, 'work.json');
    expect(await claimFolder(file, '{"seed":1}')).toBeUndefined();
    expect(await claimFolder(file, '{"seed":1}')).toBeUndefined();
    expect(await claimFolder(file, '{"seed":2}')).toBe('{"seed":1}');
    expect(await readdir(folder)).toEqual(['work.json']);
    await mkdir(join(folder, 'other.json'));
    await expect(claimFolder(join(folder, 'other.json'), '{}')).rejects.toMatchObject({ code: 'CLAIM_NOT_READ' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
