// The contract of vision methods, run on every file of methods/.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { ImageSpec } from '../models/contract.ts';
import type { VisionEncoder } from './encoder.ts';
import { createPreprocessor, type Preprocessor } from './preprocess.ts';
import type { Picture } from './resample.ts';
import { defineVisionMethod, type VisionMethod } from './method.ts';
import { VisionStream, visionMethods } from './stage.ts';
import { openTinyEncoder, type TinyEncoder } from './tiny-encoder.fixture.ts';

let opened: TinyEncoder;
let encoder: VisionEncoder;
let image: ImageSpec;
let preprocessor: Preprocessor;
beforeAll(async () => {
  opened = await openTinyEncoder('smolvlm-tiny');
  ({ encoder, image } = opened);
  preprocessor = createPreprocessor(image, opened.spec);
});
afterAll(() => opened[Symbol.asyncDispose]());

/** Pictures of the encoder's size in which a few patches change from one to the next. */
function video(seed: number, frames: number): Picture[] {
  const random = createRandom(seed);
  const { widthPx, heightPx } = image;
  const patchPx = Math.sqrt(encoder.patchLength / 3);
  let rgb = Uint8Array.from({ length: widthPx * heightPx * 3 }, () => random.int(0, 256));
  const list = [{ rgb, widthPx, heightPx }];
  while (list.length < frames) {
    rgb = rgb.slice();
    for (let n = 0; n < 3; n++) {
      const patch = random.int(0, encoder.patches);
      const top = Math.floor(patch / encoder.grid.columns) * patchPx;
      const left = (patch % encoder.grid.columns) * patchPx;
      for (let y = top; y < top + patchPx; y++) for (let x = left * 3; x < (left + patchPx) * 3; x++) rgb[y * widthPx * 3 + x] = random.int(0, 256);
    }
    list.push({ rgb, widthPx, heightPx });
  }
  return list;
}

const open = (method: VisionMethod, options?: Readonly<Record<string, unknown>>) => new VisionStream(encoder, image, method, options);

const methods = await visionMethods();

