// CONTRIBUTING's example method, dropped into its folder: the list, the contract suite and the benchmark know it with no other edit.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const file = join(root, 'src/memory/methods/every-nth.ts');
let cache: string;
const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 1 << 24, env: { ...process.env, THALWEG_CACHE: cache } });

beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'thalweg-contributing-'));
  const [, code] = /```ts\n(\/\/ every-nth[\s\S]*?)```/.exec(await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')) ?? [];
  await writeFile(file, code!);
});

afterAll(async () => {
  await rm(file, { force: true });
  await rm(cache, { recursive: true });
});

describe('a method from CONTRIBUTING', () => {
  it('is listed', async () => {
    const { methods } = JSON.parse((await node('src/cli/main.ts', 'methods', '--json')).stdout) as { methods: { stage: string; name: string }[] };
    expect(methods).toContainEqual(expect.objectContaining({ stage: 'memory', name: 'every-nth', budget: { kind: 'adaptive', knob: 'n' } }));
  });

  it('passes the contract suite', async () => {
    const { stdout } = await node('node_modules/vitest/vitest.mjs', 'run', 'src/memory/methods.contract.test.ts', '-t', 'every-nth', '--reporter=json');
    const { numPassedTests, numFailedTests } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { numPassedTests: number; numFailedTests: number };
    expect(numFailedTests).toBe(0);
    expect(numPassedTests).toBeGreaterThan(5);
  });

  it('can be benchmarked', async () => {
    const model = join(root, 'test/goldens/checkpoints/smolvlm-tiny');
    const { stdout } = await node('src/cli/main.ts', 'bench', '--suite', 'world-caption', '--world-size', '1', '--method', 'every-nth', '--model', model, '--precision', 'float32', '--dry-run', '--json');
    const { cells } = JSON.parse(stdout) as { cells: { key: string }[] };
    expect(cells.map(({ key }) => key)).toEqual(['world-caption/every-nth@smolvlm-tiny/8', 'world-caption/every-nth@smolvlm-tiny/4', 'world-caption/every-nth@smolvlm-tiny/2']);
  });
});
