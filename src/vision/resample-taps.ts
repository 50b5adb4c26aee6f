// The weights of separable resampling along one axis, the same numbers as Pillow's.
import type { ImageSpec } from '../models/contract.ts';

export type ResampleFilter = ImageSpec['resample'];

/** For each output sample along one axis: where its inputs begin, how many they are, and their weights. `first` never decreases. */
export interface Taps {
  /** int32 [out] */
  readonly first: Int32Array;
  /** int32 [out] */
  readonly count: Int32Array;
  /** int32 [out, stride]: weights in units of 2⁻²² */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** Pillow's choice (src/libImaging/Resample.c): 8 bits of pixel and 2 of overshoot leave 22 for the weight. */
export const precisionBits = 22;

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
export function computeTaps(inputs: number, outputs: number, filter: ResampleFilter): Taps {
  if (filter === 'nearest') return nearestTaps(inputs, outputs);
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
