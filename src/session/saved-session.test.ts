// Sessions in files: another engine goes on with the same answers; live streams follow by the clock; what does not fit is refused and kept.
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import type { RawFrame } from '../source/raw-frames.ts';
import type { Answer, SessionEvent } from './contract.ts';
import { openModel, type Model } from './model.ts';
import { openStream, type StreamOptions } from './open-stream.ts';

let folder: string;
let model: Model;
/** The same checkpoint in another thread, as another process has it. */
let another: Model;
const open = (name: string) => openModel({ model: join(folder, name), precision: 'float32', cache: join(folder, 'cache'), threads: 1 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-saved-'));
  await writeRandomCheckpoint(join(folder, 'model'), 'smolvlm-tiny', { seed: 5, dtype: 'float32' });
  [model, another] = [await open('model'), await open('model')];
});

afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await another[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A still picture in which something moves at some of the frames, two a second. */
function* pictures(count: number, from = 0): Generator<RawFrame> {
  for (let i = from; i < count; i++) {
    const rgb = Uint8Array.from({ length: 64 * 48 * 3 }, (_, at) => (at * 7) & 127);
    for (let row = 10; row < 30; row++) rgb.fill(250, (row * 64 + 4 * Math.floor(i / 3)) * 3, (row * 64 + 4 * Math.floor(i / 3) + 16) * 3);
    yield { timeSec: i / 2, widthPx: 64, heightPx: 48, rgb };
  }
}

const watching = (options: Partial<StreamOptions> = {}) => openStream({ source: pictures(16), sourceOptions: { fps: 2 }, model, memoryMiB: 8, drive: 'manual', ...options });
const short = { maxTokens: 6 } as const;

describe.each([
  ['everything kept', { method: 'dense' }],
  ['the default preset', {}],
  ['slots in 8 bits, whole frames going', { memory: 'fifo', memoryOptions: { frames: 3, slotFormat: 'int8' } }],
  ['slots chosen head by head', { memory: 'infinipot-v', memoryOptions: { slots: 40 } }],
] as const)('%s', (name, options) => {
  it('goes on elsewhere with the same answers', async () => {
    const file = join(folder, `${name}.session`);
    await using session = await watching(options);
    await session.advanceTo(3);
    const before = await session.ask('What was there?', short);
    await session.save(file);
    await using later = await watching({ ...options, model: another, sessionFile: file });
    expect((await later.memory()).slots).toBe((await session.memory()).slots);
    for (const either of [session, later]) await either.advanceTo(6);
    const answers = await Promise.all([session, later].map((either) => either.ask('And what is there now?', short)));
    const [{ text, slotsRead, memory: { slots, tokensSeen, liveBytes } }, other] = answers as [Answer, Answer];
    expect(other).toMatchObject({ text, slotsRead, memory: { slots, tokensSeen, liveBytes }, timeSec: 6, frames: 13 });
    expect(before.text).not.toBe('');
  });
});

describe('the file of a session', () => {
  it('is written when the session ends, and at intervals; a second run goes on behind it', async () => {
    const file = join(folder, 'kept.session');
    const events: SessionEvent[] = [];
    // Left by a writer that was killed long ago; and what only looks like it.
    const partOf = (name: string) => join(folder, `.${name}.00000000-0000-4000-8000-000000000000.part`);
    for (const part of [partOf('kept.session'), partOf('other.session'), join(folder, '.kept.session.part')]) {
      await writeFile(part, 'half');
      await utimes(part, 1, 1);
    }
    {
      await using session = await watching({ source: pictures(8), sessionFile: file, saveEverySec: 0.05, onEvent: (event) => events.push(event) });
      await session.advanceTo(1);
      while (!events.some(({ kind }) => kind === 'saved')) await setTimeout(10);
      await session.advanceTo(Infinity);
    }
    const saved = events.filter((event) => event.kind === 'saved');
    expect(saved.map(({ file: to, error }) => [to, error])).toEqual(saved.map(() => [file, undefined]));
    const again: SessionEvent[] = [];
    await using session = await watching({ source: pictures(12), sessionFile: file, onEvent: (event) => again.push(event) });
    expect(again[0]).toMatchObject({ kind: 'opened', resumedSec: 3.5 });
    const reports = await session.advanceTo(Infinity);
    expect(reports.map(({ timeSec }) => timeSec)).toEqual([4, 4.5, 5, 5.5]);
    expect(await session.ask('What?', short)).toMatchObject({ frames: 12, timeSec: 5.5 });
    expect((await readdir(folder)).filter((entry) => entry.includes('.part')).map((entry) => join(folder, entry)).sort()).toEqual([join(folder, '.kept.session.part'), partOf('other.session')].sort());
  });

  it('can be asked when the stream has nothing more', async () => {
    const file = join(folder, 'over.session');
    const ask = async () => {
      await using session = await watching({ source: pictures(4), sessionFile: file });
      await session.advanceTo(Infinity);
      return (await session.ask('What?', { ...short, remember: false })).text;
    };
    expect(await ask()).toBe(await ask());
  });

  it('lets a live stream follow by the clock', async () => {
    const file = join(folder, 'live.session');
    const times = async () => {
      await using session = await watching({ source: pictures(4), sourceOptions: { live: true, whenSlow: 'wait' }, sessionFile: file });
      return (await session.advanceTo(Infinity)).map(({ timeSec }) => timeSec);
    };
    const first = await times();
    await setTimeout(300);
    const second = await times();
    expect(second).toHaveLength(first.length);
    expect(second[0]! - first.at(-1)!).toBeGreaterThan(0.3);
    expect(second[0]! - first.at(-1)!).toBeLessThan(60);
  });

  it.each<[string, () => Promise<Partial<StreamOptions>>, RegExp]>([
    ['another memory method', () => Promise.resolve({ memory: 'fifo' }), /another memory method.*fifo.*uniform/],
    ['other options', () => Promise.resolve({ memory: 'uniform', memoryOptions: { frames: 3 } }), /another memory method.*"frames":3.*"frames":5/],
    ['a cap that is too small', () => Promise.resolve({ memory: 'uniform', memoryOptions: { frames: 5 }, memoryMiB: 0.01 }), /larger than the cap.*raise memoryMiB/],
    ['another model', async () => {
      await writeRandomCheckpoint(join(folder, 'stranger'), 'smolvlm-tiny', { seed: 6, dtype: 'float32' });
      return { memory: 'uniform', memoryOptions: { frames: 5 }, model: { model: join(folder, 'stranger'), precision: 'float32', cache: join(folder, 'cache'), threads: 1 } };
    }, /another model.*stranger/],
  ])('is refused and left alone under %s', async (_, options, message) => {
    const file = join(folder, 'uniform.session');
    {
      await using session = await watching({ memory: 'uniform', memoryOptions: { frames: 5 }, sessionFile: file });
      await session.advanceTo(2);
    }
    const bytes = await readFile(file);
    await expect(watching({ ...(await options()), sessionFile: file })).rejects.toThrow(message);
    expect(await readFile(file)).toEqual(bytes);
    await rm(file);
  });

  it('that is none is refused and left alone', async () => {
    const file = join(folder, 'note.txt');
    await writeFile(file, 'not a session at all');
    await expect(watching({ sessionFile: file })).rejects.toMatchObject({ code: 'SAVED_FILE' });
    expect(await readFile(file, 'utf8')).toBe('not a session at all');
  });

  it('that cannot be written is told when the session ends', async () => {
    const session = await watching({ sessionFile: join(folder, 'nowhere', 'a.session') });
    await session.advanceTo(1);
    await expect(session[Symbol.asyncDispose]()).rejects.toMatchObject({ code: 'SAVED_FILE' });
  });
});
