// Pixels are Pillow's, patches are laid out as the patch convolution reads them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawGoldenPicture } from '../../test/goldens/pictures.ts';
import { createRandom } from '../core/random.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import type { ImageSpec } from '../models/contract.ts';
import { goldenCheckpoint, goldenFile, goldenJson } from '../models/goldens.fixture.ts';
import { readSafetensorsHeader } from '../models/safetensors.ts';
import { createPreprocessor, edgeSize } from './preprocess.ts';
import { createResizer } from './resample.ts';

interface Case {
  readonly name: string;
  readonly settings: string;
  readonly kind: 'image' | 'images' | 'split' | 'video';
  readonly pictures: readonly string[];
  readonly shape: readonly [number, number, number, number];
  readonly sums: readonly number[];
  readonly stride: number;
  readonly offset: number;
}
interface Settings {
  readonly size: { readonly longest_edge?: number };
  readonly resample: number;
}

const { settings: published, cases } = goldenJson('preprocess') as { settings: Record<string, Settings>; cases: readonly Case[] };
const half = [0.5, 0.5, 0.5] as const;

function specOf(settings: string, px: number): ImageSpec {
  const given = published[settings] ?? (JSON.parse(readFileSync(path.join(goldenCheckpoint(settings), 'preprocessor_config.json'), 'utf8')) as Settings);
  const edge = given.size.longest_edge;
  return { resize: edge === undefined ? { kind: 'square' } : { kind: 'longest-edge-then-square', longestEdgePx: edge }, widthPx: px, heightPx: px, resample: given.resample === 1 ? 'lanczos' : 'bicubic', rescale: 1 / 255, mean: half, std: half };
}

describe('pixels', () => {
  // Tiles are not for video: pictures of LLaVA-OneVision are always tiles.
  const compared = cases.filter(({ kind, settings }) => kind !== 'split' && (kind === 'video' || !settings.startsWith('llava')));

  it.each(compared)('of $name are those of the reference', async ({ name, settings, pictures, shape, sums, stride, offset, kind }) => {
    const px = shape[2];
    const preprocessor = createPreprocessor(specOf(settings, px), { patchPx: 8, columns: Math.floor(px / 8), rows: Math.floor(px / 8) });
    const entry = (await readSafetensorsHeader(goldenFile('preprocess.safetensors'))).tensors.get(name)!;
    const expected = readFileSync(entry.file).subarray(entry.offsetBytes, entry.offsetBytes + entry.lengthBytes);
    let at = 0;
    let most = 0;
    let total = 0;
    for (const [index, picture] of pictures.entries()) {
      const { rgb } = preprocessor.resized(drawGoldenPicture(picture));
      for (let channel = 0; channel < 3; channel++) {
        for (let y = offset; y < px; y += stride) {
          for (let x = offset; x < px; x += stride) {
            const apart = Math.abs(rgb[(y * px + x) * 3 + channel]! - expected[at++]!);
            most = Math.max(most, apart);
            total += apart;
          }
        }
        let sum = 0;
        for (let i = channel; i < rgb.length; i += 3) sum += rgb[i]!;
        expect(Math.abs(sum - sums[index * 3 + channel]!) / (px * px)).toBeLessThan(0.2);
      }
    }
    expect(at).toBe(expected.length);
    expect(total / at).toBeLessThan(0.2);
    // Pillow's pictures must come out to the bit; videos go through torchvision, which rounds otherwise.
    expect(most).toBeLessThanOrEqual(kind === 'video' ? 2 : 0);
  });

  it('of every filter keep a flat picture flat and an unresized one as it is', () => {
    const flat = { rgb: new Uint8Array(37 * 23 * 3).fill(201), widthPx: 37, heightPx: 23 };
    for (const filter of ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const) {
      for (const [width, height] of [[5, 90], [200, 3], [37, 50], [1, 1]] as const) expect(new Set(createResizer(filter).resize(flat, width, height).rgb)).toEqual(new Set([201])); // prettier-ignore
      expect(createResizer(filter).resize(flat, 37, 23).rgb).toEqual(flat.rgb);
    }
  });

  it('of the simple filters are those that arithmetic gives', () => {
    const row = { rgb: Uint8Array.of(0, 0, 0, 100, 100, 100, 200, 200, 200, 40, 40, 40), widthPx: 4, heightPx: 1 };
    const red = (filter: ImageSpec['resample'], width: number) => [...createResizer(filter).resize(row, width, 1).rgb].filter((_, i) => i % 3 === 0);
    expect(red('nearest', 2)).toEqual([100, 40]);
    expect(red('nearest', 8)).toEqual([0, 0, 100, 100, 200, 200, 40, 40]);
    // Triangle of radius 2 around 1 and 3: weights 1, 3, 3, 1 over 8, of which 7 remain at the edge.
    expect(red('bilinear', 2)).toEqual([Math.round((0 * 3 + 100 * 3 + 200 * 1) / 7), Math.round((100 * 1 + 200 * 3 + 40 * 3) / 7)]);
  });
});

