// The resampling of resample.ts as plain loops: what its vector kernels are compared with, bit for bit.
import type { Picture } from './resample.ts';
import { computeTaps, precisionBits, type ResampleFilter, type Taps } from './resample-taps.ts';

const rounding = 1 << (precisionBits - 1);

/** The picture resized: across first, then down, bytes between. */
export function resizePlainly(picture: Picture, widthPx: number, heightPx: number, filter: ResampleFilter): Picture {
  let { rgb } = picture;
  if (widthPx !== picture.widthPx) rgb = resampleAcross(rgb, picture.widthPx, picture.heightPx, computeTaps(picture.widthPx, widthPx, filter), widthPx);
  if (heightPx !== picture.heightPx) rgb = resampleDown(rgb, widthPx * 3, computeTaps(picture.heightPx, heightPx, filter), heightPx);
  return { rgb, widthPx, heightPx };
}

/** Rows [height, width, 3] to [height, outputs, 3]. */
function resampleAcross(source: Uint8Array, width: number, height: number, { first, count, weights, stride }: Taps, outputs: number): Uint8Array {
  const target = new Uint8Array(height * outputs * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < outputs; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = rounding;
        for (let i = 0; i < count[x]!; i++) sum = (sum + Math.imul(source[(y * width + first[x]! + i) * 3 + channel]!, weights[x * stride + i]!)) | 0;
        target[(y * outputs + x) * 3 + channel] = clamp(sum);
      }
    }
  }
  return target;
}

/** Rows of `rowBytes` samples to `outputs` rows of as many. */
function resampleDown(source: Uint8Array, rowBytes: number, { first, count, weights, stride }: Taps, outputs: number): Uint8Array {
  const target = new Uint8Array(outputs * rowBytes);
  for (let y = 0; y < outputs; y++) {
    for (let x = 0; x < rowBytes; x++) {
      let sum = rounding;
      for (let i = 0; i < count[y]!; i++) sum = (sum + Math.imul(source[(first[y]! + i) * rowBytes + x]!, weights[y * stride + i]!)) | 0;
      target[y * rowBytes + x] = clamp(sum);
    }
  }
  return target;
}

function clamp(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
