// How tokens arrive in a memory: with gaps where others were not passed on, standing for several, standing on; and looks that close gaps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Decoder, type Piece } from '../language/decoder.ts';
import { firstLayers, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { frame, largestDifference, opening, play, probe, question, tokensPerFrame } from '../language/stream.fixture.ts';
import { defineMemoryMethod, type MemoryStream } from './method.ts';
import { kindCode } from './slots.ts';
import { Memory } from './stage.ts';

// In one layer keys depend on token and position alone, so that runs over different tokens are comparable.
const spec = { ...tinySpec, layers: 1 };
const width = spec.headWidth;
let decoder: Decoder;
beforeAll(async () => {
  decoder = await Decoder.open(spec, firstLayers(randomDecoder(tinySpec, 3), 1), { threads: 1, chunkTokens: 4 });
});
afterAll(() => decoder[Symbol.asyncDispose]());

const dense = (context = spec.contextLength) => Memory.open({ ...spec, contextLength: context }, { method: 'dense' });
const positions = (memory: Memory) => [...memory.store.head(0, 0).position.subarray(0, memory.store.head(0, 0).length)];

/** Text that begins at a gap, each token standing for so many. */
const text = (ids: readonly number[], gap: number, tokens?: readonly number[]): Piece => ({
  kind: 'ids',
  ids,
  origin: { kind: 'question', source: 0, timeSec: 0, gap, ...(tokens && { tokens: Float32Array.from(tokens) }) },
});

describe('gaps', () => {
  test('a token behind a gap has the very key that it has where nothing was left out', async () => {
    using whole = await dense();
    using gappy = await dense();
    await decoder.prefill(whole, [text([1, 2, 3, 4, 5, 6, 7, 8, 9], 0)], { logits: 'none' });
    await decoder.prefill(gappy, [text([1, 2], 0), text([5, 6, 7, 8], 2)], { logits: 'none' });
    expect(positions(gappy)).toEqual([0, 1, 4, 5, 6, 7]);
    expect(gappy.position).toBe(8);
    expect(gappy.tokensSeen).toBe(6);
    const keys = (memory: Memory, slot: number) => memory.store.head(0, 1).keys.slice(slot * width, (slot + 1) * width);
    for (const [slot, was] of [0, 1, 4, 5, 6, 7].entries()) expect(largestDifference(keys(gappy, slot), keys(whole, was))).toBeLessThan(1e-6);
  });

  test('gaps close, order kept, when the stream passes the context', async () => {
    using memory = await dense(16);
    await decoder.prefill(memory, [text([1, 2], 0), text([3, 4], 9)], { logits: 'none' });
    expect(positions(memory)).toEqual([0, 1, 11, 12]);
    await decoder.prefill(memory, [text([5], 1), text([6], 2)], { logits: 'none' });
    expect(positions(memory)).toEqual([0, 1, 2, 3, 5, 8]);
  });

  test('a frame whose gaps closed is known as such until the next one comes', async () => {
    using memory = await dense(16);
const token = (source: number, gap: number): Piece => ({ kind: 'embeddings', data: new Float32Array(spec.width).fill(0.1), origin: { kind: 'visual', source, timeSec: source, gap } });
    const frame = (source: number) => [token(source, 1), token(source, 2)];
    await decoder.prefill(memory, frame(0), { logits: 'none' });
    expect([memory.gapsClosed, positions(memory)]).toEqual([false, [1, 4]]);
    memory.undo(memory.mark(13));
    expect([memory.gapsClosed, positions(memory)]).toEqual([true, [0, 1]]);
    await decoder.prefill(memory, frame(1), { logits: 'none' });
    expect(memory.gapsClosed).toBe(false);
  });
});

describe('counts', () => {
  test('a token that stands for two weighs as its twins do, under a method that never merges', async () => {
    using twins = await dense();
    await decoder.prefill(twins, [text([7, 8, 8, 9], 0)], { logits: 'none' });
    for (const head of twins.store.heads) twins.rotary.turn(head.keys, 2 * width, -1);
    using one = await dense();
    await decoder.prefill(one, [text([7, 8], 0, [1, 2]), text([9], 1)], { logits: 'none' });
    expect([...one.store.head(0, 0).tokens.subarray(0, 3)]).toEqual([1, 2, 1]);
    const expected = (await decoder.prefill(twins, question(1))).slice();
    expect(largestDifference(await decoder.prefill(one, question(1)), expected)).toBeLessThan(1e-4);
  });

  test('counts follow their tokens into the next chunk', async () => {
    using memory = await dense();
    await decoder.prefill(memory, [text([1, 2, 3, 4, 5, 6], 0, [1, 2, 3, 4, 5, 6])], { logits: 'none' });
    expect([...memory.store.head(0, 1).tokens.subarray(0, 6)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('places whose last token was dropped are named, so that they can be shown again', async () => {
    using memory = await Memory.open(spec, { method: 'fifo', options: { frames: 1 } });
    const shown = (source: number, firstPlace: number): Piece => ({ kind: 'ids', ids: [1, 2], origin: { kind: 'visual', source, timeSec: source, firstPlace } });
    await decoder.prefill(memory, [shown(0, 0)], { logits: 'none' });
    expect([...memory.standOn(Int32Array.of(0, 1))]).toEqual([]);
    await decoder.prefill(memory, [shown(1, 1)], { logits: 'none' });
    expect([...memory.standOn(Int32Array.of(0, 1, 2))]).toEqual([0]);
    expect([...memory.store.head(0, 0).tokens.subarray(0, 2)]).toEqual([2, 2]);
  });

  test('the newest token of a place stands on; a saved memory weighs it alike', async () => {
    using memory = await dense();
    await play(decoder, memory, 0, 3);
    const before = await probe(decoder, memory);
    for (let index = 0; index < 9; index++) memory.standOn(Int32Array.of(1, 3));
    for (const head of memory.store.heads) {
      const stands = Array.from({ length: head.length }, (_, slot) => slot).filter((slot) => head.tokens[slot]! > 1);
      expect(stands.map((slot) => [head.source[slot], head.place[slot], head.tokens[slot], head.kind[slot]])).toEqual([[2, 1, 10, kindCode.visual], [2, 3, 10, kindCode.visual]]);
    }
    const after = await probe(decoder, memory);
    expect(largestDifference(after, before)).toBeGreaterThan(1e-3);
    using restored = await Memory.restore(spec, memory.save());
    expect(await probe(decoder, restored)).toEqual(after);
  });
});

describe('looks that close gaps', () => {
  const picks = defineMemoryMethod<Readonly<Record<string, unknown>>>({
    summary: 'test',
    source: 'test',
    options: z.strictObject({}),
    needs: [],
    scope: 'layer',
    positions: 'look',
    scoreBias: 'none',
    open: (): MemoryStream => ({ select: (slots, { tokens }) => Int32Array.from({ length: slots.length }, (_, s) => s).filter((s) => slots.source[s] === -1 || slots.source[s]! === 2 || slots.source[s] === tokens.source[0]) }),
  });

  test('what was picked is seen as if nothing else had been; far more is stored than the context holds', async () => {
    using memory = Memory.with({ ...spec, contextLength: 24 }, 'picks', picks);
    await play(decoder, memory, 0, 20);
    const seen = await probe(decoder, memory);
    expect(memory.slotsRead).toBe((3 + tokensPerFrame + 3) * spec.kvHeads);
    expect(memory.report().longestHead).toBe(3 + 20 * tokensPerFrame);
    expect(positions(memory)).toEqual(Array.from({ length: 123 }, (_, position) => position));
    using only = await dense();
    await decoder.prefill(only, [...opening(), ...frame(spec, 2)], { logits: 'none' });
    expect(largestDifference(seen, await probe(decoder, only))).toBeLessThan(1e-4);
  });

  test('a pick that the context does not hold is an error, and leaves the memory as it was', async () => {
    using memory = Memory.with({ ...spec, contextLength: 24 }, 'all', { ...picks, open: () => ({ select: () => undefined }) });
    await play(decoder, memory, 0, 3);
    await expect(play(decoder, memory, 3, 4)).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    expect(memory.report().longestHead).toBe(3 + 3 * tokensPerFrame);
  });
});
