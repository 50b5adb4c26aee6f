// The quick comparison from end to end: every method on the three world suites, killed in the middle and resumed, with its report.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtInFolder, builtInModel, listMethods, readRecord, withoutTimes } from '../src/index.ts';

const root = join(import.meta.dirname, '..');
/** The built-in model where it is in the package; until then random weights, whose answers mean nothing and take the same way. */
const model = existsSync(join(builtInFolder(), 'config.json')) ? builtInModel : join(root, 'test/goldens/checkpoints/smolvlm-tiny');
let folder: string;
let env: NodeJS.ProcessEnv;
const args = (out: string) => ['src/cli/main.ts', 'bench', '--quick', '--limit', '1', '--model', model, '--parallel', '1', '--json', '--out', out];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-quick-'));
  env = { ...process.env, THALWEG_CACHE: join(folder, 'cache') };
});
afterAll(() => rm(folder, { recursive: true }));

it('runs every method on three suites, and a run that was killed goes on to the same record', async () => {
  const whole = join(folder, 'whole');
  const { stdout } = await promisify(execFile)(process.execPath, args(whole), { cwd: root, env, maxBuffer: 1 << 26 });
  expect(stdout).toContain('"kind":"record"');
  const record = await readRecord(join(whole, 'record.json'));
  const methods = new Set((await listMethods()).map(({ name }) => name));
  for (const suite of ['world-stream', 'world-caption', 'world-ego']) {
    const ran = record.cells.filter((cell) => cell.suite === suite && cell.control === null).map(({ method }) => method.replace(/^\w+=/, ''));
    for (const method of methods) if (method !== 'all' && method !== 'every-frame') expect(ran).toContain(method);
  }
  expect(record.cells.every(({ counts }) => counts.missing === 0 && counts.failed === 0)).toBe(true);
  const page = await readFile(join(whole, 'report.html'), 'utf8');
  expect(page).toContain('Memory and delay over stream time');
  expect(page.length).toBeLessThan(3e6);

  const broken = join(folder, 'broken');
  await killAfter(broken, 5);
  await promisify(execFile)(process.execPath, args(broken), { cwd: root, env, maxBuffer: 1 << 26 });
  const resumed = await readRecord(join(broken, 'record.json'));
  const comparable = ({ options, ...rest }: typeof record) => withoutTimes({ ...rest, options: { given: null, resolved: options.resolved } });
  expect(comparable(resumed)).toEqual(comparable(record));
});

/** Starts a run and kills it, without a chance to tidy up, once so many units are in its journal. */
async function killAfter(out: string, units: number): Promise<void> {
  const child = spawn(process.execPath, args(out), { cwd: root, env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = async () => (await readFile(join(out, 'journal.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1;
  while ((await lines()) <= units && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
  expect(child.exitCode).toBeNull();
  child.kill('SIGKILL');
  await ended;
}
