// The selecting methods on a real encoder: still frames cost nothing, changes cost what they cover, and what the memory lost is shown again.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { builtInRouterWeights } from '../gate/router-weights.ts';
import type { ImageSpec } from '../models/contract.ts';
import type { VisionEncoder } from './encoder.ts';
import { createPreprocessor, type Preprocessor } from './preprocess.ts';
import type { Picture } from './resample.ts';
import { VisionStream, visionMethods } from './stage.ts';
import { openTinyEncoder, type TinyEncoder } from './tiny-encoder.fixture.ts';

const methods = await visionMethods();
let opened: TinyEncoder;
let encoder: VisionEncoder;
let image: ImageSpec;
let preprocessor: Preprocessor;
let layers: number;
beforeAll(async () => {
  opened = await openTinyEncoder('smolvlm-tiny');
  ({ encoder, image } = opened);
  ({ layers } = opened.spec);
  preprocessor = createPreprocessor(image, opened.spec);
});
afterAll(() => opened[Symbol.asyncDispose]());

const open = (name: string, options: Readonly<Record<string, unknown>> = {}) => new VisionStream(encoder, image, methods.get(name)!, options);
const still = { refreshFrames: 0, spread: 1 };

function picture(): Picture {
  const random = createRandom(11);
  const { widthPx, heightPx } = image;
  return { widthPx, heightPx, rgb: Uint8Array.from({ length: widthPx * heightPx * 3 }, () => random.int(0, 256)) };
}

/** The picture with a patch turned to its negative. */
function changed({ rgb, ...size }: Picture, patch: number): Picture {
  const patchPx = Math.sqrt(encoder.patchLength / 3);
  const [top, left] = [Math.floor(patch / encoder.grid.columns) * patchPx, (patch % encoder.grid.columns) * patchPx];
  const copy = rgb.slice();
  for (let y = top; y < top + patchPx; y++) for (let x = left * 3; x < (left + patchPx) * 3; x++) copy[y * size.widthPx * 3 + x] = 255 - copy[y * size.widthPx * 3 + x]!;
  return { ...size, rgb: copy };
}
const allTokens = () => Array.from({ length: encoder.tokensPerFrame }, (_, token) => token);
const tokenOf = (patch: number) => Math.floor(encoder.layout.patches.indexOf(patch) / encoder.layout.sources);

test('some patches are converted as all of them are', () => {
  const whole = preprocessor.patchesOfResized(picture()).slice();
  const rows = Int32Array.from([0, 1, 2, 5, encoder.patches - 2, encoder.patches - 1]);
  const some = new Float32Array(rows.length * encoder.patchLength);
  preprocessor.patchesAt(picture(), rows, some);
  rows.forEach((row, i) => expect(some.slice(i * encoder.patchLength, (i + 1) * encoder.patchLength)).toEqual(whole.slice(row * encoder.patchLength, (row + 1) * encoder.patchLength)));
});

test.each(['difference', 'motion-compensated', 'budget'])('%s: a still frame costs nothing and passes nothing on; a change costs what it covers', async (name) => {
  const stream = open(name, still);
  const [frame, patch] = [picture(), 5];
  expect((await stream.see(frame, 0)).places).toHaveLength(encoder.tokensPerFrame);
  const same = await stream.see(frame, 1);
  expect([same.recomputed.length, same.patchLayers, same.places.length]).toEqual([0, 0, 0]);
  expect([...same.standing!]).toEqual(allTokens());
  const other = await stream.see(changed(frame, patch), 2);
  expect([...other.recomputed]).toEqual([patch]);
  expect(other.patchLayers).toBe(layers);
  expect([...other.places]).toEqual([tokenOf(patch)]);
  // Back again is a change too: patches are compared with what they were computed from.
  expect([...(await stream.see(frame, 3)).recomputed]).toEqual([patch]);
});

test('a question is shown what the newest frame held back, or all of a frame that was passed over', async () => {
  const stream = open('difference', { ...still, heldBack: 'shown' });
  const [frame, patch] = [picture(), 5];
  const first = (await stream.see(frame, 0)).tokens.slice();
  expect(stream.heldBack('held')).toBeUndefined();
  await stream.see(changed(frame, patch), 1);
  const held = stream.heldBack('held')!;
  expect([...held.places]).toEqual(allTokens().filter((token) => token !== tokenOf(patch)));
  held.places.forEach((place, i) => expect(held.tokens.slice(i * encoder.tokenWidth, (i + 1) * encoder.tokenWidth)).toEqual(first.slice(place * encoder.tokenWidth, (place + 1) * encoder.tokenWidth)));
  expect([...stream.heldBack('all')!.places]).toEqual(allTokens());
  stream.restart();
  expect(stream.heldBack('all')).toBeUndefined();
  const hidden = open('difference', still);
  await hidden.see(frame, 0);
  await hidden.see(frame, 1);
  expect(hidden.heldBack('held')).toBeUndefined();
});

