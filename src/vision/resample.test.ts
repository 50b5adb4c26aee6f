// Resampling equals its plain loops bit for bit, for any sizes, filters and chains.
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../core/random.ts';
import { createPreprocessor } from './preprocess.ts';
import { createResizer, type Picture } from './resample.ts';
import { resizePlainly } from './resample.fixture.ts';
import { createPipeline } from './resample-pipeline.ts';

const filters = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;

/** Noise, or black and white alone, where filters overshoot most. */
function drawPicture(random: Random, widthPx: number, heightPx: number): Picture {
  const hard = random.int(0, 2) === 0;
  return { rgb: Uint8Array.from({ length: widthPx * heightPx * 3 }, () => (hard ? random.int(0, 2) * 255 : random.int(0, 256))), widthPx, heightPx };
}

function expectSame(got: Picture, expected: Picture, what: string): void {
  const same = Buffer.compare(got.rgb, expected.rgb) === 0;
  expect({ what, size: [got.widthPx, got.heightPx], same }).toEqual({ what, size: [expected.widthPx, expected.heightPx], same: true });
}

describe('the kernels give the bytes of the plain loops', () => {
  it.each(filters)('for %s and any sizes, whatever was resized before', (filter) => {
    const random = createRandom(11);
    const resizer = createResizer(filter);
    const edge = () => (random.int(0, 4) === 0 ? random.int(1, 5) : random.int(1, 150));
    for (let trial = 0; trial < 120; trial++) {
      const [width, height, toWidth, toHeight] = [edge(), edge(), edge(), edge()];
      const picture = drawPicture(random, width, height);
      expectSame(resizer.resize(picture, toWidth, toHeight), resizePlainly(picture, toWidth, toHeight, filter), `${width}×${height} to ${toWidth}×${toHeight}`);
    }
  });

  it.each([
    [1, 1, 1, 7], [1, 1, 300, 1], [3, 900, 3, 2], [900, 3, 2, 3], [2500, 2, 1, 1], [2, 2500, 1, 1], [1, 2, 600, 500],
    [15, 16, 16, 17], [16, 33, 17, 16], [5, 5, 5, 333], [333, 5, 5, 5], [641, 361, 384, 384], [1031, 7, 1030, 8],
  ] as const)('for %i × %i to %i × %i', (width, height, toWidth, toHeight) => { // prettier-ignore
    const picture = drawPicture(createRandom(width + height), width, height);
    for (const filter of filters) expectSame(createResizer(filter).resize(picture, toWidth, toHeight), resizePlainly(picture, toWidth, toHeight, filter), filter);
  });

  it.each(filters)('for %s through several sizes, some of them equal along one edge or both', (filter) => {
    const random = createRandom(12);
    const resizer = createResizer(filter);
    for (let trial = 0; trial < 40; trial++) {
      const from = { widthPx: random.int(1, 90), heightPx: random.int(1, 90) };
      const sizes = [from];
      for (let step = random.int(1, 4), last = from; step > 0; step--, sizes.push(last)) {
        last = { widthPx: random.int(0, 3) === 0 ? last.widthPx : random.int(1, 120), heightPx: random.int(0, 3) === 0 ? last.heightPx : random.int(1, 120) };
      }
      const steps = sizes.slice(1);
      const picture = drawPicture(random, from.widthPx, from.heightPx);
      const expected = steps.reduce<Picture>((last, { widthPx, heightPx }) => resizePlainly(last, widthPx, heightPx, filter), picture);
      expectSame(resizer.resizeThrough(picture, steps), expected, sizes.map(({ widthPx, heightPx }) => `${widthPx}×${heightPx}`).join(' to '));
    }
  });

  it('for the two steps of the SmolVLM processor', () => {
    const picture = drawPicture(createRandom(3), 320, 180);
    const expected = resizePlainly(resizePlainly(picture, 2048, 1152, 'lanczos'), 512, 512, 'lanczos');
    expectSame(createResizer('lanczos').resizeThrough(picture, [{ widthPx: 2048, heightPx: 1152 }, { widthPx: 512, heightPx: 512 }]), expected, '320×180'); // prettier-ignore
  });

  it('for patches of every normalisation, to the last bit', () => {
    const random = createRandom(4);
    for (const [patchPx, columns, rows, px] of [[14, 3, 2, 45], [16, 4, 4, 64], [1, 5, 7, 8], [7, 1, 1, 9]] as const) { // prettier-ignore
      const [mean, std, rescale] = [[0.48, 0.5, 0.41] as const, [0.27, 0.5, 0.28] as const, 1 / 255];
      const preprocessor = createPreprocessor({ resize: { kind: 'square' }, widthPx: px, heightPx: px, resample: 'bicubic', rescale, mean, std }, { patchPx, columns, rows });
      const picture = drawPicture(random, px, px);
      const patches = preprocessor.patchesOfResized(picture);
      const expected = Float32Array.from({ length: rows * columns * 3 * patchPx * patchPx }, (_, i) => {
        const [patch, channel, y, x] = [Math.floor(i / (3 * patchPx * patchPx)), Math.floor(i / (patchPx * patchPx)) % 3, Math.floor(i / patchPx) % patchPx, i % patchPx] as const;
        const byte = picture.rgb[((Math.floor(patch / columns) * patchPx + y) * px + (patch % columns) * patchPx + x) * 3 + channel]!;
        return (Math.fround(byte * rescale) - mean[channel]!) / std[channel]!;
      });
      expect(patches).toEqual(expected);
    }
  });
});

describe('memory', () => {
  it('is a few MiB for the largest pictures, because no size exists as a whole', () => {
    const square = (px: number) => ({ widthPx: px, heightPx: px });
    expect(createPipeline([square(4096), square(2048), square(512)], 'lanczos').bytes).toBeLessThan(3 << 20);
    expect(createPipeline([square(4096), square(384)], 'bicubic').bytes).toBeLessThan(3 << 20);
  });

  it('given back after a size that needed much leaves results right', () => {
    const tall = { rgb: new Uint8Array(1500 * 3000 * 3).fill(9), widthPx: 1500, heightPx: 3000 };
    const picture = drawPicture(createRandom(6), 40, 30);
    const resizer = createResizer('bicubic');
    const before = resizer.resize(picture, 64, 64).rgb.slice();
    expect(createPipeline([tall, { widthPx: 1500, heightPx: 1 }], 'bicubic').bytes).toBeGreaterThan(8 << 20);
    expect(new Set(resizer.resize(tall, 1500, 1).rgb)).toEqual(new Set([9]));
    expect(resizer.resize(picture, 64, 64).rgb).toEqual(before);
  });
});
