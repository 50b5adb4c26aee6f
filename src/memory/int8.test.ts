// Slots in 8 bits: what they read as, that nothing drifts, and that methods work on them as on float32.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Decoder } from '../language/decoder.ts';
import { randomDecisions, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { largestDifference, play, probe, question } from '../language/stream.fixture.ts';
import { Int8Slots } from './int8-slots.ts';
import { Rotary, type RotaryLayout } from './rotary.ts';
import { SlotReader } from './slot-reader.ts';
import { bytesPerSlot, createColumns } from './slots.ts';
import { Memory } from './stage.ts';

describe.each<[RotaryLayout, number]>([['halves', 8], ['halves', 64], ['halves', 36], ['pairs', 12]])('a head of layout %s, %i wide', (layout, headWidth) => {
  const rotary = new Rotary({ headWidth, theta: 10_000, layout });
  const count = 9;
  const random = createRandom(headWidth);
  const keys = Float32Array.from({ length: count * headWidth }, () => random.next() * 4 - 2);
  const values = keys.map((value) => value * value);
  const columns = createColumns(count);
  columns.position.set(Array.from({ length: count }, (_, t) => 7 * t));

  function head(): Int8Slots {
    const slots = new Int8Slots(new SlotReader(rotary, 1, 1000), 0);
    slots.resize(count);
    slots.append(count, keys, values, 0, headWidth, columns);
    return slots;
  }

  test('reads within half a step of what was written, keys at their positions', () => {
    const slots = head();
    for (let slot = 0; slot < count; slot++) {
      const row = (of: Float32Array) => of.slice(slot * headWidth, (slot + 1) * headWidth);
      const step = (of: Float32Array) => Math.max(...row(of).map(Math.abs)) / 127;
      const expected = row(keys);
      rotary.turn(expected, 0, 7 * slot);
      // Two channels turn together: both errors reach each of them.
      expect(largestDifference(row(slots.keys), expected)).toBeLessThanOrEqual(0.5 * Math.SQRT2 * step(keys) + 1e-5);
      expect(largestDifference(row(slots.values), row(values))).toBeLessThanOrEqual(0.5 * step(values) + 1e-5);
    }
  });

  test('moved to other positions a thousand times and back it reads the same', () => {
    const slots = head();
    const before = slots.keys.slice();
    for (let i = 1; i <= 1000; i++) slots.reposition(3, i % 1000);
    expect(slots.keys).not.toEqual(before);
    slots.reposition(3, 21);
    expect(slots.keys.slice(0, before.length)).toEqual(before);
  });

  test('the last slot is known exactly, also after others went, and not once it has gone', () => {
    const slots = head();
    const [key, value] = [new Float32Array(headWidth), new Float32Array(headWidth)];
    slots.move(2, 7, 2);
    slots.truncate(4);
    slots.read(3, key, value);
    expect(key).toEqual(keys.slice((count - 1) * headWidth));
    slots.truncate(3);
    slots.read(2, key, value);
    expect(key).not.toEqual(keys.slice(7 * headWidth, 8 * headWidth));
    expect(largestDifference(key, keys.slice(7 * headWidth, 8 * headWidth))).toBeLessThan(2 / 127);
  });
});

describe('a memory', () => {
  const int8 = { slotFormat: 'int8' };
  let decoder: Decoder;
  let small: Decoder;
  beforeAll(async () => {
    const packed = { ...randomDecoder(tinySpec, 3), decisions: randomDecisions(tinySpec, 'dmc', 4) };
    decoder = await Decoder.open(tinySpec, packed, { threads: 1, extra: { rawKeys: true } });
    small = await Decoder.open(tinySpec, packed, { threads: 1, chunkTokens: 5, extra: { rawKeys: true } });
  });
  afterAll(async () => {
    await decoder[Symbol.asyncDispose]();
    await small[Symbol.asyncDispose]();
  });
  const open = (method: string, options: Readonly<Record<string, unknown>> = int8) => Memory.open(tinySpec, { method, options });

  test('takes a quarter of the bytes of keys and values, and says what a slot takes', async () => {
    using exact = await open('dense', {});
    using memory = await open('dense');
    for (const of of [exact, memory]) await play(decoder, of, 0, 10);
    const [all, less] = [exact.report(), memory.report()];
    const columns = 37;
    expect(all).toMatchObject({ slotFormat: 'float32', bytesPerSlot: 2 * 4 * 8 + columns });
    expect(less).toMatchObject({ slotFormat: 'int8', bytesPerSlot: 2 * (8 + 4) + columns, slots: all.slots });
    expect(less.liveBytes).toBe(less.slots * less.bytesPerSlot + 6 * 2 * 8 * 4);
    expect(bytesPerSlot(64) - columns).toBe(512);
    expect(bytesPerSlot(64, 'int8') - columns).toBe(136);
    const logits = await probe(decoder, exact);
    const rounded = await probe(decoder, memory);
    expect(largestDifference(rounded, logits)).toBeGreaterThan(0);
    expect(largestDifference(rounded, logits)).toBeLessThan(0.25);
  });

  test.each(['dmc', 'merge', 'fifo', 'streaming-llm', 'rekv', 'infinipot-v', 'dmc+fifo'])('under %s goes on after saving with the same bits, and undoes a question', async (method) => {
    using memory = await open(method, { ...int8, ...(method === 'streaming-llm' && { window: 24 }), ...(method.endsWith('fifo') && { frames: 4 }) });
    await play(decoder, memory, 0, 8);
    const first = await probe(decoder, memory);
    expect(await probe(decoder, memory)).toEqual(first);
    using restored = await Memory.restore(tinySpec, structuredClone(memory.save()));
    expect(restored.report()).toMatchObject({ slots: memory.report().slots, slotFormat: 'int8' });
    for (const of of [memory, restored]) {
      await decoder.prefill(of, question(0), { logits: 'none' });
      await play(decoder, of, 8, 11);
    }
    expect(await probe(decoder, restored)).toEqual(await probe(decoder, memory));
  });

  test('pools the same in chunks of any size: the open slot is not rounded in between', async () => {
    const kept = [];
    for (const by of [decoder, small]) {
      using memory = await open('dmc');
      await play(by, memory, 0, 8);
      kept.push({ lengths: memory.store.heads.map(({ length }) => length), logits: await probe(by, memory) });
    }
    expect(kept[1]!.lengths).toEqual(kept[0]!.lengths);
    expect(largestDifference(kept[1]!.logits, kept[0]!.logits)).toBeLessThan(0.02);
  });

  test('of another format is not restored, and an unknown format is refused', async () => {
    using memory = await open('dense');
    await play(decoder, memory, 0, 1);
    await expect(open('dense', { slotFormat: 'int4' })).rejects.toThrow('slotFormat');
    using other = await open('dense', {});
    expect(() => other.store.restore(memory.save().store)).toThrow('another format');
  });
});