describe('patches', () => {
  it('are laid out as the patch convolution reads them, leftover pixels unused', async () => {
    const { vision } = await openCheckpoint(goldenCheckpoint('smolvlm2-tiny'));
    const { image, spec } = vision!;
    expect([image.widthPx, spec.patchPx, spec.columns]).toEqual([58, 6, 9]);
    const preprocessor = createPreprocessor(image, spec);
    const picture = preprocessor.resized(drawGoldenPicture('320x240-a'));
    const patches = preprocessor.patchesOfResized(picture);
    expect(patches.length).toBe(81 * 108);
    const random = createRandom(5);
    for (let probe = 0; probe < 500; probe++) {
      const [row, column, channel, y, x] = [random.int(0, 9), random.int(0, 9), random.int(0, 3), random.int(0, 6), random.int(0, 6)];
      const pixel = picture.rgb[((row * 6 + y) * 58 + column * 6 + x) * 3 + channel]!;
      expect(patches[(row * 9 + column) * 108 + channel * 36 + y * 6 + x]).toBeCloseTo((pixel / 255 - 0.5) / 0.5, 6);
    }
  });

  it('go into the buffer given, and the picture may have any shape', () => {
    const preprocessor = createPreprocessor(specOf('SmolVLM-256M-Instruct', 512), { patchPx: 16, columns: 32, rows: 32 });
    const target = new Float32Array(1024 * 768);
    for (const [widthPx, heightPx] of [[1, 1], [3, 900], [901, 2], [4000, 1], [511, 513]] as const) { // prettier-ignore
      expect(preprocessor.patches({ rgb: new Uint8Array(widthPx * heightPx * 3).fill(255), widthPx, heightPx }, target)).toBe(target);
      expect(target.every((value) => value === 1)).toBe(true);
    }
    expect(() => preprocessor.patches({ rgb: new Uint8Array(12), widthPx: 2, heightPx: 2 }, new Float32Array(3))).toThrow(/3 values.*1024 × 768/);
    expect(() => preprocessor.patchesOfResized({ rgb: new Uint8Array(300 * 3), widthPx: 30, heightPx: 10 })).toThrow(/30 × 10.*at least 512 × 512/);
    expect(() => preprocessor.patches({ rgb: new Uint8Array(11), widthPx: 2, heightPx: 2 })).toThrow(/11 bytes for 2 × 2/);
    expect(() => preprocessor.patches({ rgb: new Uint8Array(), widthPx: 0, heightPx: 5 })).toThrow(/at least one pixel/);
  });

  it('the longer edge is met and the other made even', () => {
    expect(edgeSize(640, 360, 2048)).toEqual({ widthPx: 2048, heightPx: 1152 });
    expect(edgeSize(97, 171, 2048)).toEqual({ widthPx: 1162, heightPx: 2048 });
    expect(edgeSize(500, 33, 256)).toEqual({ widthPx: 256, heightPx: 16 });
    expect(edgeSize(16384, 1, 2048)).toEqual({ widthPx: 2048, heightPx: 1 });
  });
});
