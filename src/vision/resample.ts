// Resizes 8-bit RGB pictures exactly as Pillow does: fixed-point separable filters, across first, then down.
import type { ImageSpec } from '../models/contract.ts';

/** A picture of three interleaved channels. */
export interface Picture {
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array;
  readonly widthPx: number;
  readonly heightPx: number;
}

export type ResampleFilter = ImageSpec['resample'];

/** For each output sample along one axis: where its inputs begin, how many they are, and their weights. */
interface Taps {
  /** int32 [out] */
  readonly first: Int32Array;
  /** int32 [out] */
  readonly count: Int32Array;
  /** int32 [out, stride]: weights in units of 2⁻²² */
  readonly weights: Int32Array;
  readonly stride: number;
}

// Pillow's choice (src/libImaging/Resample.c): 8 bits of pixel and 2 of overshoot leave 22 for the weight.
const precisionBits = 22;
const rounding = 1 << (precisionBits - 1);

const filters: Readonly<Record<Exclude<ResampleFilter, 'nearest'>, { readonly support: number; readonly at: (x: number) => number }>> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: cubic },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys's cubic with a = −½. */
function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** Filter weights for one axis; when shrinking, the filter widens with the ratio (antialiasing). */
function computeTaps(inputs: number, outputs: number, filter: Exclude<ResampleFilter, 'nearest'>): Taps {
  const { support: radius, at } = filters[filter];
  const ratio = inputs / outputs;
  const widening = Math.max(ratio, 1);
  const support = radius * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Int32Array(outputs * stride);
  const exact = new Float64Array(stride);
  for (let out = 0; out < outputs; out++) {
    const center = (out + 0.5) * ratio;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const length = Math.min(inputs, Math.trunc(center + support + 0.5)) - begin;
    let sum = 0;
    for (let i = 0; i < length; i++) {
      exact[i] = at((i + begin - center + 0.5) / widening);
      sum += exact[i]!;
    }
    first[out] = begin;
    count[out] = length;
    for (let i = 0; i < length; i++) {
      const weight = (sum === 0 ? exact[i]! : exact[i]! / sum) * (1 << precisionBits);
      weights[out * stride + i] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { first, count, weights, stride };
}

/** The nearest input of each output. */
function nearestTaps(inputs: number, outputs: number): Taps {
  const first = Int32Array.from({ length: outputs }, (_, out) => Math.min(inputs - 1, Math.floor((out + 0.5) * (inputs / outputs))));
  return { first, count: new Int32Array(outputs).fill(1), weights: new Int32Array(outputs).fill(1 << precisionBits), stride: 1 };
}

/** A resizer of one target size and filter, with its tables and buffers. */
export interface Resizer {
  /** The picture resized. Its memory is the resizer's own, overwritten by the next call; a picture of the right size is returned as it is. */
  resize(picture: Picture, widthPx: number, heightPx: number): Picture;
}

/** Tables kept per resizer: sources seldom change their size, but a folder of images may hold many. */
const maxTables = 64;

export function createResizer(filter: ResampleFilter): Resizer {
  const tables = new Map<string, Taps>();
  let middle = new Uint8Array();
  let result = new Uint8Array();
  const taps = (inputs: number, outputs: number): Taps => {
    const key = `${inputs}>${outputs}`;
    let found = tables.get(key);
    if (found === undefined) {
      if (tables.size >= maxTables) tables.clear();
      found = filter === 'nearest' ? nearestTaps(inputs, outputs) : computeTaps(inputs, outputs, filter);
      tables.set(key, found);
    }
    return found;
  };
  return {
    resize(picture, widthPx, heightPx) {
      let { rgb } = picture;
      if (widthPx !== picture.widthPx) {
        const length = widthPx * picture.heightPx * 3;
        if (middle.length < length) middle = new Uint8Array(length);
        resampleAcross(rgb, picture.widthPx, picture.heightPx, taps(picture.widthPx, widthPx), widthPx, middle);
        rgb = middle;
      }
      if (heightPx !== picture.heightPx) {
        const length = widthPx * heightPx * 3;
        if (result.length < length) result = new Uint8Array(length);
        resampleDown(rgb, widthPx * 3, taps(picture.heightPx, heightPx), heightPx, result);
        rgb = result;
      }
      return { rgb: rgb.subarray(0, widthPx * heightPx * 3), widthPx, heightPx };
    },
  };
}

/** Rows [height, width, 3] to [height, outputs, 3]. */
function resampleAcross(source: Uint8Array, width: number, height: number, { first, count, weights, stride }: Taps, outputs: number, target: Uint8Array): void {
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    let to = y * outputs * 3;
    for (let x = 0; x < outputs; x++) {
      let from = row + first[x]! * 3;
      let at = x * stride;
      const end = at + count[x]!;
      let red = rounding;
      let green = rounding;
      let blue = rounding;
      for (; at < end; at++) {
        const weight = weights[at]!;
        red = (red + Math.imul(source[from]!, weight)) | 0;
        green = (green + Math.imul(source[from + 1]!, weight)) | 0;
        blue = (blue + Math.imul(source[from + 2]!, weight)) | 0;
        from += 3;
      }
      target[to] = clamp(red);
      target[to + 1] = clamp(green);
      target[to + 2] = clamp(blue);
      to += 3;
    }
  }
}

/** Rows of `rowBytes` samples to `outputs` rows of as many. Four columns at a time share the weights. */
function resampleDown(source: Uint8Array, rowBytes: number, { first, count, weights, stride }: Taps, outputs: number, target: Uint8Array): void {
  const whole = rowBytes - (rowBytes % 4);
  for (let y = 0; y < outputs; y++) {
    const begin = y * stride;
    const end = begin + count[y]!;
    const top = first[y]! * rowBytes;
    const to = y * rowBytes;
    for (let x = 0; x < whole; x += 4) {
      let from = top + x;
      let a = rounding;
      let b = rounding;
      let c = rounding;
      let d = rounding;
      for (let at = begin; at < end; at++) {
        const weight = weights[at]!;
        a = (a + Math.imul(source[from]!, weight)) | 0;
        b = (b + Math.imul(source[from + 1]!, weight)) | 0;
        c = (c + Math.imul(source[from + 2]!, weight)) | 0;
        d = (d + Math.imul(source[from + 3]!, weight)) | 0;
        from += rowBytes;
      }
      target[to + x] = clamp(a);
      target[to + x + 1] = clamp(b);
      target[to + x + 2] = clamp(c);
      target[to + x + 3] = clamp(d);
    }
    for (let x = whole; x < rowBytes; x++) {
      let sum = rounding;
      for (let at = begin, from = top + x; at < end; at++, from += rowBytes) sum = (sum + Math.imul(source[from]!, weights[at]!)) | 0;
      target[to + x] = clamp(sum);
    }
  }
}

function clamp(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
