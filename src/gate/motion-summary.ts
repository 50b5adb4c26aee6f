// Motion vectors in three numbers: the camera's own motion, what moves against it, and how much of the picture that is.
import type { MotionVectors } from '../core/frame.ts';
import type { MotionSummary } from './method.ts';

/** The value in the middle; of an even number the lower of the two. */
function median(values: Float32Array): number {
  return values.toSorted()[(values.length - 1) >> 1] ?? 0;
}

/**
 * Summarises the vectors of a frame, blocks weighted by their area. Vectors that point to the future are read backwards.
 * Blocks without a vector (coded whole) are no part of it.
 */
export function summariseMotion({ count, displacement, size, direction }: MotionVectors, widthPx: number, heightPx: number): MotionSummary {
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const sign = direction[i]! > 0 ? -1 : 1;
    xs[i] = sign * displacement[2 * i]!;
    ys[i] = sign * displacement[2 * i + 1]!;
  }
  const [cameraX, cameraY] = [median(xs), median(ys)];
  let [areaPx, residualPx, movingPx] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const area = size[2 * i]! * size[2 * i + 1]!;
    const length = Math.hypot(xs[i]! - cameraX, ys[i]! - cameraY);
    areaPx += area;
    residualPx += area * length;
    if (length > 0.5) movingPx += area;
  }
  return {
    camera: Math.hypot(cameraX, cameraY) / widthPx,
    residual: areaPx === 0 ? 0 : residualPx / areaPx / widthPx,
    // B pictures have two vectors for a block.
    moving: Math.min(1, movingPx / (widthPx * heightPx)),
  };
}
