// Two methods at work together: what the first merges the second keeps or drops, each head for itself where heads differ.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Decoder } from '../language/decoder.ts';
import { randomDecisions, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { frame, opening, play, probe } from '../language/stream.fixture.ts';
import { storedFrames } from './frames.ts';
import { memoryMethodNamed } from './registry.ts';
import { Memory } from './stage.ts';

let decoder: Decoder;
beforeAll(async () => {
  decoder = await Decoder.open(tinySpec, { ...randomDecoder(tinySpec, 3), decisions: randomDecisions(tinySpec, 'dmc', 4) }, { threads: 1, extra: { rawKeys: true } });
});
afterAll(() => decoder[Symbol.asyncDispose]());

describe('two methods', () => {
  test('merge+fifo merges what stays the same and keeps the latest frames of what does not', async () => {
    using memory = await Memory.open(tinySpec, { method: 'merge+fifo', options: { threshold: 0.999, frames: 5 } });
    await decoder.prefill(memory, opening(), { logits: 'none' });
    // Three frames that look alike, then frames that do not.
    for (let index = 0; index < 12; index++) await decoder.prefill(memory, frame(tinySpec, index, { look: Math.max(index, 2) }), { logits: 'none' });
    for (const head of memory.store.heads) expect(storedFrames(head).length).toBeLessThanOrEqual(5);
    expect(memory.store.heads.map((head) => storedFrames(head).at(-1)?.source)).toEqual(memory.store.heads.map(() => 11));
  });

  test('dmc+fifo has fewer slots than either alone', async () => {
    const slots: Record<string, number> = {};
    for (const method of ['dmc+fifo', 'dmc', 'fifo']) {
      using memory = await Memory.open(tinySpec, { method, options: method === 'dmc' ? {} : { frames: 4 } });
      await play(decoder, memory, 0, 16);
      slots[method] = memory.report().slots;
    }
    expect(slots['dmc+fifo']).toBeLessThan(slots['dmc']!);
    expect(slots['dmc+fifo']).toBeLessThan(slots['fifo']!);
  });

  test('a second that would keep all changes nothing', async () => {
    using alone = await Memory.open(tinySpec, { method: 'dmc' });
    using both = await Memory.open(tinySpec, { method: 'dmc+uniform', options: { frames: 1000 } });
    for (const memory of [alone, both]) await play(decoder, memory, 0, 6);
    expect(await probe(decoder, both)).toEqual(await probe(decoder, alone));
  });

  test('a method without an end of its own gets one: dense+fifo is fifo', async () => {
    using fifo = await Memory.open(tinySpec, { method: 'fifo', options: { frames: 3 } });
    using both = await Memory.open(tinySpec, { method: 'dense+fifo', options: { frames: 3 } });
    for (const memory of [fifo, both]) await play(decoder, memory, 0, 9);
    expect(await probe(decoder, both)).toEqual(await probe(decoder, fifo));
  });

  test('hermes drops of what merge has left', async () => {
    using memory = await Memory.open(tinySpec, { method: 'merge+hermes', options: { threshold: 0.999, slots: 24 } });
    await play(decoder, memory, 0, 12);
    for (const { length } of memory.store.heads) expect(length).toBeLessThanOrEqual(24);
  });

  test('each head of an evictor keeps its own account when heads differ, and resumes from it', async () => {
    using memory = await Memory.open(tinySpec, { method: 'dmc+infinipot-v', options: { slots: 16 } });
    await play(decoder, memory, 0, 10);
    for (const { length } of memory.store.heads) expect(length).toBeLessThanOrEqual(16);
    using restored = await Memory.restore(tinySpec, structuredClone(memory.save()));
    for (const of of [memory, restored]) await play(decoder, of, 10, 14);
    expect(await probe(decoder, restored)).toEqual(await probe(decoder, memory));
  });
});

test.each([
  ['fifo+dmc', /would pool/],
  ['fifo+fifo', /twice/],
  ['merge+fifo+uniform', /too many/],
  ['merge+nothing', /unknown memory method/],
  ['rekv+merge', /cannot work together/],
])('%s is refused', async (name, message) => {
  await expect(memoryMethodNamed(name)).rejects.toThrow(message);
});

test('options of both are known, those of neither are not', async () => {
  await expect(Memory.open(tinySpec, { method: 'merge+fifo', options: { window: 3 } })).rejects.toThrow('window');
  expect((await Memory.open(tinySpec, { method: 'merge+fifo', options: { frames: 3 } })).options).toEqual({ frames: 3, threshold: 0.9 });
});
