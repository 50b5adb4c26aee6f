// The vision encoder as a cache: any rows may be recomputed, and all rows recomputed are the dense encoder bit for bit.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { VisionEncoder } from './encoder.ts';
import { openTinyEncoder, type TinyEncoder } from './tiny-encoder.fixture.ts';

describe.each(['smolvlm-tiny', 'llava-onevision-tiny'] as const)('%s', (name) => {
  const random = createRandom(3);
  let opened: TinyEncoder;
  let encoder: VisionEncoder;
  beforeAll(async () => {
    opened = await openTinyEncoder(name);
    ({ encoder } = opened);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  const picture = () => Float32Array.from({ length: encoder.patches * encoder.patchLength }, () => random.normal());
  const someRows = (count: number) => Int32Array.from(random.shuffle(Array.from({ length: encoder.patches }, (_, i) => i)).slice(0, count)).sort();
  const distance = (a: Float32Array, b: Float32Array) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  test('all rows by number are the dense encoder, whatever was in the caches', async () => {
    const [first, second] = [picture(), picture()];
    const fresh = await encoder.encode(encoder.open(), second);
    const used = encoder.open();
    await encoder.encode(used, first);
    await encoder.encode(used, picture(), { rows: someRows(5) });
    const again = await encoder.encode(used, second, { rows: Int32Array.from({ length: encoder.patches }, (_, i) => i) });
    expect(again.tokens).toEqual(fresh.tokens);
    expect(again.encoded).toEqual(fresh.encoded);
  });

  test('rows of an unchanged picture come out as they were, and no other row is touched', async () => {
    const state = encoder.open();
    const pixels = picture();
    const { tokens, encoded } = await encoder.encode(state, pixels);
    const [tokensBefore, encodedBefore] = [tokens.slice(), encoded.slice()];
    for (const count of [1, 7, encoder.patches - 1]) {
      const again = await encoder.encode(state, pixels, { rows: someRows(count) });
      expect(distance(again.tokens, tokensBefore)).toBeLessThan(1e-4);
      expect(distance(again.encoded, encodedBefore)).toBeLessThan(1e-4);
    }
  });

  test('a recomputed row sees the new picture, an old row keeps its output to the bit', async () => {
    const state = encoder.open();
    const before = await encoder.encode(state, picture());
    const encodedBefore = before.encoded.slice();
    const tokensBefore = before.tokens.slice();
    const rows = someRows(6);
    const { encoded, tokens, changed } = await encoder.encode(state, picture(), { rows });
    const width = encoded.length / encoder.patches;
    const row = (array: Float32Array, at: number) => array.slice(at * width, (at + 1) * width);
    for (let at = 0; at < encoder.patches; at++) {
      if (rows.includes(at)) expect(distance(row(encoded, at), row(encodedBefore, at))).toBeGreaterThan(1e-3);
      else expect(row(encoded, at)).toEqual(row(encodedBefore, at));
    }
    const differs = Array.from({ length: encoder.tokensPerFrame }, (_, token) => token).filter((token) => distance(tokens.slice(token * encoder.tokenWidth, (token + 1) * encoder.tokenWidth), tokensBefore.slice(token * encoder.tokenWidth, (token + 1) * encoder.tokenWidth)) > 0);
    expect([...changed]).toEqual(differs);
  });

  test('blocks of rows make no difference, for whole frames and for some rows', async () => {
    await using blocks = await openTinyEncoder(name, { blockRows: 5 });
    const [whole, cut] = [encoder.open(), blocks.encoder.open()];
    const [first, second, rows] = [picture(), picture(), someRows(encoder.patches - 2)];
    for (const [pixels, options] of [[first, {}], [second, { rows }]] as const) {
      const expected = await encoder.encode(whole, pixels, options);
      const got = await blocks.encoder.encode(cut, pixels, options);
      expect(distance(got.encoded, expected.encoded)).toBeLessThan(1e-4);
      expect(distance(got.tokens, expected.tokens)).toBeLessThan(1e-4);
    }
  });

  test('streams do not see each other', async () => {
    const [one, two] = [encoder.open(), encoder.open()];
    const [left, right] = [picture(), picture()];
    const alone = (await encoder.encode(one, left)).tokens.slice();
    await encoder.encode(two, right);
    const rows = someRows(encoder.patches - 1);
    expect(distance((await encoder.encode(one, left, { rows })).tokens, alone)).toBeLessThan(1e-4);
  });

  test('no row is no work', async () => {
    const state = encoder.open();
    const tokens = (await encoder.encode(state, picture())).tokens.slice();
    const again = await encoder.encode(state, picture(), { rows: new Int32Array(0) });
    expect(again.changed).toHaveLength(0);
    expect(again.tokens).toEqual(tokens);
  });

  test('rows need a whole frame before them, rise, and stay in range', async () => {
    const state = encoder.open();
    await expect(encoder.encode(state, picture(), { rows: Int32Array.of(1) })).rejects.toThrow(/whole frame/u);
    await encoder.encode(state, picture());
    await expect(encoder.encode(state, picture(), { rows: Int32Array.of(2, 1) })).rejects.toThrow(/1 after 2/u);
    await expect(encoder.encode(state, picture(), { rows: Int32Array.of(encoder.patches) })).rejects.toThrow(/rising numbers below/u);
    await expect(encoder.encode(state, new Float32Array(5))).rejects.toThrow(/5 numbers/u);
  });

  test('an aborted frame leaves the stream asking for a whole one', async () => {
    const state = encoder.open();
    const pixels = picture();
    const whole = (await encoder.encode(state, pixels)).tokens.slice();
    const stopped = new Error('enough');
    await expect(encoder.encode(state, picture(), { signal: AbortSignal.abort(stopped) })).rejects.toBe(stopped);
    await expect(encoder.encode(state, pixels, { rows: someRows(3) })).rejects.toThrow(/whole frame/u);
    expect((await encoder.encode(state, pixels)).tokens).toEqual(whole);
  });
});
