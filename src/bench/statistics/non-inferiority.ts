// "Does not drop": is the method at most a margin worse than the baseline, and if undecided, how many questions would decide?
import type { PairedDifference } from './bootstrap.ts';

export interface NonInferiority {
  readonly margin: number;
  /** yes: the interval lies above −margin; no: it lies below; undecided: −margin is inside it. */
  readonly verdict: 'yes' | 'no' | 'undecided';
  /** Where undecided: questions and videos, like these, that would decide with 80 % power if there is in truth no difference. */
  readonly required?: { readonly questions: number; readonly videos: number };
}

/** z of the two-sided 95 % interval plus z of 80 % power. */
const powerZ = 1.959963984540054 + 0.8416212335729143;

/** A bootstrap over fewer videos is too narrow to decide anything (Cameron, Gelbach and Miller 2008). */
const fewestVideos = 20;

/** @param margin in the unit of the difference: 0.01 for one point of accuracy given as a share */
export function nonInferiority(difference: PairedDifference, margin: number): NonInferiority {
  const isEnough = difference.clusters >= fewestVideos;
  const verdict = difference.low > -margin ? 'yes' : difference.high < -margin ? 'no' : undefined;
  if (isEnough && verdict) return { margin, verdict };
  // Standard error shrinks with the root of the number of videos; the spread between videos is taken from this sample.
  const factor = difference.isDegenerate ? exactVideos(difference, margin) / difference.clusters : ((powerZ * difference.standardError) / margin) ** 2;
  const least = isEnough ? 0 : fewestVideos / difference.clusters;
  // What looks clear needs no more than enough videos to be believed.
  const grow = (count: number) => Math.max(count + 1, Math.ceil(count * (verdict ? least : Math.max(factor, least))));
  return { margin, verdict: 'undecided', required: { questions: grow(difference.pairs), videos: grow(difference.clusters) } };
}

/** With no difference in any pair: the number of videos without one at which the exact bound falls to the margin. */
function exactVideos({ high, estimate, clusters }: PairedDifference, margin: number): number {
  const range = (high - estimate) / (1 - 0.025 ** (1 / clusters));
  return Math.log(0.025) / Math.log(1 - margin / range);
}
