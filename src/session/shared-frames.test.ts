// Tests of shared frames: streams of one name answer as streams that each encode for themselves, and the encoder works once.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRenderer } from '../world/render.ts';
import { createWorld } from '../world/world.ts';
import type { FrameReport } from './contract.ts';
import { openModel, type Model } from './model.ts';
import { openStream, type StreamOptions } from './open-stream.ts';

let model: Model;
const folder = join(import.meta.dirname, '../../test/goldens/checkpoints/smolvlm-tiny');
const frames = [...createRenderer(createWorld({ seed: 5, split: 'train', footage: 'moving', durationSec: 6, activities: 'many', heldOut: false }), { widthPx: 96, heightPx: 72 }).frames(1)];

beforeAll(async () => {
  model = await openModel({ model: folder, precision: 'float32', threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());

async function watch(options: Partial<StreamOptions>): Promise<{ readonly frames: readonly FrameReport[]; readonly text: string; readonly slotsRead: number }> {
  await using session = await openStream({ model, source: frames, sourceOptions: { fps: 1 }, method: 'dense', drive: 'manual', ...options });
  const seen = await session.advanceTo(Infinity);
  const { text, slotsRead } = await session.ask('What is there?', { maxTokens: 8 });
  return { frames: seen, text, slotsRead };
}

test('a memory after another gets the same tokens without the encoder, and is told what they cost', async () => {
  const alone = await watch({ memory: 'fifo', memoryOptions: { frames: 3 } });
  const first = await watch({ share: 'clip' });
  const second = await watch({ share: 'clip', memory: 'fifo', memoryOptions: { frames: 3 } });
  expect(second.text).toBe(alone.text);
  expect(second.slotsRead).toBe(alone.slotsRead);
  expect(second.slotsRead).toBeLessThan(first.slotsRead);
  // The very times of the first stream: nothing was computed anew.
  expect(second.frames.map(({ timings }) => timings.visionMs)).toEqual(first.frames.map(({ timings }) => timings.visionMs));
  expect(alone.frames.map(({ timings }) => timings.visionMs)).not.toEqual(first.frames.map(({ timings }) => timings.visionMs));
  expect(second.frames.map(({ patchesRecomputed }) => patchesRecomputed)).toEqual(alone.frames.map(({ patchesRecomputed }) => patchesRecomputed));
});

test('another name is another video, and a method that leaves patches out computes for itself', async () => {
  const first = await watch({ share: 'one' });
  const other = await watch({ share: 'two' });
  expect(other.frames.map(({ timings }) => timings.visionMs)).not.toEqual(first.frames.map(({ timings }) => timings.visionMs));
  const sparse = await watch({ share: 'two', vision: 'rlt', visionOptions: { threshold: 0.5 } });
  expect(sparse.frames.map(({ patchesRecomputed }) => patchesRecomputed)).not.toEqual(other.frames.map(({ patchesRecomputed }) => patchesRecomputed));
});
