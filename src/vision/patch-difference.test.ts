// Differences of patches: the kernel against plain sums, and noise told from change.
import { expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { createPatchComparer } from './patch-difference.ts';

const std = [0.5, 0.4, 0.3] as const;
const random = createRandom(7);
const noise = (length: number) => Uint8Array.from({ length }, () => random.int(0, 256));

/** Mean |a − b| of one patch, and root mean square over its cells, in normalised pixels. */
function plain(a: Uint8Array, b: Uint8Array, widthPx: number, left: number, top: number, patchPx: number, cellPx: number): readonly [number, number] {
  let [sum, squares] = [0, 0];
  for (let channel = 0; channel < 3; channel++) {
    for (let cell = 0; cell < (patchPx / cellPx) ** 2; cell++) {
      const across = patchPx / cellPx;
      const [x0, y0] = [left + (cell % across) * cellPx, top + Math.floor(cell / across) * cellPx];
      let signed = 0;
      for (let y = y0; y < y0 + cellPx; y++) {
        for (let x = x0; x < x0 + cellPx; x++) {
          const at = (y * widthPx + x) * 3 + channel;
          const difference = (a[at]! - b[at]!) / 255 / std[channel]!;
          signed += difference;
          sum += Math.abs(difference);
        }
      }
      squares += (signed / cellPx ** 2) ** 2;
    }
  }
  return [sum / (3 * patchPx ** 2), Math.sqrt(squares / (3 * (patchPx / cellPx) ** 2))];
}

test.each([
  { widthPx: 64, patchPx: 16, cellPx: 4 },
  { widthPx: 50, patchPx: 14, cellPx: 7 },
  { widthPx: 40, patchPx: 5, cellPx: 5 },
])('patches of $patchPx pixels in a picture of $widthPx differ as plain sums say', ({ widthPx, patchPx, cellPx }) => {
  const columns = Math.floor(widthPx / patchPx);
  const comparer = createPatchComparer({ widthPx, rescale: 1 / 255, std }, { patchPx, columns, rows: columns });
  const [a, b] = [noise(widthPx ** 2 * 3), noise(widthPx ** 2 * 3)];
  const { absolute, change } = comparer.compare(a, b);
  for (let patch = 0; patch < columns ** 2; patch++) {
    const [expectedAbsolute, expectedChange] = plain(a, b, widthPx, (patch % columns) * patchPx, Math.floor(patch / columns) * patchPx, patchPx, cellPx);
    expect(absolute[patch]).toBeCloseTo(expectedAbsolute, 5);
    expect(change[patch]).toBeCloseTo(expectedChange, 5);
  }
});

test('grain is what noise leaves of the change, and nothing where the picture moved', () => {
  const widthPx = 64;
  const comparer = createPatchComparer({ widthPx, rescale: 1 / 255, std: [0.5, 0.5, 0.5] }, { patchPx: 16, columns: 4, rows: 4 });
  const flat = new Uint8Array(widthPx ** 2 * 3).fill(128);
  const noisy = () => flat.map((value) => Math.round(value + 20 * random.normal()));
  const still = comparer.compare(noisy(), noisy());
  const measured = Math.sqrt(still.change.reduce((sum, value) => sum + value ** 2, 0) / 16);
  expect(still.grain / measured).toBeGreaterThan(0.9);
  expect(still.grain / measured).toBeLessThan(1.1);
  const brighter = comparer.compare(flat.map((value) => value + 40), flat);
  expect(brighter.change[0]).toBeCloseTo(40 / 127.5, 4);
  expect(brighter.grain).toBeLessThan(brighter.change[0]! / 4);
});
