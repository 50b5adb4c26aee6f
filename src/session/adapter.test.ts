// Sessions over a model with a memory adapter: the stream's method finds what it needs, and says what it misses.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeAdapter } from '../models/adapter.fixture.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import type { RawFrame } from '../source/raw-frames.ts';
import { inspectModel } from './inspect-model.ts';
import { openModel, type Model } from './model.ts';
import { openStream } from './open-stream.ts';

let root: string;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'thalweg-adapter-'));
  folder = join(root, 'model');
  await writeRandomCheckpoint(folder, 'smolvlm-tiny', { seed: 5, dtype: 'float32' });
  const checkpoint = await openCheckpoint(folder);
  // Decisions that are even from the start: half of the tokens merge.
  await writeAdapter(checkpoint, join(folder, 'adapters', 'dmc-2x'), { kind: 'dmc', config: { offset: 0, ratio: 2 } });
  await writeAdapter(checkpoint, join(root, 'elsewhere'), { kind: 'dms', config: { offset: 0, window: 4 } });
});
afterAll(() => rm(root, { recursive: true }));

function* pictures(count: number): Generator<RawFrame> {
  for (let i = 0; i < count; i++) yield { timeSec: i / 2, widthPx: 32, heightPx: 32, rgb: Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => (at * (i + 1) * 7) & 255) };
}
const load = (adapter?: string) => openModel({ model: folder, precision: 'float32', cache: join(root, 'cache'), threads: 1, ...(adapter !== undefined && { adapter }) });
const watch = (model: Model, memory: string, memoryOptions = {}) => openStream({ source: pictures(6), sourceOptions: { fps: 2 }, model, method: 'dense', memory, memoryOptions, memoryMiB: 8 });

describe('a model with an adapter', () => {
  it('keeps fewer slots than tokens, in 8 bits too, and tells what each covers', async () => {
    await using model = await load('dmc-2x');
    expect(model.info.adapter).toEqual({ name: 'dmc-2x', kind: 'dmc', ratio: 2 });
    const bytes = [];
    for (const options of [{}, { slotFormat: 'int8' }]) {
      await using session = await watch(model, 'dmc', options);
      await session.ended;
      expect((await session.ask('What?', { maxTokens: 4 })).tokens).toBeGreaterThan(0);
      const report = await session.memory();
      const heads = await session.slots();
      const slots = heads.flatMap((head) => head.slots);
      expect(slots).toHaveLength(report.slots);
      expect(slots.some(({ sinceSec, timeSec, tokens }) => tokens > 1 && timeSec >= sinceSec)).toBe(true);
      expect(slots.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(report.tokensSeen * heads.length);
      expect(report.slots).toBeLessThan(0.8 * report.tokensSeen * heads.length);
      bytes.push(report.liveBytes);
    }
    expect(bytes[1]!).toBeLessThan(0.6 * bytes[0]!);
  });

  it('runs streams of other methods beside it, opening its decoder anew for what they need', async () => {
    await using model = await load(join(root, 'elsewhere'));
    for (const memory of ['fifo', 'dms', 'merge+hermes', 'infinipot-v']) {
      await using session = await watch(model, memory, memory === 'fifo' ? { slotFormat: 'int8' } : {});
      expect((await session.ended).frames).toBe(6);
    }
    await expect(watch(model, 'dmc')).rejects.toMatchObject({ code: 'ADAPTER_NEEDED' });
  });

  it('is listed with its adapters', async () => {
    expect((await inspectModel(folder)).adapters).toEqual([{ name: 'dmc-2x', kind: 'dmc', ratio: 2 }]);
  });
});
