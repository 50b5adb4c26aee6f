// The command line from outside: what each command prints, its exit status, interrupts, and errors that help.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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
function thalweg(args: readonly string[], { input, onOut, env }: { input?: string; onOut?: (out: string, interrupt: () => void, close: () => void) => void; env?: Readonly<Record<string, string>> } = {}): Promise<Outcome> {
  let interrupted = false;
  const interrupt = () => {
    if (!interrupted) child.kill('SIGINT');
    interrupted = true;
  };
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), ...args], { env: { ...process.env, THALWEG_CACHE: join(folder, 'cache'), THALWEG_MODEL: '', ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    onOut?.(out, interrupt, () => child.stdout.destroy());
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

  it('keeps a session in a file: what was watched before is part of the answer', async () => {
    const session = join(folder, 'clip.session');
    const watched = (...args: string[]) => thalweg(withModel('ask', video, 'What?', '--fps', '2', '--json', '--session', session, ...args));
    expect(documents((await watched('--duration', '2s')).out)[0]).toMatchObject({ kind: 'answer', timeSec: 1.6, frames: 4 });
    const [opened, answer] = documents((await watched()).out);
    expect(opened).toMatchObject({ kind: 'opened', resumedSec: 1.6 });
    expect(answer).toMatchObject({ kind: 'answer', frames: 12 });
    expect((await watched('--method', 'fifo')).out).toMatch(/saved under another memory method/);
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

  it('counts rounds from the first frame', async () => {
    const { out } = await thalweg(withModel('watch', video, '--fps', '2', '--start', '1s', '--ask', 'What?', '--every', '2s', '--json'));
    expect(documents(out).filter(({ kind }) => kind === 'answer').map(({ timeSec }) => timeSec)).toEqual([3, 5]);
  });

  it('puts every question at the time, and says when the video ended before it', async () => {
    const asked = documents((await thalweg(withModel('ask', video, 'What?', 'And now?', '--fps', '2', '--at', '2s', '--json'))).out);
    expect(asked.map(({ kind, timeSec }) => [kind, timeSec])).toEqual([
      ['answer', 2],
      ['answer', 2],
      ['summary', undefined],
    ]);
    const { status, out } = await thalweg(withModel('ask', video, 'What?', '--fps', '2', '--at', '1m'));
    expect(status).toBe(0);
    expect(out).toMatch(/\[the video ended before 1:00/);
  });

  it('looks through a vision method', async () => {
    const whole = documents((await thalweg(withModel('watch', video, '--fps', '2', '--method', 'dense', '--events', '--json'))).out);
    const { status, out } = await thalweg(withModel('watch', video, '--fps', '2', '--method', 'dense', '--vision', 'evs', '--vision-option', 'dropRatio=0.75', '--events', '--json'));
    expect(status).toBe(0);
    const tokens = (lines: Record<string, unknown>[]) => lines.reduce((sum, { kind, visualTokens }) => (kind === 'frame' ? sum + Number(visualTokens) : sum), 0);
    expect(tokens(documents(out))).toBeLessThan(tokens(whole) / 2);
  });

  it('scores an output file', async () => {
    const suite = join(folder, 'egoschema');
    await mkdir(suite);
    const options = Object.fromEntries(['washes', 'paints', 'repairs', 'cuts', 'folds'].map((what, i) => [`option ${i}`, `C ${what}`]));
    await writeFile(join(suite, 'questions.json'), JSON.stringify(['a', 'b', 'c'].map((q_uid) => ({ q_uid, google_drive_id: 'none', question: 'What does C do?', ...options }))));
    await writeFile(join(suite, 'subset_answers.json'), JSON.stringify({ a: 0, b: 1, c: 2 }));
    await writeFile(join(folder, 'answers.json'), JSON.stringify({ a: 0, b: 4 }));
    const { status, out, err } = await thalweg(['bench', 'score', '--suite', 'egoschema', '--folder', suite, '--predictions', join(folder, 'answers.json'), '--json']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(documents(out)[0]).toMatchObject({ kind: 'scores', suite: 'egoschema', counts: { scored: 2, unscored: 1 }, metrics: { accuracy: { scored: 2, correct: 1 } } });
  });

  it('ends quietly when its reader goes away, and leaves no temporary folder', async () => {
    const temporary = join(folder, 'tmp');
    await mkdir(temporary);
    const { status, err } = await thalweg(['demo', '--seconds', '3'], { env: { TMPDIR: temporary }, onOut: (_out, _interrupt, close) => close() });
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect((await readdir(temporary)).filter((name) => name.startsWith('thalweg-'))).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('says that the output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), 'methods'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let err = '';
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status).toBe(1);
    expect(err).toMatch(/^error: cannot write to standard output\n {2}got: {6}ENOSPC/);
  });

  it.runIf(process.platform === 'linux')('names a cache folder that cannot be made', async () => {
    const { status, err } = await thalweg(['ask', video, 'What?', '--model', model, '--precision', 'w8'], { env: { THALWEG_CACHE: '/proc/thalweg/cache' } });
    expect(status).toBe(2);
    expect(err).toMatch(/^error: cannot write to \/proc\/thalweg\/cache[\s\S]*THALWEG_CACHE/);
  });

  it.each([
    ['watch', ['--events', '--ask', 'What?', '--every', '1s']],
    ['chat', []],
  ] as const)('sums up what %s saw when it is interrupted', async (name, more) => {
    const endless = 'lavfi:testsrc2=size=64x48:rate=10';
    // A chat waits for questions: the interrupt comes after its first answer.
    const { status, out } = await thalweg(withModel(name, endless, '--fps', '5', '--json', ...more), { ...(name === 'chat' && { input: 'What?\n'.repeat(500) }), onOut: (text, interrupt) => text.includes('"kind":"answer"') && interrupt() });
    expect(status).toBe(130);
    expect(documents(out).slice(-2)).toMatchObject([{ kind: 'summary' }, { kind: 'interrupted' }]);
  });

  it('ends at once at a second interrupt, and takes its temporary folder along', async () => {
    // An action that does not heed the first.
    const script = `
      import { run } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/command.ts')).href)};
      import { temporaryFolder } from ${JSON.stringify(pathToFileURL(join(root, 'src/cli/temporary-folder.ts')).href)};
      await run(async ({ out }) => {
        await using folder = await temporaryFolder('thalweg-twice-');
        out.line(folder.path);
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      })();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('close', (_status, name) => resolve(name)));
    const path = String(await new Promise((resolve) => child.stdout.once('data', resolve))).trim();
    expect(path).toContain('thalweg-twice-');
    const again = setInterval(() => child.kill('SIGINT'), 50);
    expect(await ended).toBe('SIGINT');
    clearInterval(again);
    await expect(readdir(path)).rejects.toThrow('ENOENT');
  });

  it('ends at an interrupt', async () => {
    const { status } = await thalweg(withModel('watch', 'lavfi:testsrc2=size=64x48:rate=10', '--events', '--fps', '5'), { onOut: (out, interrupt) => out.includes('frame 3') && interrupt() });
    expect(status).toBe(130);
  });

  it('lists methods', async () => {
    const [{ methods, presets }] = documents((await thalweg(['methods', '--json'])).out) as [{ methods: { stage: string; name: string }[]; presets: { name: string }[] }];
    expect(presets.map(({ name }) => name)).toEqual(['thalweg', 'dense']);
    expect(methods.map(({ stage, name }) => `${stage}/${name}`)).toEqual(expect.arrayContaining(['gate/every-frame', 'gate/router', 'memory/dense', 'memory/fifo', 'memory/uniform', 'vision/all', 'vision/router']));
  });

  it('finds this installation well', async () => {
    const { status, out } = await thalweg(['doctor', '--json']);
    expect(documents(out)[0]).toMatchObject({ ok: true });
    expect(status).toBe(0);
  });

  it('shows help with examples for every command', async () => {
    for (const command of ['demo', 'ask', 'watch', 'chat', 'pull', 'inspect', 'methods', 'bench', 'doctor', 'retrofit', 'world make', 'world suite', 'train nano', 'train router']) {
      const { status, out } = await thalweg([...command.split(' '), '--help']);
      expect(status).toBe(0);
      expect(out).toContain('Examples:\n  ');
    }
  });

  it.each([
    ['a missing video', () => withModel('ask', join(folder, 'absent.mp4'), 'What?'), /absent\.mp4/],
    ['a video that is none', () => withModel('ask', join(model, 'config.json'), 'What?'), /config\.json/],
    ['a missing model', () => ['ask', video, 'What?', '--model', 'no/model'], /thalweg pull no\/model/],
    ['an unknown method', () => withModel('ask', video, 'What?', '--memory', 'elephant'), /one of dense, .*fifo, /],
    ['a wrong option of a method', () => withModel('ask', video, 'What?', '--memory-option', 'framez=3'), /framez/],
    ['a memory that holds nothing', () => withModel('ask', video, 'What?', '--memory', 'dense', '--memory-mib', '0.01'), /memory/],
    ['an empty question', () => ['ask', 'absent.mp4', 'What?', ' ', '--model', 'no/model'], /a question is empty/],
    ['an empty question in rounds', () => ['watch', 'absent.mp4', '--ask', '', '--model', 'no/model'], /a question is empty/],
    ['video and questions both on standard input', () => withModel('chat', '-'), /questions come from standard input/],
    ['an option name that is none', () => withModel('ask', video, 'What?', '--memory-option', '__proto__=1'), /--memory-option/],
    ['a model of no name', () => ['ask', video, 'What?', '--model', ' '], /--model.*expected a name/],
    ['no argument', () => ['ask', '--model', model], /missing required argument 'video'/],
    ['an unknown command', () => ['swim'], /unknown command 'swim'/],
    ['a rate of nothing', () => withModel('ask', video, 'What?', '--fps', '0'), /--fps.*expected a number above 0/],
    ['a length of nothing', () => withModel('ask', video, 'What?', '--duration', '0'), /--duration.*expected a time above 0/],
    ['a model name that leads out of the cache', () => ['pull', '../..'], /owner\/name/],
    ['an unknown method of a benchmark', () => ['bench', '--suite', 'world-ego', '--method', 'nope'], /unknown method/],
    ['a broken checkpoint', () => ['ask', video, 'What?', '--model', folder], /config\.json/],
  ])('explains %s', async (_, args, message) => {
    const [{ status, out, err }, json] = await Promise.all([thalweg(args()), thalweg([...args(), '--json'])]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^error: /);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/at .*\.ts:/);
    expect(documents(json.out)).toHaveLength(1);
    expect(json.status).toBe(2);
    expect(documents(json.out)[0]).toMatchObject({ kind: 'error', message: expect.stringMatching(message) as string });
  });

  it('explains itself when no command is given', async () => {
    const { status, out, err } = await thalweg([]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/Usage: thalweg[\s\S]*error: no command\n/);
  });

  it('refuses malformed options with the reason', async () => {
    const { status, err } = await thalweg(withModel('ask', video, 'What?', '--fps', 'fast'));
    expect(status).toBe(2);
    expect(err).toMatch(/fps.*expected a number above 0/);
  });

  it('reads a video from standard input through a pipe', async () => {
    await writeFile(join(folder, 'empty.mp4'), '');
    const { status, err } = await thalweg(withModel('ask', '-', 'What?'), { input: '' });
    expect(status).toBe(2);
    expect(err).toMatch(/^error: /);
  });
});
