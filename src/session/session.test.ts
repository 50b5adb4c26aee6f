// Sessions over a small random checkpoint: dialogue, timing of questions, undoing, failures, disposal.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import type { RawFrame } from '../source/raw-frames.ts';
import type { SessionEvent } from './contract.ts';
import { openModel, type Model } from './model.ts';
import { openStream, type StreamOptions } from './open-stream.ts';

let folder: string;
let model: Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-session-'));
  await writeRandomCheckpoint(join(folder, 'model'), 'smolvlm-tiny', { seed: 5, dtype: 'float32' });
  model = await openModel({ model: join(folder, 'model'), precision: 'float32', cache: join(folder, 'cache'), threads: 1 });
});

afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Pictures whose brightness changes with time, two a second. */
function* pictures(count: number): Generator<RawFrame> {
  for (let i = 0; i < count; i++) {
    const rgb = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => (at * (i + 1) * 7) & 255);
    yield { timeSec: i / 2, widthPx: 32, heightPx: 32, rgb };
  }
}

const open = (options: Partial<StreamOptions> = {}) => openStream({ source: pictures(8), sourceOptions: { fps: 2 }, model, method: 'dense', memoryMiB: 8, ...options });
const short = { maxTokens: 6 } as const;

describe('a session', () => {
  it('watches to the end and answers then', async () => {
    await using session = await open();
    const summary = await session.ended;
    expect(summary).toMatchObject({ frames: 8, dropped: 0, mediaSec: 3.5 });
    const answer = await session.ask('What?', short);
    expect(answer).toMatchObject({ question: 'What?', timeSec: 3.5, frames: 8 });
    expect(answer.tokens).toBeGreaterThan(0);
    expect(answer.timings.firstTokenMs).toBeLessThanOrEqual(answer.timings.totalMs);
  });

  it('gives the same answers each time it is run', async () => {
    const texts = [];
    for (let round = 0; round < 2; round++) {
      await using session = await open();
      await session.ended;
      texts.push((await session.ask('What happens?', { ...short, temperature: 1, seed: 3 })).text);
    }
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe('');
  });

  it('puts a question when the stream reaches its time, with just the frames until then', async () => {
    await using session = await open({ drive: 'manual' });
    const early = session.ask('First?', { ...short, atSec: 1 });
    const late = session.ask('Second?', { ...short, atSec: 2.6 });
    await session.advanceTo(Infinity);
    expect(await early).toMatchObject({ timeSec: 1, frames: 3 });
    expect(await late).toMatchObject({ timeSec: 2.5, frames: 6 });
  });

  it('forgets a question that is not to be remembered, to the last number', async () => {
    const ask = async (extra: boolean) => {
      await using session = await open({ drive: 'manual' });
      await session.advanceTo(1);
      if (extra) await session.ask('Something else entirely?', { ...short, remember: false });
      await session.advanceTo(2);
      const { text, memory } = await session.ask('And now?', short);
      return { text, slots: memory.slots, tokensSeen: memory.tokensSeen };
    };
    expect(await ask(true)).toEqual(await ask(false));
  });

  it('remembers the dialogue otherwise', async () => {
    await using session = await open();
    await session.ended;
    const { slots } = await session.memory();
    await session.ask('What?', short);
    const after = await session.memory();
    expect(after.slots).toBeGreaterThan(slots);
  });

  it('streams text in pieces that join to the answer', async () => {
    await using session = await open();
    await session.ended;
    const answer = session.ask('Tell.', { maxTokens: 20 });
    let joined = '';
    for await (const piece of answer) joined += piece;
    expect(joined).toBe((await answer).text);
  });

  it('tells what happens in order', async () => {
    const events: SessionEvent[] = [];
    await using session = await open({ onEvent: (event) => events.push(event) });
    await session.ask('What?', { ...short, atSec: 0.5 });
    await session.ended;
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== 'text');
    expect(kinds).toEqual(['opened', 'frame', 'frame', 'question', 'answer', ...Array<string>(6).fill('frame'), 'ended']);
  });

  it('never exceeds its cap, and keeps its last frames under fifo', async () => {
    await using session = await open({ source: pictures(60), memory: 'fifo', memoryOptions: { frames: 4 }, memoryMiB: 0.2 });
    let most = 0;
    session.subscribe((event) => {
      if (event.kind === 'frame') most = Math.max(most, event.memory.allocatedBytes);
    });
    const { frames, memory } = await session.ended;
    expect(frames).toBe(60);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(memory!.capBytes);
  });

  it('ends with a capacity error when a dense memory is full, and can be asked no less', async () => {
    await using session = await open({ source: pictures(200), memory: 'dense', memoryMiB: 0.2 });
    await expect(session.ended).rejects.toMatchObject({ code: 'MEMORY_FULL' });
    expect((await session.memory()).tokensSeen).toBeGreaterThan(0);
  });

  it('keeps what it saw when the source fails', async () => {
    function* failing(): Generator<RawFrame> {
      yield* pictures(3);
      throw new Error('the camera fell');
    }
    await using session = await open({ source: failing() });
    await expect(session.ended).rejects.toThrow('the camera fell');
    expect(await session.ask('What was there?', short)).toMatchObject({ frames: 3 });
  });

  it('stops when told to, and answers what was still to be asked', async () => {
    await using session = await open({ drive: 'manual' });
    await session.advanceTo(0.5);
    const pending = session.ask('Later?', { ...short, atSec: 100 });
    const summary = await session.stop();
    expect(summary.frames).toBe(2);
    expect(await pending).toMatchObject({ frames: 2 });
  });

  it('lets an aborted question leave no trace', async () => {
    await using session = await open();
    await session.ended;
    const before = await session.memory();
    const controller = new AbortController();
    const answer = session.ask('Tell me a long story.', { maxTokens: 2000, signal: controller.signal });
    await expect(
      (async () => {
        for await (const piece of answer) if (piece) controller.abort();
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(await session.memory()).toMatchObject({ slots: before.slots, tokensSeen: before.tokensSeen });
    expect((await session.ask('Short?', short)).tokens).toBeGreaterThan(0);
  });

  it('refuses questions that cannot be', async () => {
    await using session = await open();
    await session.ended;
    await expect(session.ask('  ').done).rejects.toMatchObject({ code: 'EMPTY_QUESTION' });
    await expect(session.ask('What?', { maxTokens: 0 }).done).rejects.toMatchObject({ kind: 'user' });
    await expect(session.ask('What?', { temperature: -1 }).done).rejects.toMatchObject({ code: 'BAD_OPTION' });
    await expect(session.ask('What?', { stop: [() => 1] as never }).done).rejects.toMatchObject({ code: 'BAD_OPTION' });
    await expect(session.ask(5 as never).done).rejects.toMatchObject({ code: 'EMPTY_QUESTION' });
  });

  it('drops questions that wait when it is disposed of', async () => {
    const session = await open({ drive: 'manual' });
    await session.advanceTo(0);
    const waiting = session.ask('Never?', { atSec: 50 });
    await session[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
    await expect(waiting.done).rejects.toMatchObject({ code: 'SESSION_DISPOSED' });
  });

  it('serves several streams of one model without mixing them', async () => {
    const alone = async () => {
      await using session = await open();
      await session.ended;
      return (await session.ask('What?', short)).text;
    };
    const expected = await alone();
    expect(await Promise.all([alone(), alone()])).toEqual([expected, expected]);
  });

  it('lets calls of advanceTo take turns', async () => {
    await using session = await open({ drive: 'manual' });
    const [first, second] = await Promise.all([session.advanceTo(1), session.advanceTo(3)]);
    expect(first.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(second.map(({ index }) => index)).toEqual([3, 4, 5, 6]);
    await expect(session.advanceTo(NaN)).rejects.toMatchObject({ code: 'BAD_TIME' });
  });

  it('goes on when a listener throws, and throws that where the program can see it', async () => {
    const seen: unknown[] = [];
    const catchers = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => seen.push(error.message));
    try {
      await using session = await open({
        onEvent: (event) => {
          if (event.kind === 'frame' || event.kind === 'text') throw new Error(`listener of ${event.kind}`);
        },
      });
      expect(await session.ended).toMatchObject({ frames: 8 });
      await session.ask('What?', { maxTokens: 20 });
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const catcher of catchers) process.on('uncaughtException', catcher);
    }
    expect(seen.filter((message) => message === 'listener of frame')).toHaveLength(8);
  });

  it('does not wait for a question whose signal has fired', async () => {
    await using session = await open({ drive: 'manual' });
    const reason = new Error('no longer wanted');
    await expect(session.ask('What?', { atSec: 3, signal: AbortSignal.abort(reason) }).done).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = session.ask('What?', { atSec: 3, signal: controller.signal });
    controller.abort('changed my mind');
    await expect(waiting.done).rejects.toMatchObject({ name: 'AbortError', message: 'changed my mind' });
    await session.advanceTo(Infinity);
    expect(session.summary().answers).toBe(0);
  });

  it('asks nothing before there is a frame to ask about', async () => {
    function* late(): Generator<RawFrame> {
      for (const picture of pictures(4)) yield { ...picture, timeSec: picture.timeSec + 5 };
    }
    await using session = await open({ source: late() });
    expect(await session.ask('What?', { ...short, atSec: 0 })).toMatchObject({ frames: 1, timeSec: 5 });
  });

  it('gives the events from the call of events() on, the end included', async () => {
    await using session = await open({ drive: 'manual' });
    const events = session.events();
    await session.advanceTo(Infinity);
    const kinds: string[] = [];
    for await (const { kind } of events) kinds.push(kind);
    expect(kinds).toEqual([...Array<string>(8).fill('frame'), 'ended']);
  });

  it('frees the stream of a failed session', async () => {
    function* failing(): Generator<RawFrame> {
      yield* pictures(1);
      throw new Error('the camera fell');
    }
    const session = await open({ source: failing() });
    await expect(session.ended).rejects.toThrow('the camera fell');
    const stream = await model.engine.call('open', { gate: 'every-frame', gateOptions: {}, memory: 'dense', memoryOptions: {}, memoryMiB: 1, vision: 'all', visionOptions: {}, limited: false });
    await session[Symbol.asyncDispose]();
    await expect(model.engine.call('memory', stream - 1)).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
    await model.engine.call('close', stream);
  });

  it('can be disposed of at any moment, with its own model, and twice at once', async () => {
    for (const waitMs of [0, 5, 20, 60]) {
      const session = await open({ model: { model: join(folder, 'model'), precision: 'float32', threads: 1 }, source: pictures(2000), memory: 'fifo' });
      const answer = session.ask('Tell a long story.', { maxTokens: 500 });
      await setTimeout(waitMs);
      await Promise.all([session[Symbol.asyncDispose](), session[Symbol.asyncDispose]()]);
      await expect(answer.done).rejects.toMatchObject({ code: 'SESSION_DISPOSED' });
      await expect(session.ask('Late?').done).rejects.toMatchObject({ code: 'SESSION_DISPOSED' });
    }
  });

  it('refuses wrong options by name', async () => {
    await expect(open({ memory: 'nonsense' })).rejects.toMatchObject({ code: 'UNKNOWN_METHOD' });
    await expect(open({ memory: 'fifo', memoryOptions: { frame: 3 } })).rejects.toMatchObject({ code: 'BAD_OPTION' });
    await expect(open({ model: undefined as never })).rejects.toMatchObject({ code: 'NO_MODEL_GIVEN' });
    await expect(open({ source: 5 as never })).rejects.toMatchObject({ code: 'NO_SOURCE_GIVEN' });
    await expect(open({ memoryMiB: -1 })).rejects.toMatchObject({ code: 'BAD_OPTION' });
    await expect(openModel({ model: join(folder, 'absent') })).rejects.toMatchObject({ code: 'NO_MODEL' });
  });
});

describe('a still picture', () => {
  it('under run lengths enters once, counts every frame, and is answered about', async () => {
    const still = Array.from({ length: 8 }, (_, i): RawFrame => ({ timeSec: i / 2, widthPx: 32, heightPx: 32, rgb: new Uint8Array(32 * 32 * 3).fill(90) }));
    const reports: { visualTokens: number; patchesRecomputed: number; slots: number }[] = [];
    const onEvent = (event: SessionEvent) => {
      if (event.kind === 'frame') reports.push({ visualTokens: event.visualTokens, patchesRecomputed: event.patchesRecomputed, slots: event.memory.slots });
    };
    await using session = await open({ source: still, vision: 'rlt', onEvent });
    await session.ended;
    const [first, ...others] = reports;
    expect(first!.visualTokens).toBe(model.info.tokensPerFrame);
    for (const other of others) expect(other).toEqual({ visualTokens: 0, patchesRecomputed: 0, slots: first!.slots });
    expect((await session.ask('What?', short)).frames).toBe(8);
  });
});
