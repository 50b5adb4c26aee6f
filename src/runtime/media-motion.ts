// Motion vectors: from FFmpeg's side data to the columns of a frame's `MotionVectors`.
import type { MotionVectors } from '../core/frame.ts';
import type { Orientation } from './media-rotation.ts';

/*
 * AVMotionVector (FFmpeg's libavutil/motion_vector.h), 40 bytes with the padding that a C compiler adds:
 *  0 int32 source · 4 uint8 w · 5 uint8 h · 6 int16 src_x · 8 int16 src_y · 10 int16 dst_x · 12 int16 dst_y · 16 uint64 flags
 * 24 int32 motion_x · 28 int32 motion_y · 32 uint16 motion_scale
 */
const VECTOR_BYTES = 40;

/** How coded pixels map to the pixels of the frame: scaled first, then turned. */
export interface PictureGeometry {
  readonly codedWidthPx: number;
  readonly codedHeightPx: number;
  /** Size after scaling, before turning. */
  readonly scaledWidthPx: number;
  readonly scaledHeightPx: number;
  readonly orientation: Orientation;
}

/**
 * Reads the vectors of a picture, in pixels of the frame as it is handed out (scaled and upright).
 * The displacement has the codec's precision (quarter pixels in H.264).
 */
export function motionVectorsOf(sideData: Buffer, geometry: PictureGeometry): MotionVectors {
  const count = Math.floor(sideData.length / VECTOR_BYTES);
  const destination = new Int16Array(count * 2);
  const displacement = new Float32Array(count * 2);
  const size = new Uint8Array(count * 2);
  const direction = new Int8Array(count);
  const view = new DataView(sideData.buffer, sideData.byteOffset, sideData.byteLength);
  const { orientation, scaledWidthPx, scaledHeightPx } = geometry;
  const scaleX = scaledWidthPx / geometry.codedWidthPx;
  const scaleY = scaledHeightPx / geometry.codedHeightPx;
  const { rotationDeg, mirrored } = orientation;
  const turned = rotationDeg === 90 || rotationDeg === 270;
  for (let i = 0; i < count; i++) {
    const at = i * VECTOR_BYTES;
    const perPixel = view.getUint16(at + 32, true) || 1;
    let x = view.getInt16(at + 10, true) * scaleX;
    let y = view.getInt16(at + 12, true) * scaleY;
    let dx = (view.getInt32(at + 24, true) / perPixel) * scaleX;
    let dy = (view.getInt32(at + 28, true) / perPixel) * scaleY;
    if (mirrored) [x, dx] = [scaledWidthPx - x, -dx];
    if (rotationDeg === 90) [x, y, dx, dy] = [scaledHeightPx - y, x, -dy, dx];
    else if (rotationDeg === 180) [x, y, dx, dy] = [scaledWidthPx - x, scaledHeightPx - y, -dx, -dy];
    else if (rotationDeg === 270) [x, y, dx, dy] = [y, scaledWidthPx - x, dy, -dx];
    destination[2 * i] = Math.round(x);
    destination[2 * i + 1] = Math.round(y);
    displacement[2 * i] = dx;
    displacement[2 * i + 1] = dy;
    const w = Math.max(1, Math.round(view.getUint8(at + 4) * scaleX));
    const h = Math.max(1, Math.round(view.getUint8(at + 5) * scaleY));
    size[2 * i] = turned ? h : w;
    size[2 * i + 1] = turned ? w : h;
    direction[i] = view.getInt32(at, true) < 0 ? -1 : 1;
  }
  return { count, destination, displacement, size, direction };
}
