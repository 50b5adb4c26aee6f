// Pictures that moved as a whole are moved back: by the codec's vectors, by their pixels, and not at all where that is no motion.
import { expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { createSteadier, medianMotion, type CodecMotion } from './steady.ts';

const size = { widthPx: 96, heightPx: 80 };

/** A window of a large smooth picture, whose content lies (x, y) further than in `scene(0, 0)`. */
function scene(x: number, y: number): Uint8Array {
  const rgb = new Uint8Array(size.widthPx * size.heightPx * 3);
  for (let row = 0; row < size.heightPx; row++) {
    for (let column = 0; column < size.widthPx; column++) {
      const [u, v] = [column - x, row - y];
      const value = 128 + 50 * Math.sin(u / 7) * Math.cos(v / 9) + 40 * Math.sin(u / 23 + v / 17) + 20 * Math.sin(v / 5);
      rgb.fill(value, (row * size.widthPx + column) * 3, (row * size.widthPx + column) * 3 + 3);
    }
  }
  return rgb;
}
const shot = (rgb: Uint8Array) => ({ ...size, rgb });

/** Vectors of 16 × 16 blocks, most of which moved by (x, y); one in four by chance. */
function vectors(x: number, y: number): CodecMotion {
  const count = 30;
  const random = createRandom(4);
  const displacement = Float32Array.from({ length: count * 2 }, (_, i) => (Math.floor(i / 2) % 4 === 0 ? 20 * random.normal() : i % 2 === 0 ? -x : -y));
  return { vectors: { count, destination: new Int16Array(count * 2), displacement, size: new Uint8Array(count * 2).fill(16), direction: new Int8Array(count).fill(-1) }, scaleX: 1, scaleY: 1 };
}

test.each([[3, -2], [-5, 4], [0, 6]])('a picture that moved by (%i, %i) is found by its pixels and lies on the one before', (x, y) => {
  const { picture, displacement } = createSteadier(size, 8).steady(shot(scene(x, y)), scene(0, 0));
  expect(displacement).toEqual({ x, y });
  expect(Buffer.compare(picture.rgb, scene(0, 0))).toBe(0);
});

test('vectors lead to it too, and wrong ones do not lead astray', () => {
  expect(medianMotion(vectors(6, -3))).toEqual({ x: 6, y: -3 });
  expect(createSteadier(size, 8).steady(shot(scene(6, -3)), scene(0, 0), vectors(6, -3)).displacement).toEqual({ x: 6, y: -3 });
  expect(createSteadier(size, 8).steady(shot(scene(0, 0)), scene(0, 0), vectors(6, -3)).displacement).toEqual({ x: 0, y: 0 });
});

test('a motion is followed over frames, against the same picture', () => {
  const steadier = createSteadier(size, 8);
  for (const x of [2, 4, 6, 8]) expect(steadier.steady(shot(scene(x, 0)), scene(0, 0)).displacement).toEqual({ x, y: 0 });
});

test('beyond the reach the picture stands for itself', () => {
  const moved = scene(12, 0);
  const { picture, displacement } = createSteadier(size, 8).steady(shot(moved), scene(0, 0));
  expect(displacement).toEqual({ x: 0, y: 0 });
  expect(picture.rgb).toBe(moved);
});

test('a thing that moves by itself, or light, is no motion of the camera', () => {
  const thing = scene(0, 0);
  for (let row = 20; row < 50; row++) thing.fill(255, (row * size.widthPx + 30) * 3, (row * size.widthPx + 50) * 3);
  expect(createSteadier(size, 8).steady(shot(thing), scene(0, 0)).displacement).toEqual({ x: 0, y: 0 });
  const brighter = scene(0, 0).map((value) => Math.min(255, value + 25));
  expect(createSteadier(size, 8).steady(shot(brighter), scene(0, 0)).displacement).toEqual({ x: 0, y: 0 });
});
