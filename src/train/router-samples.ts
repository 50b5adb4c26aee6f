// Samples to train the router on: frames of the synthetic world through a codec, seen as the gate sees them, with what each path would lose.
import { createRandom, type Random } from '../core/random.ts';
import type { Frame } from '../core/frame.ts';
import { featuresOfFrame, featuresOfPatches, frameFeatureNames, patchFeatureNames } from '../gate/features.ts';
import { FrameStatistics } from '../gate/statistics.ts';
import type { Preprocessor } from '../vision/preprocess.ts';
import { cosineDistances } from '../vision/token-plan.ts';
import { film } from '../world/film.ts';
import type { Footage, Split } from '../world/types.ts';
import { createWorld, type World } from '../world/world.ts';
import { changeInTokens, changeInWorld, lossOfPaths, type Change } from './router-truth.ts';

/** The eye of the model that the router is trained for. */
export interface RouterEye {
  readonly preprocessor: Preprocessor;
  /** Patches across and down. */
  readonly columns: number;
  readonly rows: number;
  /** The dense encoder, where its tokens decide what a change is; absent, the world's truth does. float32 [tokens, width], a copy. */
  readonly tokens?: (patches: Float32Array) => Promise<{ readonly tokens: Float32Array; readonly columns: number; readonly count: number }>;
}

export interface RouterClipOptions {
  readonly seed: number;
  readonly clips: number;
  readonly clipSec: number;
  readonly split: Split;
  /** Patches of each frame that become samples. */
  readonly patchesPerFrame: number;
  readonly signal?: AbortSignal;
  readonly onClip?: (done: number, total: number) => void;
}

/** Samples of one gate: row by row. */
export interface GateSamples {
  readonly inputs: number;
  readonly paths: number;
  /** Each float32 [rows · inputs], as they are, and [rows · paths]. */
  readonly features: Float32Array;
  readonly harm: Float32Array;
  readonly rows: number;
}

export interface RouterSamples {
  readonly frames: GateSamples;
  readonly patches: GateSamples;
}

const footage: readonly Footage[] = ['fixed', 'moving', 'cuts', 'fixed', 'ego'];
/** Frames a second that streams are watched at: a gate meets them all. */
const rates = [1, 2, 4, 8];
/** How often the frames before were let through, drawn for each clip: the gate has to do well whatever it did before. */
const fullShares = [0.05, 0.15, 0.4];

/** Makes samples: deterministic in the seed. */
export async function makeRouterSamples(eye: RouterEye, options: RouterClipOptions): Promise<RouterSamples> {
  const frames = { features: [] as number[], harm: [] as number[] };
  const patches = { features: [] as number[], harm: [] as number[] };
  for (let clip = 0; clip < options.clips; clip++) {
    options.signal?.throwIfAborted();
    const random = createRandom(`${options.seed} router ${options.split} ${clip}`);
    const world = createWorld({ seed: random.int(0, 2 ** 30), split: options.split, footage: footage[clip % footage.length]!, durationSec: options.clipSec, activities: 'many', heldOut: false });
    await watchClip(world, await filmedAt(world, random.pick(rates)), eye, { random, fullShare: random.pick(fullShares), perFrame: options.patchesPerFrame }, { frames, patches });
    options.onClip?.(clip + 1, options.clips);
  }
  const pack = ({ features, harm }: typeof frames, inputs: number, paths: number): GateSamples => ({ inputs, paths, features: Float32Array.from(features), harm: Float32Array.from(harm), rows: harm.length / paths });
  return { frames: pack(frames, frameFeatureNames.length, 3), patches: pack(patches, patchFeatureNames.length, 2) };
}

/** A camera's pictures, of which the source samples some: motion vectors are those of the codec. */
function filmedAt(world: World, sampledFps: number): Promise<Frame[]> {
  return film(world, { fps: Math.max(10, sampledFps), sampledFps });
}

interface Drawing {
  readonly random: Random;
  readonly fullShare: number;
  readonly perFrame: number;
}

async function watchClip(world: World, list: readonly Frame[], eye: RouterEye, { random, fullShare, perFrame }: Drawing, into: Readonly<Record<'frames' | 'patches', { readonly features: number[]; readonly harm: number[] }>>): Promise<void> {
  const statistics = new FrameStatistics();
  const count = eye.columns * eye.rows;
  const difference = new Float32Array(count);
  let reference: { readonly timeSec: number; readonly patches: Float32Array; readonly tokens: Float32Array } | undefined;
  let age = 0;
  for (const frame of list) {
    const seen = statistics.look(frame);
    const patches = eye.preprocessor.patches(frame).slice();
    const encoded = await eye.tokens?.(patches);
    age++;
    if (seen && reference) {
      const change: Change = encoded ? changeInTokens(cosineDistances(encoded.tokens, reference.tokens, new Float32Array(encoded.count)), encoded.columns) : changeInWorld(world, reference.timeSec, frame.timeSec);
      into.frames.features.push(...featuresOfFrame(seen));
      into.frames.harm.push(...lossOfPaths(change));
      const length = patches.length / count;
      for (let patch = 0; patch < count; patch++) {
        let sum = 0;
        for (let i = patch * length; i < (patch + 1) * length; i++) sum += Math.abs(patches[i]! - reference.patches[i]!);
        difference[patch] = sum / length;
      }
      const features = featuresOfPatches({ columns: eye.columns, rows: eye.rows, difference, age: new Int32Array(count).fill(age) });
      const width = patchFeatureNames.length;
      for (let n = 0; n < perFrame; n++) {
        const patch = random.int(0, count);
        const [x, y] = [patch % eye.columns, Math.floor(patch / eye.columns)];
        into.patches.features.push(...features.subarray(patch * width, (patch + 1) * width));
        into.patches.harm.push(0, change.at(x / eye.columns, y / eye.rows, (x + 1) / eye.columns, (y + 1) / eye.rows));
      }
    }
    const isFull = !seen || random.next() < fullShare;
    statistics.settle(isFull ? 'full' : 'skip');
    if (isFull) {
      reference = { timeSec: frame.timeSec, patches, tokens: encoded?.tokens ?? new Float32Array(0) };
      age = 0;
    }
  }
}
