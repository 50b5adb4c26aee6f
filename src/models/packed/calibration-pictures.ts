// Pictures for calibration, as patches: clouds at every scale, edges and fine texture, with the statistics of photographs roughly.
import { createRandom } from '../../core/random.ts';
import type { Random } from '../../core/random.ts';
import type { VisionSpec } from '../contract.ts';

/** How many pictures give a few hundred patches or more. */
export function pictureCount({ columns, rows }: VisionSpec): number {
  return Math.max(1, Math.min(8, Math.ceil(512 / (columns * rows))));
}

/** @returns float32 [pictures · P, 3 · patch²], pixels from −1 to 1 */
export function calibrationPatches(spec: VisionSpec): Float32Array {
  const { columns, rows, patchPx } = spec;
  const [widthPx, heightPx] = [columns * patchPx, rows * patchPx];
  const all = new Float32Array(pictureCount(spec) * columns * rows * 3 * patchPx ** 2);
  let at = 0;
  for (let picture = 0; picture < pictureCount(spec); picture++) {
    const pixels = drawPicture(createRandom(1000 + picture), widthPx, heightPx);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        for (let c = 0; c < 3; c++) {
          for (let dy = 0; dy < patchPx; dy++) {
            const start = (c * heightPx + y * patchPx + dy) * widthPx + x * patchPx;
            all.set(pixels.subarray(start, start + patchPx), at);
            at += patchPx;
          }
        }
      }
    }
  }
  return all;
}

/** @returns float32 [3, height, width] */
function drawPicture(random: Random, width: number, height: number): Float32Array {
  const pixels = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) pixels.fill(random.next() * 1.2 - 0.6, c * width * height, (c + 1) * width * height);
  // Each octave of noise has half the cell and half the strength of the one before: energy falls as in photographs.
  let strength = 0.8;
  for (let cell = Math.max(width, height) / 2; cell >= 2; cell /= 2, strength *= 0.6) addNoise(pixels, random, width, height, cell, strength);
  for (let shape = 0; shape < 12; shape++) drawRectangle(pixels, random, width, height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.max(-1, Math.min(1, pixels[i]!));
  return pixels;
}

/** Values on a grid of cells, interpolated. */
function addNoise(pixels: Float32Array, random: Random, width: number, height: number, cell: number, strength: number): void {
  const columns = Math.ceil(width / cell) + 2;
  const rows = Math.ceil(height / cell) + 2;
  for (let c = 0; c < 3; c++) {
    const grid = Float32Array.from({ length: columns * rows }, () => (random.next() * 2 - 1) * strength);
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / cell);
      const down = y / cell - row;
      for (let x = 0; x < width; x++) {
        const column = Math.floor(x / cell);
        const right = x / cell - column;
        const i = row * columns + column;
        const top = grid[i]! * (1 - right) + grid[i + 1]! * right;
        const bottom = grid[i + columns]! * (1 - right) + grid[i + columns + 1]! * right;
        pixels[(c * height + y) * width + x]! += top * (1 - down) + bottom * down;
      }
    }
  }
}

function drawRectangle(pixels: Float32Array, random: Random, width: number, height: number): void {
  const [left, top] = [random.int(0, width), random.int(0, height)];
  const [right, bottom] = [Math.min(width, left + random.int(1, width)), Math.min(height, top + random.int(1, 1 + height / 2))];
  const colour = [random.next() * 2 - 1, random.next() * 2 - 1, random.next() * 2 - 1];
  for (let c = 0; c < 3; c++) for (let y = top; y < bottom; y++) pixels.fill(colour[c]!, (c * height + y) * width + left, (c * height + y) * width + right);
}
