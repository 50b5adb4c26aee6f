// The examples run as they stand, against a small random checkpoint.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVideoWriter, writeRandomCheckpoint } from '../src/index.ts';

const root = join(import.meta.dirname, '..');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-examples-'));
  await writeRandomCheckpoint(join(folder, 'model'), 'smolvlm-tiny', { seed: 2 });
  const writer = await openVideoWriter({ path: join(folder, 'clip.mp4'), widthPx: 64, heightPx: 48, fps: 5 });
  for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(64 * 48 * 3).fill(i * 12));
  await writer.close();
});

afterAll(() => rm(folder, { recursive: true }));

async function run(example: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=thalweg-source', join('examples', example), ...args], { cwd: root, env: { ...process.env, THALWEG_CACHE: join(folder, 'cache') } });
  return stdout;
}

describe('examples', () => {
  const expected: Record<string, { args: () => string[]; prints: RegExp }> = {
    'ask-a-file.ts': { args: () => [join(folder, 'model'), join(folder, 'clip.mp4'), 'What?', 'Who?'], prints: /watched 4 frames[\s\S]*What\?\n[\s\S]*Who\?\n[\s\S]*first token after/ },
    'own-frames.ts': { args: () => [join(folder, 'model')], prints: /^1 s, 5 frames, \d+ bytes of memory: [\s\S]*\n2 s, 4 frames/ },
    'watch-live.ts': { args: () => [join(folder, 'model'), join(folder, 'clip.mp4'), 'What?'], prints: /^2 s: [\s\S]*frames\/s, 0 dropped/ },
  };

  it('are all tried', async () => {
    expect((await readdir(join(root, 'examples'))).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(Object.keys(expected))('%s runs', async (example) => {
    const { args, prints } = expected[example]!;
    expect(await run(example, ...args())).toMatch(prints);
  });
});
