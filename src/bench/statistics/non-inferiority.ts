// "Does not drop": is the method at most a margin worse than the baseline, and if undecided, how many questions would decide?
import type { PairedDifference } from './bootstrap.ts';

export interface NonInferiority {
  readonly margin: number;
  /** yes: the interval lies above −margin; no: it lies below; undecided: −margin is inside it. */
  readonly verdict: 'yes' | 'no' | 'undecided';
  /** Present where undecided: questions and videos, like these, for 80 % power if there is in truth no difference. */
  readonly required?: { readonly questions: number; readonly videos: number };
}

/** z of the two-sided 95 % interval plus z of 80 % power. */
const powerZ = 1.959963984540054 + 0.8416212335729143;

/** @param margin in the unit of the difference: 0.01 for one point of accuracy given as a share */
export function nonInferiority(difference: PairedDifference, margin: number): NonInferiority {
  if (difference.low > -margin) return { margin, verdict: 'yes' };
  if (difference.high < -margin) return { margin, verdict: 'no' };
  // Standard error shrinks with the root of the number of videos; the spread between videos is taken from this sample.
  const factor = ((powerZ * difference.standardError) / margin) ** 2;
  const grow = (count: number) => Math.max(count + 1, Math.ceil(count * factor));
  // Of no or one video nothing can be said.
  if (!Number.isFinite(factor)) return { margin, verdict: 'undecided' };
  return { margin, verdict: 'undecided', required: { questions: grow(difference.pairs), videos: grow(difference.clusters) } };
}
