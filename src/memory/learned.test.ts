// Learned methods (DMC, DMS): against plain loops over single tokens, with chunks of any size, adapters that never decide, and dialogue.
import { beforeAll, describe, expect, test } from 'vitest';
import { randomDecisions, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { Decoder } from '../language/decoder.ts';
import { largestDifference, play, probe, question } from '../language/stream.fixture.ts';
import type { PackedDecisions } from '../models/packed/contract.ts';
import type { LayerChunk, MemoryOptions } from './contract.ts';
import { referenceLogits } from './learned.fixture.ts';
import { Memory } from './stage.ts';

const weights = randomDecoder(tinySpec, 3);
const extra = { rawKeys: true };
const openDecoder = (decisions: PackedDecisions, chunkTokens = 128) => Decoder.open(tinySpec, { ...weights, decisions }, { threads: 1, chunkTokens, extra });
const openMemory = (method: string, options: MemoryOptions['options'] = {}) => Memory.open(tinySpec, { method, options });
const ids = Array.from({ length: 60 }, (_, i) => (i * 29 + 7) % tinySpec.vocabulary);
const stretch = [{ kind: 'ids', ids, origin: { kind: 'question', source: 0, timeSec: 0 } }] as const;

const cases = [
  { name: 'dmc', method: 'dmc', options: {}, decisions: randomDecisions(tinySpec, 'dmc', 4) },
  { name: 'dmc, five tokens a slot at most', method: 'dmc', options: { mostTokens: 5 }, decisions: randomDecisions(tinySpec, 'dmc', 4, -0.5) },
  { name: 'dms', method: 'dms', options: { window: 6 }, decisions: randomDecisions(tinySpec, 'dms', 4) },
  { name: 'dms without delay', method: 'dms', options: { window: 0 }, decisions: randomDecisions(tinySpec, 'dms', 4) },
] as const;

describe.each(cases)('$name', ({ method, options, decisions }) => {
  let reference: readonly Float32Array[];
  beforeAll(() => {
    reference = referenceLogits(tinySpec, weights, decisions, ids, options);
  });

  test.each([1, 7, 64])('in chunks of %i tokens it gives the logits of the plain loop at every token', async (chunkTokens) => {
    await using decoder = await openDecoder(decisions, chunkTokens);
    using memory = await openMemory(method, options);
    const logits = await decoder.prefill(memory, stretch, { logits: 'all' });
    const { vocabulary } = tinySpec;
    const worst = reference.map((expected, t) => largestDifference(logits.subarray(t * vocabulary, (t + 1) * vocabulary), expected));
    expect(Math.max(...worst)).toBeLessThan(2e-3);
    const { slots } = memory.report();
    const all = ids.length * tinySpec.layers * tinySpec.kvHeads;
    expect(slots).toBeLessThan(0.8 * all);
    expect(slots).toBeGreaterThan(0.1 * all);
  });
});

describe.each(['dmc', 'dms'] as const)('a %s adapter', (kind) => {
  const never = { ...randomDecisions(tinySpec, kind, 4), offset: 1e6 };

  test('that never decides gives the logits of dense, to the bit', async () => {
    await using decoder = await openDecoder(never, 5);
    using learned = await openMemory(kind);
    using dense = await openMemory('dense');
    for (const memory of [learned, dense]) {
      await play(decoder, memory, 0, 6);
      await decoder.prefill(memory, question(0), { logits: 'none' });
      await play(decoder, memory, 6, 8);
    }
    expect(await probe(decoder, learned)).toEqual(await probe(decoder, dense));
  });

  test('heads choose lengths of their own', async () => {
    await using decoder = await openDecoder(randomDecisions(tinySpec, kind, 4));
    using memory = await openMemory(kind, kind === 'dms' ? { window: 2 } : {});
    await play(decoder, memory, 0, 10);
    expect(new Set(memory.store.heads.map(({ length }) => length)).size).toBeGreaterThan(2);
  });

  test('a question that is undone leaves no trace, not even in the slot that it went on with', async () => {
    await using decoder = await openDecoder(randomDecisions(tinySpec, kind, 4));
    using memory = await openMemory(kind, kind === 'dms' ? { window: 2 } : {});
    await play(decoder, memory, 0, 5);
    const before = structuredClone(memory.save());
    const first = await probe(decoder, memory);
    expect(memory.save()).toEqual(before);
    expect(await probe(decoder, memory)).toEqual(first);
  });

  test('an aborted chunk leaves no trace', async () => {
    await using decoder = await openDecoder(randomDecisions(tinySpec, kind, 4));
    using memory = await openMemory(kind, kind === 'dms' ? { window: 2 } : {});
    await play(decoder, memory, 0, 5);
    const before = structuredClone(memory.save());
    const write = memory.write.bind(memory);
    memory.write = (layer: number, made: LayerChunk) => {
      if (layer === 2) throw new Error('enough');
      write(layer, made);
    };
    await expect(play(decoder, memory, 5, 6)).rejects.toThrow('enough');
    memory.write = write;
    expect(memory.save()).toEqual(before);
  });

  test('is asked for by name when a decoder has none, or one of the other kind', async () => {
    await using other = await openDecoder(randomDecisions(tinySpec, kind === 'dmc' ? 'dms' : 'dmc', 4));
    await using plain = await Decoder.open(tinySpec, weights, { threads: 1, extra });
    for (const decoder of [other, plain]) {
      using memory = await openMemory(kind);
      await expect(play(decoder, memory, 0, 1)).rejects.toMatchObject({ code: 'ADAPTER_NEEDED' });
    }
  });
});
