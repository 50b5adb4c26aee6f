// Paired difference of two methods on the same questions, with a bootstrap interval clustered by video.
import type { Random } from '../../core/random.ts';

/** One question answered by both: the figure of the method and of the baseline, and the video that both saw. */
export interface PairedValue {
  readonly cluster: string;
  readonly method: number;
  readonly baseline: number;
}

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

export interface PairedDifference extends Interval {
  readonly pairs: number;
  readonly clusters: number;
  /** Standard error of the difference, from the bootstrap. */
  readonly standardError: number;
  /** True where every pair is alike: the bootstrap then sees no spread, and an exact bound takes its place. */
  readonly isDegenerate: boolean;
}

export interface BootstrapOptions {
  readonly range?: number;
  readonly resamples?: number;
}

const defaultResamples = 10_000;

/**
 * Mean of method − baseline with a 95 % percentile interval. Whole videos are drawn with replacement (Cameron, Gelbach
 * and Miller 2008), since questions about one video are not independent. With no difference in any pair the interval is
 * ±(1 − 0.025^(1/clusters)): the exact bound on a share never seen in so many videos, so a small sample claims nothing.
 * One video alone says nothing of others: the interval is then the whole range.
 * @param range largest difference that two figures can have: 1 for accuracy, 10 for CIDEr
 * @throws RangeError where there is no pair
 */
export function pairedDifference(
  values: readonly PairedValue[],
  random: Random,
  { range = 1, resamples = defaultResamples }: BootstrapOptions = {},
): PairedDifference {
  if (values.length === 0) throw new RangeError('pairedDifference: there is no pair');
  const sums = [...Map.groupBy(values, (value) => value.cluster)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => ({ total: group.reduce((sum, one) => sum + (one.method - one.baseline), 0), count: group.length }));
  const clusters = sums.length;
  const pairs = values.length;
  const estimate = sums.reduce((sum, one) => sum + one.total, 0) / pairs;
  const isDegenerate = values.every((value) => value.method === value.baseline);
  if (isDegenerate || clusters < 2) {
    const bound = range * (isDegenerate ? 1 - 0.025 ** (1 / clusters) : 1);
    return { estimate, low: estimate - bound, high: estimate + bound, pairs, clusters, standardError: bound / 1.959963984540054, isDegenerate };
  }
  const totals = Float64Array.from(sums, (one) => one.total);
  const counts = Float64Array.from(sums, (one) => one.count);
  const draws = new Float64Array(resamples);
  for (let draw = 0; draw < resamples; draw++) {
    let total = 0;
    let count = 0;
    for (let i = 0; i < clusters; i++) {
      const index = random.int(0, clusters);
      total += totals[index]!;
      count += counts[index]!;
    }
    draws[draw] = total / count;
  }
  draws.sort();
  const centre = draws.reduce((sum, value) => sum + value, 0) / resamples;
  const standardError = Math.sqrt(draws.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (resamples - 1));
  return { estimate, low: quantile(draws, 0.025), high: quantile(draws, 0.975), pairs, clusters, standardError, isDegenerate };
}

/** A mean with a 95 % interval clustered by video: error bars of one method by itself. */
export function clusteredMean(
  values: readonly { readonly cluster: string; readonly value: number }[],
  random: Random,
  { range = 1, resamples = 2_000 }: BootstrapOptions = {},
): Interval {
  const { estimate, low, high } = pairedDifference(
    values.map(({ cluster, value }) => ({ cluster, method: value, baseline: 0 })),
    random,
    { range, resamples },
  );
  return { estimate, low, high };
}

/** Linear interpolation between order statistics (type 7, as numpy's default). `sorted` ascending, not empty. */
export function quantile(sorted: ArrayLike<number>, probability: number): number {
  const place = (sorted.length - 1) * probability;
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}