test('what the memory lost is shown again with the next frame, once', async () => {
  const stream = open('difference', still);
  const frame = picture();
  const first = (await stream.see(frame, 0)).tokens.slice();
  stream.showAgain([2, 0]);
  const again = await stream.see(frame, 1);
  expect([...again.places]).toEqual([0, 2]);
  expect([...again.standing!]).toEqual(allTokens().filter((token) => token !== 0 && token !== 2));
  expect(again.tokens.slice(encoder.tokenWidth)).toEqual(first.slice(2 * encoder.tokenWidth, 3 * encoder.tokenWidth));
  expect((await stream.see(frame, 2)).places).toHaveLength(0);
});

test('a token that comes out as it was does not go on, however often it is computed', async () => {
  const stream = open('difference', { ...still, refreshFrames: 1 });
  await stream.see(picture(), 0);
  const { recomputed, places } = await stream.see(picture(), 1);
  expect(recomputed).toHaveLength(encoder.patches);
  expect(places).toHaveLength(0);
});

test('a budget computes what changed most first, and the rest in later frames', async () => {
  const patchRatio = 1 / encoder.patches;
  const stream = open('budget', { ...still, patchRatio });
  const frame = picture();
  await stream.see(frame, 0);
  const both = changed(changed(frame, 3), 9);
  const first = (await stream.see(both, 1)).recomputed[0]!;
  const second = (await stream.see(both, 2)).recomputed[0]!;
  expect([first, second].sort((a, b) => a - b)).toEqual([3, 9]);
  expect((await stream.see(both, 3)).recomputed).toHaveLength(0);
});

test('a picture that moved as a whole is not computed anew, one that only `difference` sees is', async () => {
  const { widthPx, heightPx } = image;
  const smooth = (shift: number): Picture => {
    const rgb = new Uint8Array(widthPx * heightPx * 3);
    for (let y = 0; y < heightPx; y++) for (let x = 0; x < widthPx; x++) rgb.fill(128 + 80 * Math.sin((x - shift) / 3) * Math.cos(y / 4) + 40 * Math.sin((x - shift + y) / 11), (y * widthPx + x) * 3, (y * widthPx + x) * 3 + 3);
    return { widthPx, heightPx, rgb };
  };
  const [plain, steadied] = [open('difference', still), open('motion-compensated', { ...still, reachPx: 4 })];
  for (const stream of [plain, steadied]) await stream.see(smooth(0), 0);
  expect((await plain.see(smooth(3), 1)).recomputed.length).toBeGreaterThan(encoder.patches / 2);
  expect((await steadied.see(smooth(3), 1)).recomputed).toHaveLength(0);
});

test("the router obeys the checkpoint's own weights", async () => {
  const { patches, ...rest } = builtInRouterWeights();
  /** Weights that decide by the constant feature alone. */
  const always = (compute: number) => ({ ...rest, patches: { ...patches, gate: patches.gate.map((_, i) => (i === 0 ? compute : 0)) } });
  for (const [compute, expected] of [[1, encoder.patches], [-1, 0]] as const) {
    const stream = new VisionStream(encoder, image, methods.get('router')!, {}, { router: always(compute) });
    await stream.see(picture(), 0);
    expect((await stream.see(changed(picture(), 5), 1)).recomputed).toHaveLength(expected);
  }
});

test('eventful: rows go on as long as their features moved, and a gate that lets all through is the dense encoder', async () => {
  const frame = picture();
  const other = changed(frame, 5);
  // In every pixel, so that no patch stays behind.
  const lighter = { ...frame, rgb: frame.rgb.map((value) => value ^ 8) };
  const dense = (await encoder.encode(encoder.open(), preprocessor.patchesOfResized(lighter))).tokens.slice();
  const all = open('eventful', { threshold: 1e-30, tokens: 'all' });
  const some = open('eventful', { threshold: 0.05, tokens: 'all' });
  for (const stream of [all, some]) await stream.see(frame, 0);
  const still = await some.see(frame, 1);
  expect([still.patchLayers, still.recomputed.length]).toEqual([0, 0]);
  const moved = await some.see(other, 2);
  expect([...moved.recomputed]).toContain(5);
  expect(moved.patchLayers).toBeLessThan(encoder.patches * layers);
  const whole = await all.see(lighter, 1);
  expect(whole.patchLayers).toBe(encoder.patches * layers);
  whole.tokens.forEach((value, i) => expect(Math.abs(value - dense[i]!)).toBeLessThan(1e-4));
});
