// How a checkpoint's weights are stored when nobody says.
import type { Checkpoint } from '../contract.ts';
import type { Precision } from './contract.ts';

/** Below this, calibrating and packing takes longer than quantised products can ever save: the layers are too small for the memory bus to matter. */
const smallParameters = 16e6;

/** `float32` for small models, `w8a8` for all others. */
export function defaultPrecision({ parameters }: Pick<Checkpoint, 'parameters'>): Precision {
  return parameters <= smallParameters ? 'float32' : 'w8a8';
}
