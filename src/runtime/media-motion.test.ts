// Tests of motion vectors: the layout of the side data, scaling and turning, and a real encoder's view of a pan.
import { expect, test } from 'vitest';
import { encodeClip, READER_OPTIONS, wavePixels } from './media-clip.fixture.ts';
import { motionVectorsOf } from './media-motion.ts';
import type { PictureGeometry } from './media-motion.ts';
import { openMediaReader } from './media-reader.ts';
import { UPRIGHT } from './media-rotation.ts';

/** One AVMotionVector: a 16×8 block at (40, 20) that came from 3.25 px to the right and 1.5 px above. */
function oneVector(source: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeInt32LE(source, 0);
  bytes.writeUInt8(16, 4);
  bytes.writeUInt8(8, 5);
  bytes.writeInt16LE(43, 6);
  bytes.writeInt16LE(18, 8);
  bytes.writeInt16LE(40, 10);
  bytes.writeInt16LE(20, 12);
  bytes.writeInt32LE(13, 24);
  bytes.writeInt32LE(-6, 28);
  bytes.writeUInt16LE(4, 32);
  return bytes;
}

const GEOMETRY: PictureGeometry = { codedWidthPx: 96, codedHeightPx: 64, scaledWidthPx: 96, scaledHeightPx: 64, orientation: UPRIGHT };

test('a vector keeps quarter-pixel precision, its size and its direction', () => {
  const { count, destination, displacement, size, direction } = motionVectorsOf(Buffer.concat([oneVector(-1), oneVector(1)]), GEOMETRY);
  expect(count).toBe(2);
  expect([...destination.subarray(0, 2)]).toEqual([40, 20]);
  expect([...displacement.subarray(0, 2)]).toEqual([3.25, -1.5]);
  expect([...size.subarray(0, 2)]).toEqual([16, 8]);
  expect([...direction]).toEqual([-1, 1]);
});

test('vectors are scaled and turned with their picture', () => {
  const half = motionVectorsOf(oneVector(-1), { ...GEOMETRY, scaledWidthPx: 48, scaledHeightPx: 32 });
  expect([...half.destination, ...half.displacement, ...half.size]).toEqual([20, 10, 1.625, -0.75, 8, 4]);
  const turned = (rotationDeg: 90 | 180 | 270, mirrored = false) => {
    const { destination, displacement, size } = motionVectorsOf(oneVector(-1), { ...GEOMETRY, orientation: { rotationDeg, mirrored } });
    return [...destination, ...displacement, ...size];
  };
  // A block right of the middle and moving right comes to lie below and moves down, when turned clockwise.
  expect(turned(90)).toEqual([44, 40, 1.5, 3.25, 8, 16]);
  expect(turned(180)).toEqual([56, 44, -3.25, 1.5, 16, 8]);
  expect(turned(270)).toEqual([20, 56, -1.5, -3.25, 8, 16]);
  expect(turned(180, true)).toEqual([40, 44, 3.25, 1.5, 16, 8]);
});

test('a pan of 4 px a frame shows as vectors of 4 px', async () => {
  const wide = wavePixels(3, 256, 64);
  const noisy = wide.map((value, at) => value + ((at * 2_654_435_761) >>> 29));
  const pan = (index: number) => {
    const rgb = new Uint8Array(96 * 64 * 3);
    for (let y = 0; y < 64; y++) rgb.set(noisy.subarray((y * 256 + index * 4) * 3, (y * 256 + index * 4 + 96) * 3), y * 96 * 3);
    return rgb;
  };
  await using reader = await openMediaReader(await encodeClip({ frames: 6, pixelsOf: pan, preset: 'medium', crf: 12 }), READER_OPTIONS);
  const first = await reader.read();
  expect(first?.pictureType).toBe('I');
  expect(first?.motion()?.count ?? 0).toBe(0);
  const horizontal: number[] = [];
  for (let picture = await reader.read(); picture !== undefined; picture = await reader.read()) {
    const motion = picture.motion();
    for (let i = 0; i < (motion?.count ?? 0); i++) horizontal.push(motion!.displacement[2 * i]!);
  }
  horizontal.sort((a, b) => a - b);
  // The camera moves right: what is here now was 4 px further right before.
  expect(horizontal[horizontal.length >> 1]).toBe(4);
});
