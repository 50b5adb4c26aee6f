// The contract that every file of methods/ keeps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Decoder } from '../language/decoder.ts';
import { randomDecisions, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { storedFrames } from './frames.ts';
import type { MemoryMethod } from './method.ts';
import { memoryMethods } from './registry.ts';
import { kindCode } from './slots.ts';
import { Memory } from './stage.ts';
import { frame, opening, play, probe, question } from '../language/stream.fixture.ts';

const methods = [...(await memoryMethods())].map(([name, method]) => ({ name, method }));

test('a file in the folder is a method, and its name is the file name', () => {
  expect(methods.map(({ name }) => name)).toEqual(expect.arrayContaining(['dense', 'dmc', 'dms', 'fifo', 'hermes', 'infinipot-v', 'merge', 'rekv', 'streaming-llm', 'uniform']));
});

describe.each(methods)('$name', ({ name, method }) => {
  let decoder: Decoder;
  /**
   * @param offset of an adapter's decisions: with a large one it never decides
   * @param rawKeys asked for, they have every memory go through the layers one by one, and so give the same bits
   */
  const openDecoder = (chunkTokens = 128, offset = 0, rawKeys = method.needs.includes('raw-keys')) =>
    Decoder.open(tinySpec, { ...randomDecoder(tinySpec, 7), ...(method.adapter && { decisions: randomDecisions(tinySpec, method.adapter, 7, offset) }) }, { threads: 1, chunkTokens, extra: { attention: method.needs.includes('attention'), rawKeys } });
  beforeAll(async () => {
    decoder = await openDecoder();
  });
  afterAll(() => decoder[Symbol.asyncDispose]());

  const open = (options: Readonly<Record<string, unknown>> = {}, capBytes = Infinity) => Memory.open(tinySpec, { method: name, options, capBytes });
  /** The tightest budget. Budgets in slots are made for real frames: here they hold four frames of six tokens, and the opening. */
  const tight: Readonly<Record<string, number>> = method.budget ? { [method.budget.knob]: method.budget.limit(method.options.parse({})).slotsPerHead === undefined ? method.budget.sweep[0]! : 27 } : {};

  test('says what it does and where it comes from, and has defaults for all options', async () => {
    expect(method.summary).not.toBe('');
    expect(method.source).not.toBe('');
    expect((await open()).options).toEqual(method.options.parse({}));
    await expect(open({ noSuchOption: 1 })).rejects.toThrow('noSuchOption');
  });

  test('a full budget gives the logits of no method at all, bit for bit', async () => {
    const none: MemoryMethod = { ...methods.find((other) => other.name === 'dense')!.method, open: () => ({}) };
    using full = await open(method.budget ? { [method.budget.knob]: method.budget.full } : {});
    using bare = Memory.with(tinySpec, 'none', none);
    await using undecided = await openDecoder(128, 1e6, true);
    for (const memory of [full, bare]) {
      await play(undecided, memory, 0, 5);
      await undecided.prefill(memory, question(0), { logits: 'none' });
      await play(undecided, memory, 5, 9);
    }
    expect(await probe(undecided, full)).toEqual(await probe(undecided, bare));
  });

  test.runIf(method.budget)('the budget is kept after every chunk', async () => {
    using memory = await open(tight);
    const limit = method.budget!.limit(memory.options);
    if (method.budget!.kind === 'fixed') expect(Object.keys(limit)).not.toEqual([]);
    const look = memory.look.bind(memory);
    let framesSeen = 0;
    memory.look = (...place) => {
      const looks = look(...place);
      framesSeen = Math.max(framesSeen, storedFrames(looks.slots).length);
      return looks;
    };
    await play(decoder, memory, 0, 1);
    for (let index = 1; index < 30; index++) {
      await play(decoder, memory, index, index + 1);
      if (limit.framesSeen !== undefined) {
        framesSeen = 0;
        await probe(decoder, memory);
        expect(framesSeen).toBe(Math.min(limit.framesSeen, index + 1));
      }
      for (const head of memory.store.heads) {
        if (limit.frames !== undefined) expect(storedFrames(head).length).toBeLessThanOrEqual(limit.frames);
        if (limit.slotsPerHead !== undefined) expect(head.length).toBeLessThanOrEqual(limit.slotsPerHead);
      }
    }
  });

  test('the newest frame is in the memory', async () => {
    using memory = await open(tight);
    await play(decoder, memory, 0, 12);
    for (const head of memory.store.heads) expect(storedFrames(head).at(-1)?.source).toBe(11);
  });

  test('ties do not cost a protected token its slot', async () => {
    using memory = await open(tight);
    await decoder.prefill(memory, opening([5, 5, 5]), { logits: 'none' });
    // Frames that all look the same, at one time: nothing tells them apart.
    for (let index = 0; index < 20; index++) {
      await decoder.prefill(memory, frame(tinySpec, index, { look: 0, timeSec: 1 }), { logits: 'none' });
      if (index === 3) await decoder.prefill(memory, question(0, [5, 5, 5, 5]), { logits: 'none' });
    }
    for (const head of memory.store.heads) {
      const tokens = (code: number) => head.tokens.subarray(0, head.length).reduce((sum, count, slot) => (head.kind[slot] === code ? sum + count : sum), 0);
      if (method.inline === 'pool') {
        // What merges goes under the name of the latest, but nothing is lost, and what the opening is in stays the opening.
        expect(head.tokens.subarray(0, head.length).reduce((sum, count) => sum + count, 0)).toBe(3 + 4 + 20 * 6);
        expect(tokens(kindCode.opening)).toBeGreaterThanOrEqual(3);
        continue;
      }
      expect(tokens(kindCode.opening)).toBe(3);
      expect(tokens(kindCode.question)).toBe(4);
    }
  });

  test('streams that run side by side do not know of each other', async () => {
    using alone = await open(tight);
    await play(decoder, alone, 0, 10);
    using first = await open(tight);
    using second = await open(tight);
    for (let index = 0; index < 10; index++) {
      await play(decoder, first, index, index + 1);
      await play(decoder, second, index === 0 ? 0 : 2 * index, 2 * index + 1);
    }
    expect(await probe(decoder, first)).toEqual(await probe(decoder, alone));
    expect(await probe(decoder, second)).not.toEqual(await probe(decoder, alone));
  });

  test('saved in mid-stream and restored, it goes on with the same bits', async () => {
    using memory = await open(tight);
    await play(decoder, memory, 0, 11);
    using restored = await Memory.restore(tinySpec, structuredClone(memory.save()));
    for (const of of [memory, restored]) {
      await decoder.prefill(of, question(0), { logits: 'none' });
      await play(decoder, of, 11, 17);
    }
    expect(restored.store.heads.map(({ length }) => length)).toEqual(memory.store.heads.map(({ length }) => length));
    expect(await probe(decoder, restored)).toEqual(await probe(decoder, memory));
  });

  test('the chunk size does not change what stays', async () => {
    await using small = await openDecoder(4);
    const kept = [];
    for (const by of [decoder, small]) {
      using memory = await open(tight);
      await play(by, memory, 0, 9);
      kept.push(memory.store.heads.map((head) => [...head.position.subarray(0, head.length)]));
    }
    expect(kept[1]).toEqual(kept[0]);
  });

  test('in a short context it either makes room or says that it cannot', async () => {
    const short = { ...tinySpec, contextLength: 48 };
    using memory = await Memory.open(short, { method: name });
    const refusals: unknown[] = [];
    for (let index = 0; index < 20 && refusals.length === 0; index++) {
      await play(decoder, memory, index, index + 1).catch((error: unknown) => refusals.push(error));
      if (method.positions === 'look') continue;
      for (const head of memory.store.heads) expect(head.length).toBeLessThanOrEqual(48);
    }
    for (const error of refusals) expect(error).toMatchObject({ kind: 'capacity', code: 'CONTEXT_FULL' });
    expect(refusals.length > 0).toBe(method.positions !== 'look' && method.open(memory.options, short).room === undefined);
  });

  test('under a byte cap it either makes room or says that it cannot; the cap holds', async () => {
    const bytes = (await open()).store.bytesPerSlot * tinySpec.layers * tinySpec.kvHeads * 40;
    using memory = await open({}, bytes);
    const refusals: unknown[] = [];
    for (let index = 0; index < 30 && refusals.length === 0; index++) {
      await play(decoder, memory, index, index + 1).catch((error: unknown) => refusals.push(error));
      expect(memory.report().allocatedBytes).toBeLessThanOrEqual(bytes);
    }
    for (const error of refusals) expect(error).toMatchObject({ kind: 'capacity', code: 'MEMORY_FULL' });
    expect(refusals.length > 0).toBe(method.open(memory.options, { ...tinySpec }).room === undefined);
  });
});
