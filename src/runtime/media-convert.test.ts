// Tests of colour, alpha, depth, rotation and size: pictures come out as they were meant, whatever they were stored as.
import { deflateSync, crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodeClip, meanDifference, readClip, wavePixels } from './media-clip.fixture.ts';
import type { ClipOptions } from './media-clip.fixture.ts';
import { scaledSizeOf } from './media-convert.ts';

const COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40], [30, 90, 160]] as const;

/** A picture of one colour (and alpha) all over. */
function flat(values: readonly number[], widthPx: number, heightPx: number): Uint8Array {
  return Uint8Array.from({ length: widthPx * heightPx * values.length }, (_, index) => values[index % values.length]!);
}

/** Largest error of flat colours after a round trip. */
async function worstColourError(options: ClipOptions): Promise<number> {
  const clip = await encodeClip({ ...options, widthPx: 32, heightPx: 32, frames: COLOURS.length, gopFrames: 1, pixelsOf: (index) => flat(COLOURS[index]!, 32, 32) });
  const { pictures } = await readClip(clip);
  expect(pictures).toHaveLength(COLOURS.length);
  return Math.max(...pictures.map(({ rgb }, index) => rgb.reduce((worst, value, at) => Math.max(worst, Math.abs(value - COLOURS[index]![at % 3]!)), 0)));
}

describe('colours', () => {
  test.each([
    ['yuv420p', 'bt709', 'limited', 'ffv1'],
    ['yuv420p', 'bt601', 'limited', 'ffv1'],
    ['yuv420p', 'bt601', 'full', 'libx264'],
    ['yuv444p', 'bt709', 'full', 'ffv1'],
    ['yuv422p10le', 'bt709', 'limited', 'ffv1'],
    ['yuv420p10le', 'bt2020', 'limited', 'libx264'],
    ['yuv444p16le', 'bt709', 'limited', 'ffv1'],
    ['bgr0', 'bt709', 'full', 'ffv1'],
    ['bgr24', 'bt709', 'full', 'libx264rgb'],
  ] as const)('%s in %s, %s range, survives %s', async (pixelFormat, colorMatrix, colorRange, codec) => {
    // 8-bit limited-range YUV has 219 levels for 256, and quantised chroma: two levels off at most.
    expect(await worstColourError({ pixelFormat, colorMatrix, colorRange, codec, format: 'matroska', crf: 0, preset: 'ultrafast' })).toBeLessThanOrEqual(2);
  });

  test('a matrix read as another is seen by this test', async () => {
    const clip = await encodeClip({ widthPx: 32, heightPx: 32, frames: 1, codec: 'ffv1', format: 'matroska', pixelFormat: 'yuv444p', colorMatrix: 'bt2020', pixelsOf: () => flat([0, 255, 0], 32, 32) });
    // The tag (Matroska MatrixCoefficients, 0x55B1, one byte: 9) turned into BT.601 (6).
    const tag = Buffer.from(clip).indexOf(Buffer.from([0x55, 0xb1, 0x81, 0x09]));
    expect(tag).toBeGreaterThan(0);
    clip[tag + 3] = 6;
    const { pictures } = await readClip(clip);
    expect(pictures[0]!.rgb[0]! + pictures[0]!.rgb[2]!).toBeGreaterThan(5);
  });

  test('10-bit waves stay within a level of 8-bit ones', async () => {
    const { info, pictures } = await readClip(await encodeClip({ frames: 2, pixelFormat: 'yuv444p10le', crf: 0 }));
    expect(info.pixelFormat).toBe('yuv444p10le');
    expect(meanDifference(pictures[1]!.rgb, wavePixels(1))).toBeLessThan(1.5);
  });
});

describe('alpha is flattened on black', () => {
  const straight = [200, 100, 50, 128] as const;
  const onBlack = [100, 50, 25] as const;
  test.each([
    ['png', 'image2pipe', 'rgba', 1],
    ['prores_ks', 'mov', 'yuva444p10le', 3],
    ['libvpx-vp9', 'webm', 'yuva420p', 4],
    ['ffv1', 'matroska', 'yuva444p', 2],
  ] as const)('%s in %s (%s)', async (codec, format, pixelFormat, tolerance) => {
    const clip = await encodeClip({ codec, format, pixelFormat, pixels: 'rgba', widthPx: 64, heightPx: 64, frames: 2, gopFrames: 1, crf: 4, pixelsOf: () => flat(straight, 64, 64) });
    const { pictures } = await readClip(clip);
    const { rgb } = pictures.at(-1)!;
    for (let at = 0; at < 3; at++) expect(Math.abs(rgb[32 * 64 * 3 + at]! - onBlack[at]!)).toBeLessThanOrEqual(tolerance);
  });
});

