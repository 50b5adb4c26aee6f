// Sessions with a gate and a budget, over a small random checkpoint: still scenes, what stands, presets, latency, and the cap of the memory.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import type { RawFrame } from '../source/raw-frames.ts';
import type { SessionEvent } from './contract.ts';
import { openModel, type Model } from './model.ts';
import { openStream, type StreamOptions } from './open-stream.ts';

let folder: string;
let model: Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-gated-'));
  await writeRandomCheckpoint(join(folder, 'model'), 'smolvlm-tiny', { seed: 5, dtype: 'float32' });
  model = await openModel({ model: join(folder, 'model'), precision: 'float32', cache: join(folder, 'cache'), threads: 1 });
});

afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A still picture in which something appears at some of the frames. */
function* scene(count: number, appears: (frame: number) => boolean, fps = 2): Generator<RawFrame> {
  for (let i = 0; i < count; i++) {
    const rgb = Uint8Array.from({ length: 64 * 48 * 3 }, (_, at) => (at * 7) & 127);
    if (appears(i)) for (let row = 10; row < 30; row++) rgb.fill(250, (row * 64 + 20) * 3, (row * 64 + 44) * 3);
    yield { timeSec: i / fps, widthPx: 64, heightPx: 48, rgb };
  }
}

/** Two pictures that differ in a corner. */
function* cornerChanges(): Generator<RawFrame> {
  for (const [i, [frame]] of [[...scene(1, () => false)], [...scene(1, () => false)]].entries()) {
    if (i > 0) for (let row = 0; row < 6; row++) frame!.rgb.fill(250, row * 64 * 3, (row * 64 + 8) * 3);
    yield { ...frame!, timeSec: i / 2 };
  }
}

