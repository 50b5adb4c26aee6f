// What a decoder with a memory adapter gives: decision and importance logits, and channels that attention does not see.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { inlineTensor } from '../graph/linear.ts';
import type { LayerChunk } from '../memory/contract.ts';
import { Rotary } from '../memory/rotary.ts';
import { Memory } from '../memory/stage.ts';
import type { PackedDecisions } from '../models/packed/contract.ts';
import { firstLayers, randomDecoder, tinySpec } from './decoder.fixture.ts';
import { Decoder } from './decoder.ts';

const spec = { ...tinySpec, layers: 1 };
const weights = firstLayers(randomDecoder(tinySpec, 3), 1);
const ids = [5, 17, 40];
const { kvHeads, queryHeads, headWidth, width } = spec;
const group = queryHeads / kvHeads;

/** What the first layer makes of a few tokens. */
async function made(decisions?: PackedDecisions, rawKeys = true): Promise<LayerChunk> {
  await using decoder = await Decoder.open(spec, { ...weights, ...(decisions && { decisions }) }, { threads: 1, extra: { rawKeys } });
  using memory = await Memory.open(spec, { method: 'dense' });
  let seen: LayerChunk | undefined;
  const write = memory.write.bind(memory);
  memory.write = (layer, chunk) => {
    seen = structuredClone(chunk);
    write(layer, chunk);
  };
  await decoder.prefill(memory, [{ kind: 'ids', ids, origin: { kind: 'question', source: 0, timeSec: 0 } }], { logits: 'none' });
  return seen!;
}

/** float32 [T, Q, D]: queries of a chunk before the rotary embedding. */
function rawQueries({ queries }: LayerChunk): (t: number, query: number) => Float32Array {
  const rotary = new Rotary({ headWidth, theta: spec.ropeTheta, layout: spec.ropeLayout });
  return (t, query) => {
    const at = ((Math.floor(query / group) * ids.length + t) * group + (query % group)) * headWidth;
    const row = queries.slice(at, at + headWidth);
    rotary.turn(row, 0, -t);
    return row;
  };
}

describe('with a dmc adapter', () => {
  const channel = headWidth - 1;
  const dmc: PackedDecisions = { kind: 'dmc', channel, offset: 5 };

  test('logits are the channel of keys and the mean of the group in queries', async () => {
    const plain = await made();
    const learned = await made(dmc);
    expect(plain.decisions).toBeUndefined();
    expect(plain.importances).toBeUndefined();
    const query = rawQueries(plain);
    for (let t = 0; t < ids.length; t++) {
      for (let h = 0; h < kvHeads; h++) {
        expect(learned.decisions![t * kvHeads + h]).toBeCloseTo(plain.rawKeys![(t * kvHeads + h) * headWidth + channel]! - 5, 4);
        const mean = Array.from({ length: group }, (_, g) => query(t, h * group + g)[channel]!).reduce((a, b) => a + b, 0) / group;
        expect(learned.importances![t * kvHeads + h]).toBeCloseTo(mean + 5, 4);
      }
    }
  });

  test('the channel is zero in keys and queries before the rotary embedding, the others are as they were', async () => {
    const plain = await made();
    const learned = await made(dmc);
    learned.rawKeys!.subarray(0, ids.length * kvHeads * headWidth).forEach((value, i) => expect(value).toBeCloseTo(i % headWidth === channel ? 0 : plain.rawKeys![i]!, 5));
    const [before, after] = [rawQueries(plain), rawQueries(learned)];
    for (let t = 0; t < ids.length; t++) {
      for (let q = 0; q < queryHeads; q++) after(t, q).forEach((value, d) => expect(value).toBeCloseTo(d === channel ? 0 : before(t, q)[d]!, 5));
    }
    const rotary = new Rotary({ headWidth, theta: spec.ropeTheta, layout: spec.ropeLayout });
    for (let row = 0; row < ids.length * kvHeads; row++) {
      const key = learned.keys.slice(row * headWidth, (row + 1) * headWidth);
      rotary.turn(key, 0, -Math.floor(row / kvHeads));
      expect(key[channel]).toBeCloseTo(0, 5);
    }
  });
});

test('with a dms adapter logits are those of its network on what goes into the layer', async () => {
  const random = createRandom(8);
  const fill = (count: number, scale: number, mean = 0) => Float32Array.from({ length: count }, () => mean + (random.next() * 2 - 1) * scale);
  const [norm, weight, bias] = [fill(width, 0.2, 1), fill(kvHeads * width, 0.1), fill(kvHeads, 0.05)];
  const project = { format: 'float32', weight: inlineTensor('dms', weight, 'float32', [kvHeads, width]), bias: inlineTensor('dms.bias', bias, 'float32', [kvHeads]) } as const;
  const learned = await made({ kind: 'dms', offset: 5, layers: [{ norm: { scale: inlineTensor('dms.norm', norm, 'float32', [width]) }, project }] });
  const plain = await made();
  const x = weights.embedding.rows(ids);
  for (let t = 0; t < ids.length; t++) {
    const row = x.subarray(t * width, (t + 1) * width);
    const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / width + spec.normEpsilon);
    for (let h = 0; h < kvHeads; h++) {
      const product = row.reduce((sum, value, i) => sum + value * scale * norm[i]! * weight[h * width + i]!, bias[h]!);
      expect(learned.decisions![t * kvHeads + h]).toBeCloseTo(product * 100 - 5, 2);
    }
  }
  expect(learned.importances).toBeUndefined();
  expect(learned.keys).toEqual(plain.keys);
  expect(learned.queries).toEqual(plain.queries);
});
