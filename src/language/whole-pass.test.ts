// All layers in one run give what they give one by one, to the last slot, over heads of any lengths and slots of any count.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createRandom } from '../core/random.ts';
import { Memory } from '../memory/stage.ts';
import { defineMemoryMethod, type MemoryMethod } from '../memory/method.ts';
import { randomDecoder, tinySpec } from './decoder.fixture.ts';
import { Decoder, type Piece } from './decoder.ts';

const weights = randomDecoder(tinySpec, 11);
const random = createRandom(3);
const visual = Float32Array.from({ length: 9 * tinySpec.width }, () => random.next() - 0.5);
const text = (ids: readonly number[], source: number): Piece => ({ kind: 'ids', ids: Int32Array.from(ids), origin: { kind: 'question', source, timeSec: 0 } });
const pieces: readonly Piece[] = [
  text([5, 17, 3], 0),
  { kind: 'embeddings', data: visual, origin: { kind: 'visual', source: 0, timeSec: 0, tokens: Float32Array.of(1, 2, 1, 4, 1, 1, 3, 1, 1) } },
  text([60, 2, 44, 9, 21], 1),
];

/** Every head keeps other slots, and after a while another number of them. */
const ragged = defineMemoryMethod({
  summary: 'drops some slots, others in every head',
  source: 'this test',
  options: z.object({}),
  scope: 'head',
  scoreBias: 'log-count',
  positions: 'stream',
  needs: [],
  open: () => ({
    after(slots, _chunk, { layer, kvHead }) {
      const drop = layer * 2 + kvHead;
      return { kind: 'keep', slots: Int32Array.from({ length: slots.length }, (_, slot) => slot).filter((slot) => slot >= slots.length - 1 || (slot + drop) % (drop + 2) !== 0) };
    },
  }),
});

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

async function speak(decoder: Decoder, memory: Memory): Promise<Float32Array[]> {
  const seen = [(await decoder.prefill(memory, pieces, { logits: 'all' })).slice()];
  for (const token of [7, 31, 90]) seen.push((await decoder.step(memory, token, { kind: 'answer', source: 1, timeSec: 1 })).slice());
  await decoder.prefill(memory, [text([1, 2], 2)], { logits: 'none' });
  seen.push((await decoder.step(memory, 12, { kind: 'answer', source: 2, timeSec: 1 })).slice());
  return seen;
}

describe('all layers in one run', () => {
  let whole: Decoder;
  let layered: Decoder;
  beforeAll(async () => {
    whole = await Decoder.open(tinySpec, weights, { threads: 1 });
    layered = await Decoder.open(tinySpec, weights, { threads: 1, layered: true });
  });
  afterAll(async () => {
    await whole[Symbol.asyncDispose]();
    await layered[Symbol.asyncDispose]();
  });

  it.each([
    ['a memory that keeps all', undefined],
    ['heads of other lengths each, and slots that count for several tokens', ragged],
  ])('%s: the same logits and the same slots', async (_, method) => {
    const open = () => (method ? Promise.resolve(Memory.with(tinySpec, 'ragged', method as unknown as MemoryMethod)) : Memory.open(tinySpec, { method: 'dense' }));
    using a = await open();
    using b = await open();
    expect(a.actsBetweenLayers).toBe(false);
    const [one, other] = [await speak(whole, a), await speak(layered, b)];
    one.forEach((logits, i) => expect(largest(logits, other[i]!)).toBeLessThan(2e-5));
    expect(a.slotsRead).toBe(b.slotsRead);
    if (method) expect(new Set(a.store.heads.map(({ length }) => length)).size).toBeGreaterThan(2);
    a.store.heads.forEach((head, i) => {
      const like = b.store.heads[i]!;
      expect(head.length).toBe(like.length);
      expect(head.position.slice(0, head.length)).toEqual(like.position.slice(0, like.length));
      const end = head.length * tinySpec.headWidth;
      expect(largest(head.keys.subarray(0, end), like.keys.subarray(0, end))).toBeLessThan(2e-5);
      expect(largest(head.values.subarray(0, end), like.values.subarray(0, end))).toBeLessThan(2e-5);
    });
  });

  it('a chunk may begin anywhere: the same bits', async () => {
    using a = await Memory.open(tinySpec, { method: 'dense' });
    const expected = await speak(whole, a);
    for (const chunkTokens of [1, 4, 7]) {
      await using small = await Decoder.open(tinySpec, weights, { threads: 1, chunkTokens });
      using b = await Memory.open(tinySpec, { method: 'dense' });
      expect(await speak(small, b)).toEqual(expected);
    }
  });

  it('what was aborted leaves no trace', async () => {
    using a = await Memory.open(tinySpec, { method: 'dense' });
    using b = await Memory.open(tinySpec, { method: 'dense' });
    await whole.prefill(a, [pieces[0]!], { logits: 'none' });
    await whole.prefill(b, [pieces[0]!], { logits: 'none' });
    const abort = new AbortController();
    const prefill = whole.prefill(a, [pieces[2]!], { logits: 'none', signal: abort.signal });
    abort.abort();
    await expect(prefill).rejects.toThrow();
    expect(a.store.longestHead).toBe(3);
    expect(await whole.step(a, 4, { kind: 'answer', source: 1, timeSec: 0 }).then((logits) => logits.slice())).toEqual((await whole.step(b, 4, { kind: 'answer', source: 1, timeSec: 0 })).slice());
  });

  it('takes a chunk of any length whole or not at all', async () => {
    await using long = await Decoder.open(tinySpec, weights, { threads: 1, chunkTokens: 196 });
    using memory = await Memory.open(tinySpec, { method: 'dense', capBytes: 150 * 2 * tinySpec.layers * tinySpec.kvHeads * tinySpec.headWidth * 4 });
    const frame: Piece = { kind: 'embeddings', data: new Float32Array(196 * tinySpec.width), origin: { kind: 'visual', source: 0, timeSec: 0 } };
    await expect(long.prefill(memory, [frame], { logits: 'none' })).rejects.toMatchObject({ name: 'CapacityError' });
    expect(memory.report().slots).toBe(0);
  });
});