async function watch(options: Partial<StreamOptions>) {
  const events: SessionEvent[] = [];
  const session = await openStream({ source: scene(12, (i) => i >= 6), sourceOptions: { fps: 2 }, model, memoryMiB: 8, onEvent: (event) => events.push(event), ...options });
  const frames = () => events.flatMap((event) => (event.kind === 'frame' ? [event] : []));
  return { session, events, frames, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
}

const short = { maxTokens: 4 } as const;

describe('the default preset', () => {
  it('skips what stands still, at no cost, and sees what changes', async () => {
    await using watched = await watch({});
    const { session, frames, events } = watched;
    const summary = await session.ended;
    expect(events[0]).toMatchObject({ kind: 'opened', method: 'thalweg', gate: 'difference', vision: 'difference', memory: 'merge' });
    const paths = frames().map(({ gate: { path, reason } }) => `${path} ${reason}`);
    expect(paths[0]).toBe('full first');
    expect(paths[6]).toBe('full changed');
    for (const [i, { gate, patchesRecomputed, visualTokens, timings, memory }] of frames().entries()) {
      if (gate.path !== 'skip') continue;
      expect({ patchesRecomputed, visualTokens, visionMs: timings.visionMs, prefillMs: timings.prefillMs }).toEqual({ patchesRecomputed: 0, visualTokens: 0, visionMs: 0, prefillMs: 0 });
      expect(memory.slots).toBe(frames()[i - 1]!.memory.slots);
    }
    expect(summary.paths).toMatchObject({ cheap: 0, skip: 10, full: 2 });
    expect(summary).toMatchObject({ frames: 12, mediaSec: 5.5 });
    // The clock went on: the question is about the last frame.
    expect(await session.ask('What?', short)).toMatchObject({ frames: 12, timeSec: 5.5 });
  });

  it('shows a question the whole newest frame, and keeps no more of it for that', async () => {
    const what = { gate: 'every-frame', vision: 'difference', memory: 'dense', memoryOptions: {} } as const;
    const asked = async (heldBack: 'shown' | 'hidden') => {
      await using watched = await watch({ ...what, visionOptions: { threshold: 0.04, heldBack, refreshFrames: 0, spread: 1 }, source: cornerChanges() });
      await watched.session.ended;
      const before = await watched.session.memory();
      const first = await watched.session.ask('What?', short);
      const again = await watched.session.ask('And now?', short);
      return { before, first, again, after: await watched.session.memory(), newest: watched.frames().at(-1)! };
    };
    const [shown, hidden] = [await asked('shown'), await asked('hidden')];
    const left = model.info.tokensPerFrame - shown.newest.visualTokens;
    expect(left).toBeGreaterThan(0);
    expect([shown.first.shownTokens, shown.again.shownTokens, hidden.first.shownTokens]).toEqual([left, left, 0]);
    expect(shown.before).toEqual(hidden.before);
    const heads = shown.before.slots / shown.before.longestHead;
    expect(shown.first.memory.slots).toBe(shown.before.slots + left * heads);
    expect(shown.first.slotsRead - hidden.first.slotsRead).toBe(left * heads);
    // The dialogue alone is left of the question.
    expect(shown.after.slots - hidden.after.slots).toBe((shown.first.tokens + shown.again.tokens - hidden.first.tokens - hidden.again.tokens) * heads);
  });

  it('shows a question a frame that was passed over, where it would have stood', async () => {
    await using watched = await watch({ source: scene(7, () => false), memory: 'dense', memoryOptions: {} });
    await watched.session.ended;
    expect(watched.frames().at(-1)!.gate.path).toBe('skip');
    const before = await watched.session.memory();
    const [unkept, kept] = [await watched.session.ask('What?', { ...short, remember: false }), await watched.session.ask('What?', short)];
    expect([unkept.shownTokens, kept.shownTokens]).toEqual([model.info.tokensPerFrame, model.info.tokensPerFrame]);
    expect(kept.text).toBe(unkept.text);
    expect(unkept.memory.tokensSeen).toBe(before.tokensSeen + model.info.tokensPerFrame);
  });

  it('shows what still stands again when the memory let it go', async () => {
    await using watched = await watch({ source: scene(40, (i) => i % 8 === 5), memory: 'fifo', memoryOptions: { frames: 1 }, vision: 'all' });
    const { session, frames } = watched;
    await session.ended;
    // Of every frame that leaves a gap in the memory nothing is lost: all places are there at the end.
    const last = frames().at(-1)!;
    expect(last.memory.longestHead).toBeGreaterThanOrEqual(model.info.tokensPerFrame);
    expect(frames().filter(({ gate }) => gate.path === 'full').length).toBeLessThan(30);
  });

  it('is switched off by dense', async () => {
    await using watched = await watch({ method: 'dense' });
    const { session, frames, events } = watched;
    await session.ended;
    expect(events[0]).toMatchObject({ kind: 'opened', method: 'dense', gate: 'every-frame', vision: 'all', memory: 'dense' });
    for (const { gate, visualTokens, patchesRecomputed, patches } of frames()) expect({ path: gate.path, visualTokens, patchesRecomputed }).toEqual({ path: 'full', visualTokens: model.info.tokensPerFrame, patchesRecomputed: patches });
  });

  it('every gate works, and options reach it', async () => {
    for (const [gate, gateOptions] of [['every-frame', {}], ['difference', { threshold: 0.9, refreshSec: 2 }], ['scene-change', { everySec: 2 }], ['router', { price: 0 }]] as const) {
      await using watched = await watch({ gate, gateOptions });
      const { session, frames } = watched;
      expect((await session.ended).frames).toBe(12);
      expect(frames()).toHaveLength(12);
      if (gate === 'difference') expect(frames().filter(({ gate: { reason } }) => reason === 'refresh').length).toBeGreaterThanOrEqual(2);
    }
    await expect(watch({ gate: 'nonsense' })).rejects.toMatchObject({ code: 'UNKNOWN_METHOD' });
    await expect(watch({ gateOptions: { treshold: 1 } })).rejects.toMatchObject({ code: 'BAD_OPTION' });
    await expect(watch({ method: 'nonsense' })).rejects.toMatchObject({ code: 'UNKNOWN_METHOD' });
    await expect(watch({ maxLatencyMs: -1 })).rejects.toMatchObject({ code: 'BAD_OPTION' });
  });
});

describe('a budget', () => {
  it('files that wait for the reader are in no hurry: the same comes out with and without a latency that is never reached', async () => {
    const texts: string[] = [];
    for (const more of [{}, { maxLatencyMs: 60_000 }]) {
      await using watched = await watch({ method: 'dense', ...more });
      const { session, events } = watched;
      await session.ended;
      texts.push((await session.ask('What?', short)).text);
      expect(events.filter(({ kind }) => kind === 'budget')).toEqual([]);
      expect(session.summary().budget === undefined).toBe(!('maxLatencyMs' in more));
    }
    expect(texts[0]).toBe(texts[1]);
  });

  it('a stream that comes faster than it can be computed is kept up with: late frames are not looked at, and that is told', async () => {
    const random = createRandom(2);
    // A thousand frames a second: more than any machine computes.
    function* busy(): Generator<RawFrame> {
      for (let i = 0; i < 150; i++) yield { timeSec: i / 1000, widthPx: 64, heightPx: 48, rgb: Uint8Array.from({ length: 64 * 48 * 3 }, () => random.int(0, 256)) };
    }
    await using watched = await watch({ source: busy(), sourceOptions: { fps: 1000, whenSlow: 'wait', queueFrames: 200 }, method: 'dense', memory: 'fifo', memoryOptions: { frames: 4 }, realtime: true, maxLatencyMs: 60 });
    const { session, frames, events } = watched;
    const summary = await session.ended;
    expect(summary.frames).toBe(150);
    expect(summary.budget!.catchUps).toBeGreaterThan(0);
    expect(summary.budget!.skippedForTime).toBeGreaterThan(10);
    expect(frames().filter(({ gate: { reason } }) => reason === 'budget')).toHaveLength(summary.budget!.skippedForTime);
    const changes = events.flatMap((event) => (event.kind === 'budget' ? [event.change] : []));
    expect(changes).toContain('behind');
  });

  it('never breaks the cap of the memory, whatever the pressure', async () => {
    const random = createRandom(7);
    for (const memory of ['fifo', 'uniform', 'merge', 'streaming-llm', 'infinipot-v']) {
      const jumps = new Set(Array.from({ length: 20 }, () => random.int(0, 40)));
      await using watched = await watch({ source: scene(40, (i) => jumps.has(i)), method: 'dense', memory, memoryMiB: 0.25, realtime: false, maxLatencyMs: 0.5 + 20 * random.next() });
      const { session, frames } = watched;
      await session.ended;
      for (let i = 0; i < 3; i++) await session.ask('What?', { maxTokens: 2 });
      const { capBytes } = await session.memory();
      for (const { memory: report } of frames()) expect(report.allocatedBytes).toBeLessThanOrEqual(capBytes);
      expect((await session.memory()).allocatedBytes).toBeLessThanOrEqual(capBytes);
    }
  });
});
