// Memory methods on examples worked out by hand: one head, two wide, or a decoder of one layer.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Decoder } from '../language/decoder.ts';
import { firstLayers, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { frame, largestDifference, opening, play, probe, question } from '../language/stream.fixture.ts';
import { FrameIndex } from './frame-index.ts';
import type { Incoming, MemoryStream, OpenContext, Projected } from './method.ts';
import hermes from './methods/hermes.ts';
import infinipotV from './methods/infinipot-v.ts';
import merge from './methods/merge.ts';
import { Rotary } from './rotary.ts';
import { columnNames, createColumns, HeadSlots, kindCode, type SlotColumns, type SlotKind } from './slots.ts';
import { Memory } from './stage.ts';

const context: OpenContext = { layers: 1, kvHeads: 1, queryHeads: 1, headWidth: 2, contextLength: 1000, ropeTheta: 10_000, ropeLayout: 'halves' };
const rotary = new Rotary({ headWidth: 2, theta: 10_000, layout: 'halves' });
const here = { layer: 0, kvHead: 0 };

interface Toy {
  readonly kind?: SlotKind;
  readonly source: number;
  readonly place?: number;
  /** Direction of the key before the rotary embedding, in degrees. */
  readonly angle?: number;
  /** Length of the value. */
  readonly value?: number;
}

/** A head of such slots, at positions 0, 10, 20 …: rotated, so that a method that compared rotated keys would fail. */
function headOf(toys: readonly Toy[]): HeadSlots {
  const head = new HeadSlots(2);
  head.resize(toys.length);
  const columns = createColumns(toys.length);
  const keys = new Float32Array(2 * toys.length);
  const values = new Float32Array(2 * toys.length);
  toys.forEach(({ kind = 'visual', source, place = -1, angle = 0, value = 1 }, slot) => {
    columns.position[slot] = 10 * slot;
    columns.source[slot] = source;
    columns.place[slot] = place;
    columns.kind[slot] = kindCode[kind];
    columns.timeSec[slot] = source;
    columns.tokens[slot] = columns.weight[slot] = 1;
    keys.set([3 * Math.cos((angle * Math.PI) / 180), 3 * Math.sin((angle * Math.PI) / 180)], 2 * slot);
    rotary.turn(keys, 2 * slot, 10 * slot);
    values[2 * slot] = value;
  });
  head.append(toys.length, keys, values, 0, 2, columns);
  return head;
}

function incoming(toys: readonly Toy[]): Incoming {
  const head = headOf(toys);
  return { count: toys.length, ...(Object.fromEntries(columnNames.map((name) => [name, head[name]])) as unknown as SlotColumns) };
}

const before = (stream: MemoryStream, stored: readonly Toy[], coming: readonly Toy[]) => stream.before!(headOf(stored), incoming(coming), here);

describe('infinipot-v', () => {
  /** Frames 1 to 4 of two places. Frame 4 is recent: 0° at both places. */
  const stored: readonly Toy[] = [
    { kind: 'opening', source: -1 },
    { source: 1, place: 0, angle: 90, value: 1 },
    { source: 1, place: 1, angle: 10, value: 5 },
    { source: 2, place: 0, angle: 5, value: 4 },
    { source: 2, place: 1, angle: 120, value: 2 },
    { kind: 'question', source: 0 },
    { source: 3, place: 0, angle: 20, value: 3 },
    { kind: 'wrap', source: 3, value: 9 },
    { source: 4, place: 0 },
    { source: 4, place: 1 },
  ];
  const open = (redundancyRatio: number) => infinipotV.open({ slots: 9, targetRatio: 0.7, redundancyRatio, recentRatio: 0.3 }, context);
  const nextFrame: readonly Toy[] = [{ source: 5, place: 0 }, { source: 5, place: 1 }];

  test('by redundancy: what the recent frame repeats least at its place stays, whatever its value', () => {
    // Full at 9 slots besides the dialogue; 6 are to be left: opening, frame 4, and the three farthest from 0°: 120°, 90°, 20°.
    expect(before(open(1), stored, nextFrame)).toEqual({ kind: 'keep', slots: Int32Array.of(0, 1, 4, 5, 6, 8, 9) });
  });

  test('by values: the largest stay, but not the text around a frame', () => {
    expect(before(open(0), stored, nextFrame)).toEqual({ kind: 'keep', slots: Int32Array.of(0, 2, 3, 5, 6, 8, 9) });
  });

  test('two thirds of the target by redundancy, the rest by values', () => {
    // 4 of 6 by redundancy: opening and frame 4 are three of them, 120° the fourth. Of the rest the values 5 and 4.
    expect(before(open(2 / 3), stored, nextFrame)).toEqual({ kind: 'keep', slots: Int32Array.of(0, 2, 3, 4, 5, 8, 9) });
  });

  test('nothing goes while a frame as large as the largest still fits, nor for dialogue', () => {
    expect(before(open(1), stored.slice(0, 7), nextFrame)).toBeUndefined();
    expect(before(open(1), stored, [{ kind: 'question', source: 1 }])).toBeUndefined();
  });

  test('a token whose place no recent frame has is compared with the newest there, which is repeated by nothing', () => {
    const gaps: readonly Toy[] = [
      { source: 1, place: 0, angle: 0, value: 9 },
      { source: 2, place: 0, angle: 1, value: 1 },
      { source: 3, place: 1, angle: 90, value: 9 },
      { source: 4, place: 1, angle: 0, value: 1 },
    ];
    const stream = infinipotV.open({ slots: 8, targetRatio: 0.3, redundancyRatio: 1, recentRatio: 0.1 }, context);
    // Room for 2: frame 4 and the newest of place 0.
    expect(before(stream, gaps, Array.from({ length: 5 }, (_, place) => ({ source: 5, place })))).toEqual({ kind: 'keep', slots: Int32Array.of(1, 3) });
  });
});

describe('merge', () => {
  const threshold = Math.cos((30 * Math.PI) / 180);

  test('tokens join the latest slot of their place when their keys are within 30°; text around emptied frames goes', () => {
    const stored: readonly Toy[] = [
      { kind: 'opening', source: -1 },
      { kind: 'wrap', source: 1 },
      { source: 1, place: 0, angle: 0, value: 2 },
      { source: 1, place: 1, angle: 50, value: 2 },
      { kind: 'wrap', source: 2 },
      { source: 2, place: 0, angle: 20, value: 4 },
      { source: 2, place: 1, angle: 75, value: 4 },
    ];
    const plan = before(merge.open({ threshold }, context), stored, [{ kind: 'wrap', source: 3 }]);
    expect(plan).toEqual({ kind: 'assign', to: Int32Array.of(0, -1, 1, 2, 3, 1, 2), weights: expect.anything() as Float32Array });
    const weights = plan?.kind === 'assign' ? [...plan.weights!] : [];
    expect(weights[2]).toBeCloseTo(2, 4);
    expect(weights[5]).toBeCloseTo(4, 4);
  });

  test('what is too far apart stays, and then so does the text around its frame', () => {
    const stored: readonly Toy[] = [
      { kind: 'wrap', source: 1 },
      { source: 1, place: 0, angle: 0 },
      { source: 1, place: 1, angle: 0 },
      { source: 2, place: 0, angle: 29 },
      { source: 2, place: 1, angle: 31 },
    ];
    expect(before(merge.open({ threshold }, context), stored, [{ source: 3, place: 0 }])).toMatchObject({ to: Int32Array.of(0, 1, 2, 1, 3) });
    expect(before(merge.open({ threshold: 1 }, context), stored, [{ source: 3, place: 0 }])).toBeUndefined();
  });

  test('on a still picture memory does not grow, and its slots count every frame', async () => {
    await using decoder = await Decoder.open({ ...tinySpec, layers: 1 }, firstLayers(randomDecoder(tinySpec, 3), 1), { threads: 1 });
    using memory = await Memory.open({ ...tinySpec, layers: 1 }, { method: 'merge', options: { threshold: 0.99 } });
    for (let index = 0; index < 12; index++) await decoder.prefill(memory, frame(tinySpec, index, { look: 0 }), { logits: 'none' });
    const head = memory.store.head(0, 0);
    // Eleven frames in four slots and the text of the eleventh, then the newest whole.
    expect(head.length).toBe(4 + 2 + 6);
    expect([...head.tokens.subarray(0, 4)]).toEqual([11, 11, 11, 11]);
    expect(await probe(decoder, memory)).toHaveLength(tinySpec.vocabulary);
  });
});

describe('streaming-llm', () => {
  const spec = { ...tinySpec, layers: 1 };
  let decoder: Decoder;
  beforeAll(async () => {
    decoder = await Decoder.open(spec, firstLayers(randomDecoder(tinySpec, 3), 1), { threads: 1 });
  });
  afterAll(() => decoder[Symbol.asyncDispose]());

  test('sinks and window at contiguous positions are what a fresh run over those tokens sees', async () => {
    // Opening of three tokens and one more sink; the window holds the last frame and half of the one before.
    using memory = await Memory.open(spec, { method: 'streaming-llm', options: { sinks: 4, window: 9 } });
    await play(decoder, memory, 0, 20);
    const head = memory.store.head(0, 0);
    expect([...head.source.subarray(0, head.length)]).toEqual([-1, -1, -1, 0, 18, 18, 18, 19, 19, 19, 19, 19, 19]);
    expect([...head.position.subarray(0, head.length)]).toEqual(Array.from({ length: 13 }, (_, position) => position));
    // Room was made before the last frame came: it saw no more.
    expect(memory.slotsRead).toBe(13 * spec.kvHeads);
    using fresh = await Memory.open(spec, { method: 'dense' });
    const [wrap] = frame(spec, 0);
    const [, visual, close] = frame(spec, 18);
    const half = { ...visual!, data: (visual as { data: Float32Array }).data.subarray(2 * spec.width) } as typeof visual;
    await decoder.prefill(fresh, [...opening(), wrap!, half!, close!, ...frame(spec, 19)], { logits: 'none' });
    expect(largestDifference(await probe(decoder, memory), await probe(decoder, fresh))).toBeLessThan(1e-4);
  });

  test('an opening longer than the sinks takes from the window, and the dialogue has its own', async () => {
    using memory = await Memory.open(spec, { method: 'streaming-llm', options: { sinks: 1, window: 11 } });
    await play(decoder, memory, 0, 5);
    await decoder.prefill(memory, question(0), { logits: 'none' });
    await play(decoder, memory, 5, 9);
    const kinds = [...memory.store.head(0, 1).kind.subarray(0, memory.store.head(0, 1).length)];
    const count = (kind: SlotKind) => kinds.filter((code) => code === kindCode[kind]).length;
    expect([count('opening'), count('question'), count('visual') + count('wrap')]).toEqual([3, 3, 9]);
  });
});

describe('rekv', () => {
  const chunk = (toys: readonly Toy[], heads: readonly HeadSlots[], queries = new Float32Array(0)): Projected => {
    const tokens = incoming(toys);
    return { count: toys.length, keys: new Float32Array(0), rawKeys: new Float32Array(0), values: new Float32Array(0), offset: 0, stride: 2, decisions: new Float32Array(0), importances: new Float32Array(0), queries, tokens, heads };
  };

  test('frames are ranked by the cosine of mean keys and the mean query, before the rotary embedding', () => {
    const head = headOf([
      { source: 1, place: 0, angle: 0 },
      { source: 1, place: 1, angle: 60 },
      { kind: 'wrap', source: 2, angle: 40 },
      { source: 2, place: 0, angle: 80 },
      { source: 2, place: 1, angle: 80 },
      { source: 3, place: 0, angle: -20 },
      { source: 4, place: 0, angle: 75 },
    ]);
    // Means at 30°, 80°, −20° and 75°; the queries are at 40° and 60°, their mean at 50°. Both stand at positions 0 and 10.
    const queries = Float32Array.of(Math.cos((40 * Math.PI) / 180), Math.sin((40 * Math.PI) / 180), Math.cos(Math.PI / 3), Math.sin(Math.PI / 3));
    rotary.turn(queries, 2, 10);
    const asked = chunk([{ kind: 'question', source: 0 }, { kind: 'question', source: 0 }], [head], queries);
    expect(new FrameIndex(context).rank(0, asked)).toEqual([1, 4, 2, 3]);
  });

  test('a frame that is still coming in is taken in when it is whole', () => {
    const part = headOf([{ source: 1, angle: 0 }, { source: 2, place: 0, angle: 90 }]);
    const index = new FrameIndex(context);
    index.learn(0, chunk([{ source: 2, place: 1, angle: 0 }], [part]));
    const whole = headOf([{ source: 1, angle: 0 }, { source: 2, place: 0, angle: 90 }, { source: 2, place: 1, angle: 0 }]);
    // The mean of frame 2 is at 45°: the question's direction. At 90° it would be as far as frame 1.
    const asked = chunk([{ kind: 'question', source: 0 }], [whole], Float32Array.of(Math.SQRT1_2, Math.SQRT1_2));
    expect(index.rank(0, asked)).toEqual([2, 1]);
  });

  test('a question reads its frames and the text; a frame reads the window; all is stored and counted', async () => {
    const spec = { ...tinySpec, contextLength: 40 };
    await using decoder = await Decoder.open(spec, randomDecoder(tinySpec, 3), { threads: 1 });
    using memory = await Memory.open(spec, { method: 'rekv', options: { frames: 2, window: 12 } });
    const heads = spec.layers * spec.kvHeads;
    await play(decoder, memory, 0, 30);
    expect(memory.slotsRead).toBe(heads * (3 + 12 + 6));
    await probe(decoder, memory);
    expect(memory.slotsRead).toBe(heads * (3 + 2 * 6 + 3));
    expect(memory.report().slots).toBe(heads * (3 + 30 * 6));
    // Context for three frames and no more, however many are asked for.
    using greedy = await Memory.open({ ...spec, contextLength: 25 }, { method: 'rekv', options: { frames: 20 } });
    await play(decoder, greedy, 0, 10);
    await probe(decoder, greedy);
    expect(greedy.slotsRead).toBe(heads * (3 + 3 * 6 + 3));
  });

  test('an answer looks at the frames of its question', async () => {
    await using decoder = await Decoder.open(tinySpec, randomDecoder(tinySpec, 3), { threads: 1 });
    using memory = await Memory.open(tinySpec, { method: 'rekv', options: { frames: 2 } });
    await play(decoder, memory, 0, 12);
    const mark = memory.mark(4);
    const seen: number[][] = [];
    const look = memory.look.bind(memory);
    memory.look = (layer, kvHead) => {
      const looks = look(layer, kvHead);
      if (layer === 1 && kvHead === 0) seen.push([...new Set(looks.slots.source.subarray(0, looks.slots.length))]);
      return looks;
    };
    await decoder.prefill(memory, question(0));
    await decoder.step(memory, 5, { kind: 'answer', source: 0, timeSec: 6 });
    memory.undo(mark);
    expect(seen[0]).toHaveLength(4);
    expect(seen[1]).toEqual(seen[0]);
  });
});

describe('learned methods', () => {
  const spec = { ...tinySpec, layers: 1, kvHeads: 1, queryHeads: 1, headWidth: 2 };

  /** One token of one head. */
  function take(memory: Memory, decision: number, { key = [1, 0], value = 1, importance = 0 }: { readonly key?: readonly number[]; readonly value?: number; readonly importance?: number } = {}): void {
    const at = memory.begin([{ count: 1, origin: { kind: 'visual', source: 0, timeSec: 0 } }]);
    const rawKeys = Float32Array.from(key);
    const keys = rawKeys.slice();
    rotary.turn(keys, 0, at);
    memory.write(0, { keys, rawKeys, values: Float32Array.of(value, 0), decisions: Float32Array.of(decision), importances: Float32Array.of(importance), queries: new Float32Array(2) });
    memory.end();
  }

  test('dmc: importances 1/2 and 3/4 make 2/5 and 3/5 of a slot, at the position of the latest', async () => {
    using memory = await Memory.open(spec, { method: 'dmc' });
    take(memory, -1, { key: [5, 5], value: 9 });
    take(memory, -1, { key: [1, 0], value: 1 });
    take(memory, 0.1, { key: [0, 1], value: 6, importance: Math.log(3) });
    const head = memory.store.head(0, 0);
    expect([...head.position.subarray(0, head.length)]).toEqual([0, 2]);
    expect([...head.tokens.subarray(0, 2)]).toEqual([1, 2]);
    expect(head.weight[1]).toBeCloseTo(1.25, 5);
    expect(head.values[2]).toBeCloseTo(4, 4);
    const key = head.keys.slice(2, 4);
    rotary.turn(key, 0, -2);
    expect([...key]).toEqual([expect.closeTo(0.4, 5), expect.closeTo(0.6, 5)]);
  });

  test('dmc: the first token opens a slot whatever it says, and a full slot is not joined', async () => {
    using memory = await Memory.open(spec, { method: 'dmc', options: { mostTokens: 3 } });
    for (let t = 0; t < 8; t++) take(memory, 1);
    const head = memory.store.head(0, 0);
    expect([...head.tokens.subarray(0, head.length)]).toEqual([3, 3, 2]);
  });

  test('dmc: above another threshold fewer tokens join, and a stream under pressure lets more join', async () => {
    using memory = await Memory.open(spec, { method: 'dmc', options: { threshold: 1 } });
    for (const decision of [-1, 0.5, 1.5, 0.5]) take(memory, decision);
    const head = memory.store.head(0, 0);
    expect([...head.tokens.subarray(0, head.length)]).toEqual([1, 2, 1]);
    memory.tune(0);
    take(memory, 0.5);
    expect([...head.tokens.subarray(0, head.length)]).toEqual([1, 2, 2]);
  });

  test('dmc: a limit that the adapter was trained with is the default', async () => {
    using memory = await Memory.open(spec, { method: 'dmc', adapter: { kind: 'dmc', window: 2 } });
    for (let t = 0; t < 5; t++) take(memory, 1);
    expect([...memory.store.head(0, 0).tokens.subarray(0, 3)]).toEqual([2, 2, 1]);
  });

  test('dms: what a token says is of the one before it, and that goes when it is further away than the window', async () => {
    using memory = await Memory.open(spec, { method: 'dms', options: { window: 2 } });
    const stored: number[][] = [];
    // Token 1 lets token 0 go, token 4 lets token 3 go. What token 0 says is of nobody.
    for (const decision of [1, 1, -1, -1, 1, -1, -1, -1]) {
      take(memory, decision);
      const head = memory.store.head(0, 0);
      stored.push([...head.position.subarray(0, head.length)]);
    }
    expect(stored).toEqual([[0], [0, 1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 4, 5], [1, 2, 4, 5, 6], [1, 2, 4, 5, 6, 7]]);
  });
});

describe('hermes', () => {
  const of = { ...context, layers: 2 };
  const end = 81;
  /** A key that a guide of angle 0 at the end of the stream sees at that angle. */
  const seenAt = (slot: number, degrees: number): Toy => ({ source: Math.ceil(slot / 2), place: slot % 2, angle: degrees + ((end - 10 * slot) * 180) / Math.PI });
  const stored: readonly Toy[] = [{ kind: 'opening', source: -1 }, ...[0, 180, 10, 170, 20, 160, 30, 150].map((degrees, i) => seenAt(i + 1, degrees))];
  const coming: readonly Toy[] = [{ source: 9, place: 0 }, { source: 9, place: 1 }];

  function plans(summary: boolean) {
    const stream = hermes.open(hermes.options.parse({ slots: 8, summary }), of);
    const tokens = incoming([{ kind: 'opening', source: -1 }]);
    const chunk = { count: 1, keys: new Float32Array(0), rawKeys: new Float32Array(0), values: new Float32Array(0), offset: 0, stride: 2, decisions: new Float32Array(0), importances: new Float32Array(0), queries: Float32Array.of(1, 0), tokens, heads: [] };
    for (const layer of [0, 1]) stream.watch!(chunk, { layer, kvHead: 0 });
    return [0, 1].map((layer) => stream.before!(headOf(stored), incoming(coming), { layer, kvHead: 0 }));
  }
  const kept = (plan: ReturnType<typeof plans>[number]) => (plan?.kind === 'assign' ? [...plan.to.keys()].filter((slot) => plan.to[slot]! >= 0) : []);

  test('the first layer keeps the latest, the last what text attends to and a few of the latest', () => {
    const [first, last] = plans(false);
    // Six of eight slots are left for a frame of two: the opening, and five.
    expect(kept(first)).toEqual([0, 4, 5, 6, 7, 8]);
    expect(kept(last)).toEqual([0, 1, 3, 5, 7, 8]);
  });

  test('what goes becomes one slot, in the place of its first', () => {
    const [first] = plans(true);
    if (first?.kind !== 'assign') throw new Error('no plan');
    expect([...first.to]).toEqual([0, 1, 1, 1, 1, 2, 3, 4, 5]);
  });
});
