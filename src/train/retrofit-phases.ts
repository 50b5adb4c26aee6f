// The schedule of a retrofit: the decision channel fades out of attention, the ratio rises, then it stays and the noise fades.
import { UserError } from '../core/errors.ts';

export interface RetrofitPhases {
  /** Steps in which the decision channel fades out; 0 where no channel is taken (DMS). */
  readonly fadeSteps: number;
  /** Steps in which the ratio rises from 1 to `ratio`. */
  readonly riseSteps: number;
  /** Steps at the fixed ratio. */
  readonly tuneSteps: number;
  /** Tokens for each slot at the end. */
  readonly ratio: number;
}

export interface PhaseState {
  readonly phase: 'fade' | 'rise' | 'tune';
  /** Share of the decision channel that attention sees. */
  readonly fade: number;
  /** Share of the tokens to be merged or evicted: 1 − 1/CR. */
  readonly target: number;
  /** Factor of the Gumbel noise; nothing is decided in the first phase. */
  readonly noise: number | 'closed';
}

/** Share of the last phase after which decisions are made without noise, as at inference. */
const noiselessFrom = 0.7;

/** How `steps` are shared out. */
export function retrofitPhases(kind: 'dmc' | 'dms', steps: number, ratio: number): RetrofitPhases {
  if (!(Number.isInteger(steps) && steps >= 3)) throw new UserError('RETROFIT_STEPS', { what: 'wrong number of steps', got: `${steps}`, expected: 'a whole number from 3 up' });
  if (!(ratio > 1 && ratio <= 64)) throw new UserError('RETROFIT_RATIO', { what: 'wrong compression ratio', got: `${ratio}`, expected: 'above 1 and at most 64' });
  const fadeSteps = kind === 'dmc' ? Math.max(1, Math.round(steps * 0.15)) : 0;
  const riseSteps = Math.max(1, Math.round(steps * 0.45));
  return { fadeSteps, riseSteps, tuneSteps: Math.max(1, steps - fadeSteps - riseSteps), ratio };
}

export const totalSteps = ({ fadeSteps, riseSteps, tuneSteps }: RetrofitPhases) => fadeSteps + riseSteps + tuneSteps;

/** @param step counted from 0 */
export function phaseAt({ fadeSteps, riseSteps, tuneSteps, ratio }: RetrofitPhases, step: number): PhaseState {
  if (step < fadeSteps) return { phase: 'fade', fade: 1 - (step + 1) / fadeSteps, target: 0, noise: 'closed' };
  const risen = (step - fadeSteps + 1) / riseSteps;
  if (risen <= 1) return { phase: 'rise', fade: 0, target: 1 - 1 / (1 + (ratio - 1) * risen), noise: 1 };
  const tuned = (step - fadeSteps - riseSteps + 1) / tuneSteps;
  return { phase: 'tune', fade: 0, target: 1 - 1 / ratio, noise: Math.max(0, 1 - tuned / noiselessFrom) };
}
