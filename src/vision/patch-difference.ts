// How two pictures differ, patch by patch: pixel by pixel, and in cells of a few pixels, where noise cancels out.
import type { ImageSpec, VisionSpec } from '../models/contract.ts';
import { pixelKernels } from '../runtime/pixel-kernels.ts';

/** Differences in normalised pixels, as the encoder sees them. Overwritten by the next comparison of the same comparer. */
export interface PatchDifference {
  /** float32 [P]: mean of |a − b|. */
  readonly absolute: Float32Array;
  /** float32 [P]: root mean square of a − b, averaged over cells of about 4 × 4 pixels first. */
  readonly change: Float32Array;
  /** What the noise of single pixels leaves of `change`: the median over the patches. */
  readonly grain: number;
}

export interface PatchComparer {
  /**
   * @param a uint8 [height, width, 3] of the encoder's size
   * @param b of the same size
   */
  compare(a: Uint8Array, b: Uint8Array): PatchDifference;
}

/** Side of a cell that is aimed at. */
const cellPx = 4;

/** @param image its size and how bytes become numbers */
export function createPatchComparer({ widthPx, rescale, std }: Pick<ImageSpec, 'widthPx' | 'rescale' | 'std'>, { patchPx, columns, rows }: Pick<VisionSpec, 'patchPx' | 'columns' | 'rows'>): PatchComparer {
  const cell = cellOf(patchPx);
  const weights = Float32Array.from(std, (deviation) => rescale / deviation);
  const stride = widthPx * 3;
  const bandBytes = aligned(patchPx * stride);
  const scratch = aligned(columns * patchPx * 3) * 4;
  // Weights, sums, results, then a band of each picture.
  const sums = 64;
  const results = sums + scratch;
  const first = aligned(results + columns * 8);
  const second = first + bandBytes;
  const absolute = new Float32Array(columns * rows);
  const change = new Float32Array(columns * rows);
  return {
    compare(a, b) {
      const kernels = pixelKernels(second + bandBytes);
      kernels.user = undefined;
      kernels.bytes.set(new Uint8Array(weights.buffer), 0);
      const made = new Float32Array(kernels.bytes.buffer, results, columns * 2);
      for (let row = 0; row < rows; row++) {
        const from = row * patchPx * stride;
        kernels.bytes.set(a.subarray(from, from + patchPx * stride), first);
        kernels.bytes.set(b.subarray(from, from + patchPx * stride), second);
        kernels.compare(first, second, stride, patchPx, cell, columns, 0, sums, results, results + columns * 4);
        absolute.set(made.subarray(0, columns), row * columns);
        change.set(made.subarray(columns), row * columns);
      }
      return { absolute, change, grain: grainOf(absolute, change, cell) };
    },
  };
}

/**
 * Of independent noise of variance N a pixel keeps N and a cell of k × k pixels N / k²; of what moved both keep all. So the two differences tell the noise,
 * without a still picture to measure it on. The mean magnitude of a normal deviate is √(2/π) of its standard deviation.
 */
function grainOf(absolute: Float32Array, change: Float32Array, cell: number): number {
  const noise = absolute.map((magnitude, patch) => Math.max(0, (Math.PI / 2) * magnitude ** 2 - change[patch]! ** 2)).sort();
  return cell === 1 ? 0 : Math.sqrt(noise[noise.length >> 1]! / (cell ** 2 - 1));
}

/** Whole vectors, and one more: rows are read a little behind their ends. */
const aligned = (bytes: number) => Math.ceil(bytes / 16) * 16 + 16;

/** The divisor of a patch's side that is nearest to the aim, by ratio. */
function cellOf(patchPx: number): number {
  const distance = (side: number) => Math.abs(Math.log(side / cellPx));
  const divisors = Array.from({ length: patchPx }, (_, i) => i + 1).filter((side) => patchPx % side === 0 && side <= 32);
  return divisors.reduce((best, side) => (distance(side) < distance(best) ? side : best));
}
