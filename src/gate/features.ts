// What the learned router looks at: the statistics of a frame, or of a patch, as numbers of a like size.
import type { GateView } from './method.ts';
import type { TrainedGate } from './router-weights.ts';

/** A share or a difference on a scale of ratios: 0 is far from 0.01, 0.5 near 0.6. */
const log = (value: number) => Math.log(value + 1e-3);

const frameFeatures: Readonly<Record<string, (view: GateView) => number>> = {
  one: () => 1,
  'difference mean': ({ difference }) => log(difference.mean),
  'difference peak': ({ difference }) => log(difference.peak),
  'difference share': ({ difference }) => log(difference.share),
  'difference light': ({ difference }) => log(difference.light),
  'step mean': ({ step }) => log(step.mean),
  'step peak': ({ step }) => log(step.peak),
  histogram: ({ histogram }) => log(histogram),
  'picture coded whole': ({ pictureType }) => Number(pictureType === 'I'),
  'picture of unknown type': ({ pictureType }) => Number(pictureType === 'unknown'),
  bytes: ({ bytesRatio }) => (bytesRatio === undefined ? 0 : Math.log(Math.max(0.01, bytesRatio))),
  'has motion': ({ motion }) => Number(motion !== undefined),
  'motion of the camera': ({ motion }) => (motion ? Math.log1p(1000 * motion.camera) : 0),
  'motion against it': ({ motion }) => (motion ? Math.log1p(1000 * motion.residual) : 0),
  'moving share': ({ motion }) => (motion ? log(motion.moving) - log(0) : 0),
  'seconds since encoded': ({ sinceEncodedSec }) => Math.log1p(sinceEncodedSec),
  'seconds since full': ({ sinceFullSec }) => Math.log1p(sinceFullSec),
};

export const frameFeatureNames: readonly string[] = Object.keys(frameFeatures);

/** float32 [features], as they are, before they are brought to mean 0 and deviation 1. */
export function featuresOfFrame(view: GateView): Float32Array {
  return Float32Array.from(Object.values(frameFeatures), (feature) => feature(view));
}

export const patchFeatureNames: readonly string[] = ['one', 'difference', 'largest difference around it', 'mean difference of the frame', 'age'];

/** What a patch can be: computed anew, or taken as it was. */
export const patchPaths = ['compute', 'reuse'] as const;

/** What the patches of a frame are seen by. */
export interface PatchStatistics {
  readonly columns: number;
  readonly rows: number;
  /** float32 [P]: mean |difference| to what each patch was computed from. */
  readonly difference: Float32Array;
  /** int32 [P]: frames since then. */
  readonly age: Int32Array;
}

/** float32 [P, features], as they are. */
export function featuresOfPatches({ columns, rows, difference, age }: PatchStatistics): Float32Array {
  const width = patchFeatureNames.length;
  const features = new Float32Array(difference.length * width);
  const mean = log(difference.reduce((sum, value) => sum + value, 0) / difference.length);
  for (let y = 0, at = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, at += width) {
      let around = 0;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(rows - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(columns - 1, x + 1); nx++) if (nx !== x || ny !== y) around = Math.max(around, difference[ny * columns + nx]!);
      }
      const patch = y * columns + x;
      features[at] = 1;
      features[at + 1] = log(difference[patch]!);
      features[at + 2] = log(around);
      features[at + 3] = mean;
      features[at + 4] = Math.log1p(age[patch]!);
    }
  }
  return features;
}

/** Brings features to the scale that the gate was trained on, in place. */
export function normalise(features: Float32Array, { mean, deviation }: Pick<TrainedGate, 'mean' | 'deviation'>): Float32Array {
  for (let i = 0; i < features.length; i++) features[i] = (features[i]! - mean[i % mean.length]!) / deviation[i % mean.length]!;
  return features;
}
