// A small picture of a frame, sampled at fixed places: what frames are compared by, at a cost that does not grow with their size.
import type { Difference } from './method.ts';
import { ranked } from './noisy-top-k.ts';

/** Cells of the comparison, and samples of a cell, along each side. */
const cells = { columns: 16, rows: 12 } as const;
const samplesPerSide = 6;
const widthSamples = cells.columns * samplesPerSide;
const heightSamples = cells.rows * samplesPerSide;
export const cellCount = cells.columns * cells.rows;
const sampleCount = widthSamples * heightSamples;

/** Pixels along a side that a sample is the mean of: fine structure and noise would else come and go between frames. */
const taps = 3;

/** Mean difference of a cell that noise and compression alone reach: 4 of 255. */
export const noiseFloor = 4 / 255;

const histogramBins = 16;

/** Pixels of a frame. */
export interface Pixels {
  readonly widthPx: number;
  readonly heightPx: number;
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array;
}

/** float32 [cells, samples, 3]: red, green, blue from 0 to 1, the samples of a cell side by side. */
export type Thumbnail = Float32Array;

/** Offsets into `rgb` of the pixels that samples are made of, for one size of frame. */
export interface SamplePlan {
  readonly widthPx: number;
  readonly heightPx: number;
  /** int32 [cells, samples, taps²] */
  readonly offsets: Int32Array;
}

export function samplePlan(widthPx: number, heightPx: number): SamplePlan {
  const along = (count: number, sizePx: number) => Int32Array.from({ length: count * taps }, (_, i) => Math.min(sizePx - 1, Math.floor(((i + 0.5) * sizePx) / (count * taps))));
  const [xs, ys] = [along(widthSamples, widthPx), along(heightSamples, heightPx)];
  const offsets = new Int32Array(sampleCount * taps * taps);
  let at = 0;
  for (let cell = 0; cell < cellCount; cell++) {
    const [left, top] = [(cell % cells.columns) * samplesPerSide, Math.floor(cell / cells.columns) * samplesPerSide];
    for (let y = top; y < top + samplesPerSide; y++) {
      for (let x = left; x < left + samplesPerSide; x++) {
        for (let dy = 0; dy < taps; dy++) for (let dx = 0; dx < taps; dx++) offsets[at++] = (ys[y * taps + dy]! * widthPx + xs[x * taps + dx]!) * 3;
      }
    }
  }
  return { widthPx, heightPx, offsets };
}

export function createThumbnail(): Thumbnail {
  return new Float32Array(sampleCount * 3);
}

/** Samples a frame into `into`. */
export function sample({ rgb }: Pixels, { offsets }: SamplePlan, into: Thumbnail): void {
  const perSample = taps * taps;
  const scale = 1 / (255 * perSample);
  for (let s = 0, at = 0; s < sampleCount; s++) {
    let [red, green, blue] = [0, 0, 0];
    for (let t = 0; t < perSample; t++, at++) {
      const from = offsets[at]!;
      red += rgb[from]!;
      green += rgb[from + 1]!;
      blue += rgb[from + 2]!;
    }
    into[s * 3] = red * scale;
    into[s * 3 + 1] = green * scale;
    into[s * 3 + 2] = blue * scale;
  }
}

/**
 * Compares two thumbnails.
 * @param perCell float32 [cells]: receives the mean difference of each cell
 */
export function compare(a: Thumbnail, b: Thumbnail, perCell: Float32Array): Difference {
  const length = a.length / cellCount;
  let [total, signed, peak, above] = [0, 0, 0, 0];
  for (let cell = 0, at = 0; cell < cellCount; cell++) {
    let sum = 0;
    for (const end = at + length; at < end; at++) {
      const difference = a[at]! - b[at]!;
      sum += Math.abs(difference);
      signed += difference;
    }
    const mean = sum / length;
    perCell[cell] = mean;
    total += mean;
    if (mean > peak) peak = mean;
    if (mean > noiseFloor) above++;
  }
  return { mean: total / cellCount, peak, share: above / cellCount, light: Math.abs(signed) / a.length };
}

/** Copies the cells that differ most, a share of all, from one thumbnail to another. */
export function copyCells(from: Thumbnail, to: Thumbnail, perCell: Float32Array, share: number): void {
  const length = from.length / cellCount;
  for (const cell of ranked(perCell).slice(0, Math.ceil(share * cellCount))) to.set(from.subarray(cell * length, (cell + 1) * length), cell * length);
}

export function createHistogram(): Float32Array {
  return new Float32Array(3 * histogramBins);
}

/** Counts the samples by level of each channel, as shares. @param into float32 [3, bins] */
export function histogramOf(thumbnail: Thumbnail, into: Float32Array): void {
  into.fill(0);
  const step = 1 / sampleCount;
  for (let at = 0; at < thumbnail.length; at++) {
    const bin = Math.min(histogramBins - 1, Math.floor(thumbnail[at]! * histogramBins));
    into[(at % 3) * histogramBins + bin]! += step;
  }
}

/** Half the sum of |a − b| over the bins, as a mean of the channels: 0 the same, 1 nothing in common. */
export function histogramDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return Math.min(1, sum / 6);
}
