// Weights of the learned router: read from `router.json` of a checkpoint folder, or those that come with the program.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { builtInRouter } from './built-in-router.ts';
import { frameFeatureNames, patchFeatureNames, patchPaths } from './features.ts';
import { gatePaths } from './method.ts';
import type { GateMatrices } from './noisy-top-k.ts';

/** A gate over named features: these are brought to mean 0 and deviation 1 first, but for the constant one. */
export interface TrainedGate extends GateMatrices {
  /** float32 [inputs] each. */
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** Gates for frames and patches. */
export interface RouterWeights {
  readonly frames: TrainedGate;
  readonly patches: TrainedGate;
  /** Where they come from: the path of a file, or `built-in`. */
  readonly from: string;
}

export const routerFile = 'router.json';

const rows = (count: number, width: number) => z.array(z.array(z.number()).length(width)).length(count);

function gateSchema(features: readonly string[], paths: readonly string[]) {
  const numbers = z.array(z.number()).length(features.length);
  return z.object({
    features: z.array(z.string()).refine((given) => given.join() === features.join(), `expected the features ${features.join(', ')}`),
    paths: z.array(z.string()).refine((given) => given.join() === paths.join(), `expected the paths ${paths.join(', ')}`),
    mean: numbers,
    deviation: z.array(z.number().positive()).length(features.length),
    gate: rows(features.length, paths.length),
    noise: rows(features.length, paths.length),
  });
}

const schema = z.object({
  format: z.literal('thalweg-router'),
  version: z.literal(1),
  /** What it was trained on and how well it does: for people. */
  trained: z.record(z.string(), z.unknown()).default({}),
  frames: gateSchema(frameFeatureNames, gatePaths),
  patches: gateSchema(patchFeatureNames, patchPaths),
});

/** `router.json` as it stands in the file. */
export type RouterFile = z.input<typeof schema>;

function gateOf({ mean, deviation, gate, noise, paths }: z.output<typeof schema>['frames']): TrainedGate {
  return { inputs: mean.length, experts: paths.length, mean: Float32Array.from(mean), deviation: Float32Array.from(deviation), gate: Float32Array.from(gate.flat()), noise: Float32Array.from(noise.flat()) };
}

/** Checks weights. @throws ModelError `BAD_ROUTER` that names what is wrong */
export function parseRouter(given: unknown, from: string): RouterWeights {
  const result = schema.safeParse(given);
  if (!result.success) {
    const [first] = result.error.issues;
    throw new ModelError('BAD_ROUTER', { what: `${from} holds no router`, got: `${first!.path.join('.')}: ${first!.message}`, todo: 'train it anew with: thalweg train router', cause: result.error });
  }
  return { frames: gateOf(result.data.frames), patches: gateOf(result.data.patches), from };
}

/** The router that comes with the program: trained on the synthetic world, from pixels alone, so that it serves any checkpoint. */
export function builtInRouterWeights(): RouterWeights {
  return parseRouter(builtInRouter, 'built-in');
}

/**
 * The router of a checkpoint folder, or the built-in one where the folder has none.
 * @throws ModelError `BAD_ROUTER` where the file is none
 */
export async function readRouter(folder: string): Promise<RouterWeights> {
  const file = join(folder, routerFile);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    // A model may also be a single file, and then its path is no folder.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return builtInRouterWeights();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ModelError('BAD_ROUTER', { what: `${file} is no JSON`, todo: 'train it anew with: thalweg train router', cause });
  }
  return parseRouter(parsed, file);
}