describe('rotation', () => {
  /** Red above, blue below, with a green corner at the top left. */
  const upright = (widthPx: number, heightPx: number): Uint8Array => {
    const rgb = new Uint8Array(widthPx * heightPx * 3);
    for (let y = 0; y < heightPx; y++) for (let x = 0; x < widthPx; x++) rgb[(y * widthPx + x) * 3 + (x < 16 && y < 16 ? 1 : y < heightPx / 2 ? 0 : 2)] = 255;
    return rgb;
  };
  const channelAt = ({ rgb, widthPx }: { rgb: Uint8Array; widthPx: number }, [x, y]: readonly [number, number]) => {
    const at = (y * widthPx + x) * 3;
    return rgb.subarray(at, at + 3).indexOf(Math.max(...rgb.subarray(at, at + 3)));
  };
  test.each([
    [0, 96, 64, [8, 8], [90, 8]],
    // Turned clockwise, the coded top left is the right end of the top row.
    [90, 64, 96, [55, 8], [55, 90]],
    [180, 96, 64, [87, 55], [8, 55]],
    [270, 64, 96, [8, 87], [8, 8]],
  ] as const)('of %i degrees is applied', async (rotationDeg, widthPx, heightPx, green, red) => {
    const { pictures, info } = await readClip(await encodeClip({ frames: 2, rotationDeg, pixelsOf: () => upright(96, 64), crf: 5 }));
    const picture = pictures[1]!;
    expect(picture).toMatchObject({ widthPx, heightPx });
    expect(info).toMatchObject({ widthPx, heightPx, orientation: { rotationDeg, mirrored: false } });
    expect(channelAt(picture, green)).toBe(1);
    expect(channelAt(picture, red)).toBe(0);
  });
});

/** PNG of one bit a pixel, all black but for its right half: 16384×16000 in a few kilobytes. */
function hugePng(widthPx: number, heightPx: number): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(widthPx, 0);
  header.writeUInt32BE(heightPx, 4);
  header[8] = 1;
  const row = Buffer.concat([Buffer.alloc(1 + widthPx / 16), Buffer.alloc(widthPx / 16, 0xff)]);
  const rows = Buffer.alloc(row.length * heightPx);
  for (let y = 0; y < heightPx; y++) row.copy(rows, y * row.length);
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', new Uint8Array())]);
}

describe('size', () => {
  test('limits keep the shape and never reach zero', () => {
    const limits = { maxPixels: 1_000_000, maxSidePx: 2000 };
    expect(scaledSizeOf(640, 360, limits)).toEqual({ widthPx: 640, heightPx: 360 });
    expect(scaledSizeOf(4000, 100, limits)).toEqual({ widthPx: 2000, heightPx: 50 });
    expect(scaledSizeOf(16_384, 1, { maxPixels: 100, maxSidePx: 50 })).toEqual({ widthPx: 50, heightPx: 1 });
    const { widthPx, heightPx } = scaledSizeOf(16_384, 16_384, limits);
    expect(widthPx * heightPx).toBeLessThanOrEqual(1_000_000);
    expect(widthPx).toBe(heightPx);
  });

  test('16384×16000 is scaled down on the way, left black and right white', async () => {
    const { pictures, info } = await readClip(hugePng(16_384, 16_000), { maxPixels: 256 * 250 });
    expect(info).toMatchObject({ codedWidthPx: 16_384, codedHeightPx: 16_000 });
    expect(pictures[0]).toMatchObject({ widthPx: 256, heightPx: 250 });
    expect([pictures[0]!.rgb[100 * 256 * 3 + 60], pictures[0]!.rgb[100 * 256 * 3 + 600]]).toEqual([0, 255]);
  });

  test.each([[16_384, 16_384], [60_000, 60_000]])('a picture of %i×%i, beyond what FFmpeg takes, is refused before memory is taken', async (widthPx, heightPx) => {
    const claimed = hugePng(16, 16);
    claimed.writeUInt32BE(widthPx, 16);
    claimed.writeUInt32BE(heightPx, 20);
    claimed.writeUInt32BE(crc32(claimed.subarray(12, 29)), 29);
    const before = process.memoryUsage().rss;
    await expect(readClip(claimed)).rejects.toThrow(/larger than/);
    // The smaller of the two would take 768 MiB.
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20);
  });
});
