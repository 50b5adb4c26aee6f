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

it('runs every method on three suites, and leaves a report', { timeout: 600_000 }, async () => {
  const whole = join(folder, 'whole');
  const { stdout } = await promisify(execFile)(process.execPath, args(whole), { cwd: root, env, maxBuffer: 1 << 26 });
  expect(stdout).toContain('"kind":"record"');
  const record = await readRecord(join(whole, 'record.json'));
  const adapted: readonly string[] = ['dmc', 'dms'];
  const wanted = (await listMethods()).map(({ name }) => name).filter((name) => name !== 'all' && name !== 'every-frame' && !adapted.includes(name));
  for (const suite of ['world-stream', 'world-caption', 'world-ego']) {
    const ran = record.cells.filter((cell) => cell.suite === suite && cell.control === null).map(({ method }) => method.replace(/^\w+=/, ''));
    for (const method of wanted) expect(ran).toContain(method);
    expect(ran).toContain('thalweg');
  }
  expect(record.cells.filter(({ counts }) => counts.missing + counts.failed > 0).map(({ key, items }) => `${key}: ${items.find(({ status }) => status === 'failed')?.reason}`)).toEqual([]);
  const page = await readFile(join(whole, 'report.html'), 'utf8');
  expect(page).toContain('Memory and delay over stream time');
  expect(page.length).toBeLessThan(3e6);
});

it('goes on after a kill to the record of an unbroken run', { timeout: 600_000 }, async () => {
  const few = ['--method', 'dense', '--method', 'fifo', '--method', 'thalweg'];
  const [unbroken, broken] = [join(folder, 'unbroken'), join(folder, 'broken')];
  await promisify(execFile)(process.execPath, [...args(unbroken), ...few], { cwd: root, env, maxBuffer: 1 << 26 });
  await killAfter(broken, few, 3);
  await promisify(execFile)(process.execPath, [...args(broken), ...few], { cwd: root, env, maxBuffer: 1 << 26 });
  const [one, other] = [await readRecord(join(unbroken, 'record.json')), await readRecord(join(broken, 'record.json'))];
  const comparable = ({ options, ...rest }: typeof one) => withoutTimes({ ...rest, options: { given: null, resolved: options.resolved } });
  expect(comparable(other)).toEqual(comparable(one));
});

/** Starts a run and kills it, without a chance to tidy up, once so many units are in its journal. */
async function killAfter(out: string, methods: readonly string[], units: number): Promise<void> {
  const child = spawn(process.execPath, [...args(out), ...methods], { cwd: root, env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = async () => (await readFile(join(out, 'journal.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1;
  while ((await lines()) <= units && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
  expect(child.exitCode).toBeNull();
  child.kill('SIGKILL');
  await ended;
}
