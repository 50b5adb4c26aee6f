// The command line from outside: what each command prints, its exit status, interrupts, and errors that help.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVideoWriter, writeRandomCheckpoint } from '../src/index.ts';

const root = join(import.meta.dirname, '..');
let folder: string;
let model: string;
let video: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-cli-'));
  model = join(folder, 'model');
  video = join(folder, 'clip.mp4');
  await writeRandomCheckpoint(model, 'smolvlm-tiny', { seed: 2, dtype: 'float32' });
  const writer = await openVideoWriter({ path: video, widthPx: 64, heightPx: 48, fps: 5 });
  for (let i = 0; i < 30; i++) await writer.write(new Uint8Array(64 * 48 * 3).fill(i * 8));
  await writer.close();
});

afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. `onOut` sees what was printed so far. */
function thalweg(args: readonly string[], { input, onOut }: { input?: string; onOut?: (out: string, interrupt: () => void) => void } = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), ...args], { env: { ...process.env, THALWEG_CACHE: join(folder, 'cache'), THALWEG_MODEL: '' } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    onOut?.(out, () => child.kill('SIGINT'));
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

const documents = (out: string) => out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
const withModel = (...args: string[]) => [...args, '--model', model, '--precision', 'float32', '--max-tokens', '4'];

describe('thalweg', () => {
  it('asks several questions about a video', async () => {
    const { status, out, err } = await thalweg(withModel('ask', video, 'What?', 'And now?', '--fps', '2'));
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/> What\?[\s\S]*> And now\?[\s\S]*watched {2}1[12] frames/);
  });

  it('answers as JSON, at a time', async () => {
    const { status, out } = await thalweg(withModel('ask', video, 'What?', '--fps', '2', '--at', '2s', '--json'));
    const [answer, summary] = documents(out);
    expect(status).toBe(0);
    expect(answer).toMatchObject({ kind: 'answer', question: 'What?', timeSec: 2, frames: 5 });
    expect(summary).toMatchObject({ kind: 'summary', answers: 1 });
  });

  it('watches and asks in rounds, each leaving the dialogue as it was', async () => {
    const { status, out } = await thalweg(withModel('watch', video, '--fps', '2', '--ask', 'What?', '--ask', 'Who?', '--every', '2s', '--events', '--json'));
    const lines = documents(out);
    expect(status).toBe(0);
    expect(lines.filter(({ kind }) => kind === 'answer').map(({ timeSec, question }) => [Math.round(Number(timeSec) * 10) / 10, question])).toEqual([
      [2, 'What?'],
      [2, 'Who?'],
      [4, 'What?'],
      [4, 'Who?'],
      [5.6, 'What?'],
      [5.6, 'Who?'],
    ]);
    expect(lines.filter(({ kind }) => kind === 'frame').length).toBeGreaterThan(10);
  });

  it('chats line by line from standard input', async () => {
    const { status, out } = await thalweg(withModel('chat', video, '--json'), { input: 'What?\nAnd now?\n\nnever read\n' });
    expect(status).toBe(0);
    expect(documents(out).map(({ kind, question }) => [kind, question])).toEqual([
      ['answer', 'What?'],
      ['answer', 'And now?'],
      ['summary', undefined],
    ]);
  });

  it('ends at an interrupt', async () => {
    const { status } = await thalweg(withModel('watch', 'lavfi:testsrc2=size=64x48:rate=10', '--events', '--fps', '5'), { onOut: (out, interrupt) => out.includes('frame 3') && interrupt() });
    expect(status).toBe(130);
  });

  it('lists methods', async () => {
    const [{ methods }] = documents((await thalweg(['methods', '--json'])).out) as [{ methods: { stage: string; name: string }[] }];
    expect(methods.map(({ stage, name }) => `${stage}/${name}`)).toEqual(expect.arrayContaining(['memory/dense', 'memory/fifo', 'memory/uniform', 'vision/all']));
  });

  it('finds this installation well', async () => {
    const { status, out } = await thalweg(['doctor', '--json']);
    expect(documents(out)[0]).toMatchObject({ ok: true });
    expect(status).toBe(0);
  });

  it('shows help with examples for every command', async () => {
    for (const command of ['demo', 'ask', 'watch', 'chat', 'pull', 'inspect', 'methods', 'bench', 'doctor']) {
      const { status, out } = await thalweg([command, '--help']);
      expect(status).toBe(0);
      expect(out).toContain('Examples:\n  ');
    }
  });

  it.each([
    ['a missing video', () => withModel('ask', join(folder, 'absent.mp4'), 'What?'), /absent\.mp4/],
    ['a video that is none', () => withModel('ask', join(model, 'config.json'), 'What?'), /config\.json/],
    ['a missing model', () => ['ask', video, 'What?', '--model', 'no/model'], /thalweg pull no\/model/],
    ['an unknown method', () => withModel('ask', video, 'What?', '--memory', 'elephant'), /one of dense, fifo, /],
    ['a wrong option of a method', () => withModel('ask', video, 'What?', '--memory-option', 'framez=3'), /framez/],
    ['a broken checkpoint', () => ['ask', video, 'What?', '--model', folder], /config\.json/],
  ])('explains %s', async (_, args, message) => {
    const { status, out, err } = await thalweg(args());
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^error: /);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/at .*\.ts:/);
    const json = await thalweg([...args(), '--json']);
    expect(documents(json.out)[0]).toMatchObject({ kind: 'error', message: expect.stringMatching(message) as string });
  });

  it('refuses malformed options with the reason', async () => {
    const { status, err } = await thalweg(withModel('ask', video, 'What?', '--fps', 'fast'));
    expect(status).not.toBe(0);
    expect(err).toMatch(/fps.*expected a number above 0/);
  });

  it('reads a video from standard input through a pipe', async () => {
    await writeFile(join(folder, 'empty.mp4'), '');
    const { status, err } = await thalweg(withModel('ask', '-', 'What?'), { input: '' });
    expect(status).toBe(2);
    expect(err).toMatch(/^error: /);
  });
});
