// The memory stage under a decoder: caps, undo, aborts, re-basing, saving, and methods that pool, pick or merge.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createRandom } from '../core/random.ts';
import { Decoder, type Piece } from '../language/decoder.ts';
import { firstLayers, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { frame, largestDifference, opening, play, probe, question, tokensPerFrame } from '../language/stream.fixture.ts';
import { defineMemoryMethod, type MemoryStream, type MemoryMethod } from './method.ts';
import { segmentedScan } from './pooling.ts';
import { kindCode } from './slots.ts';
import { Memory } from './stage.ts';

const extra = { attention: true, rawKeys: true };
const weights = randomDecoder(tinySpec, 3);
const oneLayer = { ...tinySpec, layers: 1 };
let decoder: Decoder;
let shallow: Decoder;
beforeAll(async () => {
  decoder = await Decoder.open(tinySpec, weights, { threads: 1, extra });
  shallow = await Decoder.open(oneLayer, firstLayers(weights, 1), { threads: 1, extra });
});
afterAll(async () => {
  await decoder[Symbol.asyncDispose]();
  await shallow[Symbol.asyncDispose]();
});

/** A method made of a few decisions. */
function method(stream: () => MemoryStream, traits: Partial<MemoryMethod> = {}): MemoryMethod {
  return defineMemoryMethod<Readonly<Record<string, unknown>>>({ summary: 'test', source: 'test', options: z.strictObject({}), needs: [], scope: 'head', positions: 'stream', scoreBias: 'none', open: stream, ...traits });
}

const fifo = (frames: number, capBytes = Infinity, spec = tinySpec) => Memory.open(spec, { method: 'fifo', options: { frames }, capBytes });
const bytesPerToken = async () => (await fifo(1)).store.bytesPerSlot * tinySpec.layers * tinySpec.kvHeads;

describe('the cap', () => {
  test('a stream many times larger than the cap runs on, and allocated bytes never pass it', async () => {
    const cap = 50 * (await bytesPerToken());
    using memory = await fifo(1000, cap);
    let peak = 0;
    for (let index = 0; index < 60; index++) {
      await play(decoder, memory, index, index + 1);
      peak = Math.max(peak, memory.report().allocatedBytes);
    }
    expect(peak).toBeLessThanOrEqual(cap);
    expect(peak).toBeGreaterThan(0.8 * cap);
    expect(memory.report().liveBytes).toBe(memory.report().slots * memory.store.bytesPerSlot);
    expect(memory.tokensSeen).toBe(3 + 60 * tokensPerFrame);
  });

  test('a protected opening that does not fit is an error that says so, and the memory stays usable', async () => {
    using memory = await fifo(4, 20 * (await bytesPerToken()));
    await expect(decoder.prefill(memory, opening(Array.from({ length: 30 }, () => 1)))).rejects.toMatchObject({ code: 'MEMORY_FULL' });
    expect(memory.report().liveBytes).toBe(0);
    await play(decoder, memory, 0, 2);
    await expect(decoder.prefill(memory, opening(Array.from({ length: 18 }, () => 1)))).rejects.toMatchObject({ kind: 'capacity' });
    expect(await probe(decoder, memory)).toHaveLength(tinySpec.vocabulary);
  });

  test('when frames are used up the oldest turns of the dialogue go, whole', async () => {
    using memory = await fifo(4, 40 * (await bytesPerToken()));
    await play(decoder, memory, 0, 2);
    for (let turn = 0; turn < 20; turn++) await decoder.prefill(memory, question(turn, [1, 2, 3, 4, 5, 6, 7]), { logits: 'none' });
    const head = memory.store.head(0, 0);
    const turns = [...head.source.subarray(0, head.length)].filter((_, slot) => head.kind[slot] === kindCode.question);
    expect(turns.at(-1)).toBe(19);
    expect(turns.length % 7).toBe(0);
    expect(turns[0]).toBeGreaterThan(10);
  });
});

describe('undo', () => {
  test('a question undone leaves no trace: the next answer has the same bits', async () => {
    using memory = await fifo(3);
    await play(decoder, memory, 0, 8);
    const before = memory.report();
    const first = await probe(decoder, memory);
    expect({ ...memory.report(), allocatedBytes: 0 }).toEqual({ ...before, allocatedBytes: 0 });
    expect(await probe(decoder, memory)).toEqual(first);
  });

  test('a question kept changes what follows', async () => {
    using memory = await fifo(3);
    await play(decoder, memory, 0, 8);
    const fresh = await probe(decoder, memory);
    const mark = memory.mark(8);
    await decoder.prefill(memory, question(0), { logits: 'none' });
    memory.keep(mark);
    expect(largestDifference(await probe(decoder, memory), fresh)).toBeGreaterThan(1e-3);
  });

  test('room for the question is made when it is marked; nothing goes after that', async () => {
    using memory = await fifo(1000, 50 * (await bytesPerToken()));
    await play(decoder, memory, 0, 12);
    const mark = memory.mark(30);
    const slots = memory.report().slots;
    await decoder.prefill(memory, question(0, Array.from({ length: 30 }, (_, i) => i)), { logits: 'none' });
    expect(memory.report().slots).toBe(slots + 30 * tinySpec.layers * tinySpec.kvHeads);
    await expect(decoder.prefill(memory, question(0, Array.from({ length: 30 }, (_, i) => i)))).rejects.toMatchObject({ kind: 'capacity' });
    memory.undo(mark);
    expect(memory.report().slots).toBe(slots);
  });

  test('marks do not nest, and close once', async () => {
    using memory = await fifo(3);
    const mark = memory.mark(1);
    expect(() => memory.mark(1)).toThrow('under way');
    expect(() => memory.save()).toThrow('cannot be saved');
    memory.undo(mark);
    expect(() => memory.undo(mark)).toThrow('not the open one');
  });
});

test('an abort between layers takes the whole chunk back', async () => {
  using memory = await Memory.open(tinySpec, { method: 'dense' });
  using clean = await Memory.open(tinySpec, { method: 'dense' });
  await play(decoder, memory, 0, 3);
  await play(decoder, clean, 0, 3);
  const controller = new AbortController();
  // Half way: the stage is asked for the second layer.
  const write = memory.write.bind(memory);
  memory.write = (layer, made) => {
    if (layer === 1) controller.abort(new Error('enough'));
    write(layer, made);
  };
  await expect(decoder.prefill(memory, frame(tinySpec, 3), { signal: controller.signal })).rejects.toThrow('enough');
  memory.write = write;
  expect(memory.report().slots).toBe(clean.report().slots);
  expect(await probe(decoder, memory)).toEqual(await probe(decoder, clean));
});

describe('positions', () => {
  const short = { ...tinySpec, contextLength: 64 };

  test('an endless stream never leaves the trained context', async () => {
    using memory = await fifo(3, Infinity, short);
    for (let index = 0; index < 100; index++) {
      await play(decoder, memory, index, index + 1);
      expect(memory.position).toBeLessThanOrEqual(64);
      for (const head of memory.store.heads) {
        const positions = [...head.position.subarray(0, head.length)];
        expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
        expect(positions.at(-1)).toBe(memory.position - 1);
      }
    }
  });

  test('re-based keys give the logits of a fresh run at those positions', async () => {
    // In one layer keys depend on token and position alone, so that a fresh run over the same tokens is comparable.
    using memory = await fifo(3, Infinity, { ...oneLayer, contextLength: 40 });
    await play(shallow, memory, 0, 40);
    const mark = memory.mark(19);
    expect([...memory.store.head(0, 0).position.subarray(0, 21)]).toEqual(Array.from({ length: 21 }, (_, i) => i));
    using fresh = await Memory.open(oneLayer, { method: 'dense' });
    await shallow.prefill(fresh, opening(), { logits: 'none' });
    for (let index = 37; index < 40; index++) await shallow.prefill(fresh, frame(oneLayer, index), { logits: 'none' });
    expect(fresh.position).toBe(memory.position);
    const expected = await shallow.prefill(fresh, question(0));
    expect(largestDifference((await shallow.prefill(memory, question(0))).slice(), expected.slice())).toBeLessThan(1e-4);
    memory.undo(mark);
  });

  test('where all slots move together the logits stay: scores depend on distances', async () => {
    using memory = await fifo(4, Infinity, short);
    using far = await fifo(4);
    for (const of of [memory, far]) for (let index = 0; index < 60; index++) await decoder.prefill(of, frame(tinySpec, index), { logits: 'none' });
    expect(memory.position).toBeLessThan(far.position);
    expect(largestDifference(await probe(decoder, memory), await probe(decoder, far))).toBeLessThan(1e-3);
  });

  test('a question that crosses the end of the context can still be undone', async () => {
    using memory = await fifo(3, Infinity, short);
    await play(decoder, memory, 0, 7);
    const before = memory.position;
    const mark = memory.mark(4);
    await decoder.prefill(memory, question(0, Array.from({ length: 30 }, (_, i) => i)), { logits: 'none' });
    memory.undo(mark);
    expect(memory.position).toBeLessThan(before);
    // The same stream, re-based without a question.
    using other = await fifo(3, Infinity, short);
    await play(decoder, other, 0, 7);
    other.undo(other.mark(30));
    expect(other.position).toBe(memory.position);
    expect(memory.report().slots).toBe(other.report().slots);
    expect(await probe(decoder, memory)).toEqual(await probe(decoder, other));
  });

  test('a context that the memory fills is an error under dense', async () => {
    using memory = await Memory.open(short, { method: 'dense' });
    await expect(play(decoder, memory, 0, 20)).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
  });

  test('contiguous positions close the gaps of what was dropped', async () => {
    const drops = method(() => ({ before: (slots) => ({ kind: 'keep', slots: Int32Array.from({ length: slots.length }, (_, i) => i).filter((i) => i < 3 || i > 6) }) }), { scope: 'stream', positions: 'contiguous' });
    using memory = Memory.with(tinySpec, 'drops', drops);
    await play(decoder, memory, 0, 4);
    const head = memory.store.head(2, 1);
    expect([...head.position.subarray(0, head.length)]).toEqual(Array.from({ length: head.length }, (_, i) => i));
    expect(memory.position).toBe(head.length);
  });
});

test('a memory saved and restored goes on with the same bits', async () => {
  using memory = await fifo(3);
  await play(decoder, memory, 0, 8);
  const saved = structuredClone(memory.save());
  await play(decoder, memory, 8, 12);
  using restored = await Memory.restore(tinySpec, saved);
  await play(decoder, restored, 8, 12);
  expect(await probe(decoder, restored)).toEqual(await probe(decoder, memory));
  await expect(Memory.restore({ ...tinySpec, layers: 2 }, saved)).rejects.toThrow('another model');
  await expect(Memory.restore(tinySpec, saved, { capBytes: 100 })).rejects.toThrow('larger than the cap');
});

describe('plans', () => {
  test('a method that drops the opening is told so', async () => {
    using memory = Memory.with(tinySpec, 'greedy', method(() => ({ after: () => ({ kind: 'keep', slots: new Int32Array(0) }) })));
    await expect(decoder.prefill(memory, opening())).rejects.toMatchObject({ code: 'MEMORY_PLAN' });
  });

  test('merging averages keys before rotation by weight, and heads may differ', async () => {
    // Every other token joins the one before it, in the second head only.
    const pairs = method(() => ({
      after: (slots, { count }, { kvHead }) => (kvHead === 0 ? undefined : { kind: 'assign', to: Int32Array.from({ length: slots.length }, (_, s) => (s < slots.length - count ? s : slots.length - count + ((s - slots.length + count) >> 1))) }),
    }));
    using memory = Memory.with(tinySpec, 'pairs', pairs);
    using dense = await Memory.open(tinySpec, { method: 'dense' });
    for (const of of [memory, dense]) await decoder.prefill(of, frame(tinySpec, 0), { logits: 'none' });
    const [merged, plain] = [memory.store.head(1, 1), dense.store.head(1, 1)];
    expect([memory.store.head(1, 0).length, merged.length]).toEqual([6, 3]);
    expect([...merged.position.subarray(0, 3)]).toEqual([1, 3, 5]);
    expect([...merged.tokens.subarray(0, 3)]).toEqual([2, 2, 2]);
    const width = tinySpec.headWidth;
    const raw = (head: typeof plain, slot: number) => {
      const key = head.keys.slice(slot * width, (slot + 1) * width);
      memory.rotary.turn(key, 0, -head.position[slot]!);
      return key;
    };
    const mean = raw(plain, 2).map((value, d) => (value + raw(plain, 3)[d]!) / 2);
    expect(largestDifference(raw(merged, 1), mean)).toBeLessThan(1e-5);
    expect(largestDifference(merged.values.slice(width, 2 * width), plain.values.slice(2 * width, 3 * width).map((value, d) => (value + plain.values[3 * width + d]!) / 2))).toBeLessThan(1e-6);
    expect(await probe(decoder, memory)).toHaveLength(tinySpec.vocabulary);
  });

  test('a merged slot with the count bias weighs as much as its twins did', async () => {
    const same: Piece = { kind: 'ids', ids: [7, 8, 8, 9], origin: { kind: 'question', source: 0, timeSec: 0 } };
    const logits = [];
    for (const merges of [false, true]) {
      using memory = Memory.with(oneLayer, 'twins', method(() => ({}), { scoreBias: 'log-count' }));
      await shallow.prefill(memory, [same], { logits: 'none' });
      for (const head of memory.store.heads) {
        // Twins at one position: turn the third slot to the second's.
        memory.rotary.turn(head.keys, 2 * tinySpec.headWidth, -1);
        head.position[2] = 1;
        if (!merges) continue;
        head.tokens[1] = 2;
        head.move(2, 3, 1);
        head.truncate(3);
      }
      logits.push((await shallow.prefill(memory, question(1))).slice());
    }
    expect(largestDifference(logits[0]!, logits[1]!)).toBeLessThan(1e-4);
  });
});

describe('inline pooling', () => {
  const width = tinySpec.headWidth;
  /** Merges and weights that depend on place and position alone, so that chunks cannot matter. */
  const pools = method(() => ({
    pool: (_slots, { count, queries, rawKeys, offset, stride }, { layer, kvHead }) => {
      expect(queries.length).toBeGreaterThan(0);
      const of = (t: number) => Math.abs(rawKeys[offset + t * stride]!) % 1;
      return { merge: Uint8Array.from({ length: count }, (_, t) => Number(of(t) < 0.2 + 0.2 * layer + 0.1 * kvHead)), weight: Float32Array.from({ length: count }, (_, t) => 0.5 + of(t)) };
    },
  }), { needs: ['raw-keys'] });

  test('chunks of any size give the slots and logits of token by token; heads get lengths of their own', async () => {
    const results = [];
    for (const chunkTokens of [1, 5, 64]) {
      await using by = await Decoder.open(tinySpec, weights, { threads: 1, chunkTokens, extra });
      using memory = Memory.with(tinySpec, 'pools', pools);
      const random = createRandom(4);
      await by.prefill(memory, [{ kind: 'ids', ids: Array.from({ length: 40 }, () => random.int(0, tinySpec.vocabulary)), origin: { kind: 'question', source: 0, timeSec: 0 } }], { logits: 'none' });
      results.push({ lengths: memory.store.heads.map(({ length }) => length), tokens: memory.store.heads.map((head) => [...head.tokens.subarray(0, head.length)]), logits: await probe(by, memory) });
    }
    expect(new Set(results[0]!.lengths).size).toBeGreaterThan(2);
    expect(results[0]!.tokens[0]!.reduce((sum, count) => sum + count, 0)).toBe(40);
    for (const other of results.slice(1)) {
      expect(other.tokens).toEqual(results[0]!.tokens);
      expect(largestDifference(other.logits, results[0]!.logits)).toBeLessThan(1e-4);
    }
  });

  test('a question that merged into the last slot is undone exactly', async () => {
    using memory = Memory.with(tinySpec, 'pools', pools);
    await play(decoder, memory, 0, 5);
    expect(await probe(decoder, memory)).toEqual(await probe(decoder, memory));
  });

  test('a method that never merges gives the logits of dense', async () => {
    const never = method(() => ({ pool: (_slots, { count }) => ({ merge: new Uint8Array(count), weight: new Float32Array(count).fill(1) }) }), { needs: ['raw-keys'] });
    using memory = Memory.with(tinySpec, 'never', never);
    using dense = await Memory.open(tinySpec, { method: 'dense' });
    for (const of of [memory, dense]) await play(decoder, of, 0, 5);
    expect(largestDifference(await probe(decoder, memory), await probe(decoder, dense))).toBeLessThan(1e-4);
  });

  test('the scan by hand: one open slot of weight 2 takes two tokens, then a new slot begins', () => {
    const states = { keys: new Float32Array(3), values: new Float32Array(3), weight: new Float32Array(3), tokens: new Float32Array(3) };
    const data = Float32Array.of(3, 6, 9);
    segmentedScan({ data, offset: 0, stride: 1 }, { data, offset: 0, stride: 1 }, Uint8Array.of(1, 1, 0), Float32Array.of(1, 1, 4), Float32Array.of(1, 1, 1), 1, { key: Float32Array.of(0), value: Float32Array.of(1), weight: 2, tokens: 5 }, states);
    expect([...states.keys]).toEqual([1, 2.25, 9]);
    expect([...states.values]).toEqual([expect.closeTo(5 / 3), 2.75, 9]);
    expect([...states.weight]).toEqual([3, 4, 4]);
    expect([...states.tokens]).toEqual([6, 7, 1]);
    expect(width).toBe(8);
  });

  test('a method that needs raw keys is refused by a decoder that does not give them', async () => {
    await using plain = await Decoder.open(oneLayer, firstLayers(weights, 1), { threads: 1 });
    using memory = Memory.with(oneLayer, 'pools', pools);
    await expect(plain.prefill(memory, opening())).rejects.toMatchObject({ code: 'DECODER_OUTPUTS' });
  });
});

describe('picking', () => {
  test('a question sees only the slots that were picked; all stay', async () => {
    let picking = false;
    const picks = method(() => ({ select: (slots, { keys }) => (picking && keys.length > 0 ? Int32Array.from({ length: slots.length }, (_, s) => s).filter((s) => slots.source[s] === -1 || slots.source[s] === 2) : undefined) }));
    using memory = Memory.with(oneLayer, 'picks', picks);
    await play(shallow, memory, 0, 5);
    picking = true;
    const seen = await probe(shallow, memory);
    expect(memory.report().longestHead).toBe(3 + 5 * tokensPerFrame);
    using only = Memory.with(oneLayer, 'only', method(() => ({ after: (slots) => ({ kind: 'keep', slots: Int32Array.from({ length: slots.length }, (_, s) => s).filter((s) => slots.source[s] === -1 || slots.source[s]! === 2 || slots.source[s] === 99) }) })));
    await play(shallow, only, 0, 5);
    expect(largestDifference(seen, await probe(shallow, only))).toBeLessThan(1e-5);
  });
});

test('attention received sums to the queries of the chunk', async () => {
  const sums: number[] = [];
  const listens = method(() => ({ after: (slots, { attention, count }) => void sums.push(attention!.reduce((sum, value) => sum + value, 0) / count, attention!.length - slots.length) }), { needs: ['attention'] });
  using memory = Memory.with(tinySpec, 'listens', listens);
  await decoder.prefill(memory, opening(), { logits: 'none' });
  expect(sums).toHaveLength(2 * tinySpec.layers * tinySpec.kvHeads);
  sums.forEach((value, i) => expect(value).toBeCloseTo(i % 2 === 0 ? tinySpec.queryHeads / tinySpec.kvHeads : 0, 4));
});
