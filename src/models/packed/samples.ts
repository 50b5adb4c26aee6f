// Which rows of a calibration run a layer is measured on.
import type { Inputs } from './fit-linear.ts';

const evenly = 128;
const largest = 32;

/** Rows spread evenly, and those with the largest magnitudes, which quantisation hurts most. */
export function sampleRows(matrix: Float32Array, width: number): Inputs {
  const total = matrix.length / width;
  const chosen = new Set(Array.from({ length: Math.min(evenly, total) }, (_, i) => Math.floor((i * total) / Math.min(evenly, total))));
  const peak = (row: number) => matrix.subarray(row * width, (row + 1) * width).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const peaks = Array.from({ length: total }, (_, row) => ({ row, size: peak(row) })).sort((a, b) => b.size - a.size);
  for (const { row } of peaks.slice(0, largest)) chosen.add(row);
  const rows = new Float32Array(chosen.size * width);
  [...chosen].forEach((row, i) => rows.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  return { rows, count: chosen.size };
}