describe.each([...methods])('vision method %s', (_name, method) => {
  test('says what it is, and needs no options', () => {
    expect(method.summary.length).toBeGreaterThan(10);
    expect(method.source.length).toBeGreaterThan(3);
    expect(method.options.safeParse({}).success).toBe(true);
  });

  test('with its full budget the tokens are those of the dense encoder, bit for bit', async () => {
    const stream = open(method, method.budget ? { [method.budget.knob]: method.budget.full } : {});
    for (const [index, frame] of video(1, 4).entries()) {
      const seen = await stream.see(frame, index);
      const dense = await encoder.encode(encoder.open(), preprocessor.patchesOfResized(frame));
      expect(seen.tokens).toEqual(dense.tokens);
      expect([...seen.places]).toEqual(Array.from({ length: encoder.tokensPerFrame }, (_, place) => place));
    }
  });

  test('no state leaks between streams', async () => {
    const [alone, left, right] = [open(method), open(method), open(method)];
    const [frames, others] = [video(2, 4), video(3, 4)];
    for (const [index, frame] of frames.entries()) {
      const expected = { ...(await alone.see(frame, index)) };
      const tokens = expected.tokens.slice();
      const seen = await left.see(frame, index);
      expect(seen.tokens).toEqual(tokens);
      expect(seen.recomputed).toEqual(expected.recomputed);
      await right.see(others[index]!, index);
    }
  });

  test('a stated limit of patches is kept', async () => {
    const budget = method.budget;
    for (const knob of budget?.sweep ?? [undefined]) {
      const given = knob === undefined ? {} : { [budget!.knob]: knob };
      const limit = budget?.limit?.(method.options.parse(given), encoder.patches) ?? encoder.patches;
      const stream = open(method, given);
      for (const [index, frame] of video(4, 4).entries()) {
        const { recomputed, places } = await stream.see(frame, index);
        expect(recomputed.length).toBeLessThanOrEqual(index === 0 ? encoder.patches : limit);
        expect([...places]).toEqual([...new Set(places)].sort((a, b) => a - b));
      }
    }
  });

  test('every token of a frame goes on, is merged into one that does, or is dropped on purpose', async () => {
    const budget = method.budget;
    for (const knob of budget?.sweep ?? [undefined]) {
      const given = knob === undefined ? {} : { [budget!.knob]: knob };
      const most = budget?.tokens?.(method.options.parse(given), encoder.tokensPerFrame) ?? encoder.tokensPerFrame;
      const stream = open(method, given);
      for (const [index, frame] of video(9, 4).entries()) {
        const { tokens, places, counts, standing } = await stream.see(frame, index);
        expect(places.length).toBeLessThanOrEqual(most);
        expect(tokens).toHaveLength(places.length * encoder.tokenWidth);
        if (counts) expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(places.length);
        if (method.runLengths && standing) expect([...places, ...standing].sort((a, b) => a - b)).toEqual(Array.from({ length: encoder.tokensPerFrame }, (_, place) => place));
        else expect(standing).toBeUndefined();
      }
    }
  });

  test('after a restart the next frame goes on as a first frame does', async () => {
    const [fresh, restarted] = [open(method), open(method)];
    const [frame] = video(10, 1) as [Picture];
    const first = await fresh.see(frame, 0);
    await restarted.see(frame, 0);
    restarted.restart();
    const again = await restarted.see(frame, 1);
    expect(again.tokens).toEqual(first.tokens);
    expect(again.recomputed).toHaveLength(encoder.patches);
  });

  test('an aborted frame is made good by the next', async () => {
    const stream = open(method);
    const [first, second] = video(5, 2);
    await stream.see(first!, 0);
    await expect(stream.see(second!, 1, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    const { recomputed } = await stream.see(second!, 2);
    expect(recomputed).toHaveLength(encoder.patches);
  });
});

describe('the stage', () => {
  const only = (to: Int32Array) => defineVisionMethod({ ...methods.get('all')!, open: () => ({ tokens: () => to }) });

  test('drops and merges tokens as planned', async () => {
    const [frame] = video(6, 1);
    const dense = await encoder.encode(encoder.open(), preprocessor.patchesOfResized(frame!));
    const { tokens, places, counts } = await open(only(Int32Array.of(-1, 0, 1, 0))).see(frame!, 0);
    expect([...places]).toEqual([1, 2]);
    expect([...counts!]).toEqual([2, 1]);
    const width = encoder.tokenWidth;
    for (let i = 0; i < width; i++) {
      expect(tokens[i]).toBeCloseTo((dense.tokens[width + i]! + dense.tokens[3 * width + i]!) / 2, 5);
      expect(tokens[width + i]).toBe(dense.tokens[2 * width + i]);
    }
  });

  test.each([[[0, 2, 1, 3]], [[0, 1]], [[0, -2, 1, 2]]])('a plan that is none (%j) is an error', async (plan) => {
    await expect(open(only(Int32Array.from(plan))).see(video(7, 1)[0]!, 0)).rejects.toThrow(/vision method/u);
  });

  test('methods see differences to what each patch was last computed from, and ages', async () => {
    const seen: { difference: Float32Array; age: Int32Array }[] = [];
    const watcher = defineVisionMethod({
      ...methods.get('all')!,
      needs: ['difference'],
      open: () => ({
        patches: ({ difference, age }) => {
          seen.push({ difference: difference!.slice(), age: age.slice() });
          return Int32Array.of(1);
        },
      }),
    });
    const stream = open(watcher);
    const [first] = video(8, 1);
    const shifted = (by: number) => ({ ...first!, rgb: first!.rgb.map((value) => 64 + (value >> 2) + by) });
    for (const [index, frame] of [shifted(0), shifted(10), shifted(30)].entries()) await stream.see(frame, index);
    expect(seen.map(({ age }) => [age[0], age[1]])).toEqual([[1, 1], [2, 1]]);
    expect(seen[1]!.difference[0]).toBeCloseTo(30 / 127.5, 4);
    expect(seen[1]!.difference[1]).toBeCloseTo(20 / 127.5, 4);
  });
});
