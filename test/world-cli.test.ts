// The commands of the synthetic world from outside: what they write, what loads it, and what they refuse; and the demo.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEgoSchema } from '../src/bench/formats/egoschema.ts';
import { loadCaptions } from '../src/bench/formats/msrvtt.ts';
import { loadStreamBench } from '../src/bench/formats/streambench.ts';
import { matchesNormalised } from '../src/bench/metrics/normalise.ts';
import { openSource } from '../src/index.ts';
import { writeUntrainedNano } from './untrained-nano.ts';

const root = join(import.meta.dirname, '..');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-world-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a command in the test's folder to its end; `onErr` may interrupt it. */
function thalweg(args: readonly string[], interruptWhen?: (out: string) => boolean, cache = 'cache'): Promise<{ readonly status: number | null; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), ...args], { cwd: folder, env: { ...process.env, NODE_COMPILE_CACHE: undefined, THALWEG_CACHE: resolve(folder, cache), THALWEG_MODEL: '' } });
  let [out, err, interrupted] = ['', '', false];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (interrupted || interruptWhen?.(out) !== true) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

const documents = (out: string) => out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
const small = ['--size', '160x120', '--fps', '4'];

describe('the start of a command', () => {
  it('keeps compiled code in the cache folder, and does without where there can be none', async () => {
    for (const cache of ['cache', '/proc/thalweg/cache']) expect(await thalweg(['--version'], undefined, cache)).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string, err: '' });
    const [version] = await readdir(join(folder, 'cache', 'compiled'));
    expect((await readdir(join(folder, 'cache', 'compiled', version!))).length).toBeGreaterThan(3);
  });
});

describe('thalweg world make', () => {
  it('writes a video beside its truth and its questions, which the loaders of the benchmarks read', async () => {
    const { status, out, err } = await thalweg(['world', 'make', '--kind', 'ego', '--minutes', '1', '--out', 'walk.mp4', '--json', ...small]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(documents(out)[0]).toMatchObject({ kind: 'clip', video: 'walk.mp4', frames: 240, durationSec: 60 });
    expect((await readdir(folder)).filter((name) => name.startsWith('walk.')).sort()).toEqual(['mp4', 'questions.json', 'streambench.json', 'subset_answers.json', 'test_videodatainfo.json', 'truth.json'].map((end) => `walk.${end}`));
    const file = (end: string) => join(folder, `walk.${end}`);
    const [stream] = await loadStreamBench(file('streambench.json'));
    const [captions] = await loadCaptions(file('test_videodatainfo.json'));
    const [ego] = (await loadEgoSchema(file('questions.json'), file('subset_answers.json'))).videos;
    expect(stream).toMatchObject({ file: 'walk.mp4', footage: 'moving' });
    expect(stream!.questions.length).toBeGreaterThan(5);
    expect(captions!.questions[0]).toMatchObject({ kind: 'caption' });
    expect(ego!.questions.length).toBeGreaterThan(0);
    const truth = JSON.parse(await readFile(file('truth.json'), 'utf8')) as { frames: unknown[]; spec: object };
    expect(truth.spec).toMatchObject({ seed: 7, footage: 'ego', split: 'test' });
    expect(truth.frames).toHaveLength(240);
    await using source = await openSource(file('mp4'));
    expect(source.info).toMatchObject({ codec: 'h264', widthPx: 160, heightPx: 120, durationSec: 60 });
  });

  it('replaces nothing unless it is told to', async () => {
    const make = ['world', 'make', '--scene', 'shop', '--minutes', '0.05', '--out', 'shop.mp4', ...small];
    expect((await thalweg(make)).status).toBe(0);
    expect(await thalweg([...make, '--json'])).toMatchObject({ status: 2, out: expect.stringContaining('OUT_EXISTS') as string });
    expect((await thalweg([...make, '--force'])).status).toBe(0);
  });

  it.each([
    ['a place of footage that has several', ['--kind', 'cuts', '--scene', 'park', '--out', 'x.mp4'], /fixed or moving/],
    ['another container', ['--out', 'x.mkv'], /\.mp4/],
    ['a size that H.264 has not', ['--size', '33x44', '--out', 'x.mp4'], /even numbers/],
    ['a folder that cannot be made', ['--out', '/proc/thalweg/x.mp4'], /cannot write to \/proc\/thalweg/],
    ['no place to write to', [], /--out/],
  ])('refuses %s', async (_, more, message) => {
    const { status, out, err } = await thalweg(['world', 'make', ...more]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(message);
  });
});

describe('thalweg world suite', () => {
  it('goes on where it was cut short, and keeps a folder to one suite', async () => {
    const make = ['world', 'suite', '--suite', 'world-caption', '--clips', '3', '--out', 'suite', '--json', ...small];
    const cut = await thalweg(make, (out) => out.includes('"done":1'));
    expect(cut.status).toBe(130);
    expect((await readdir(join(folder, 'suite', 'videos'))).filter((name) => name.endsWith('.part'))).toEqual([]);
    const { status, out } = await thalweg(make);
    expect(status).toBe(0);
    expect(documents(out).map(({ kind }) => kind)).toEqual(['clip', 'clip', 'clip', 'suite']);
    expect(await loadCaptions(join(folder, 'suite', 'test_videodatainfo.json'))).toHaveLength(3);
    expect((await readdir(join(folder, 'suite', 'videos'))).filter((name) => name.endsWith('.mp4'))).toHaveLength(3);
    expect(await thalweg([...make, '--seed', '5'])).toMatchObject({ status: 2, out: expect.stringContaining('OTHER_SUITE') as string });
  });
});

describe('thalweg demo', () => {
  let model: string;
  beforeAll(async () => {
    model = await writeUntrainedNano(join(folder, 'nano'));
  });

  it('asks a model live, and marks every answer by the truth', async () => {
    const { status, out, err } = await thalweg(['demo', '--seconds', '10', '--model', model, '--json']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const printed = documents(out);
    expect(printed[0]).toMatchObject({ kind: 'model', meaningless: false, family: 'smolvlm', precision: 'float32' });
    expect(printed[1]).toMatchObject({ kind: 'clip', seed: 7, durationSec: 10, places: ['street'] });
    const answers = printed.filter(({ kind }) => kind === 'answer') as { question: string; truth: string; text: string; right: boolean; timeSec: number }[];
    expect(answers.length).toBeGreaterThan(0);
    for (const { truth, text, right } of answers) expect(right).toBe(matchesNormalised(text, [truth]));
    expect(printed.slice(-3)).toMatchObject([{ kind: 'score', questions: answers.length }, { kind: 'summary', dropped: 0 }, { kind: 'speed' }]);
  });

  it('sums up what was seen when it is interrupted', async () => {
    const { status, out } = await thalweg(['demo', '--model', model, '--json'], (text) => text.includes('"kind":"clip"'));
    expect(status).toBe(130);
    expect(documents(out).slice(-2)).toMatchObject([expect.anything(), { kind: 'interrupted' }]);
  });
});
