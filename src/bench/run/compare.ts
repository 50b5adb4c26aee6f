// Compares a cell with its baseline on the same questions.
import { createRandom } from '../../core/random.ts';
import { agreement } from '../metrics/accuracy.ts';
import { pairedDifference, type PairedValue } from '../statistics/bootstrap.ts';
import { mcnemar } from '../statistics/mcnemar.ts';
import { nonInferiority } from '../statistics/non-inferiority.ts';
import type { Comparison, RecordItem } from './record.ts';
import { mainValue } from './summarise.ts';

export interface CompareOptions {
  readonly seed: number;
  /** In the unit of the main figure: 0.01 is one point of accuracy, or 0.01 of CIDEr. */
  readonly margin: number;
  /** Largest difference two figures can have: 1 for accuracy, 10 for CIDEr. */
  readonly range: number;
  readonly resamples?: number;
}

/** @param method and @param baseline hold the same questions in the same order; missing ones are left out of everything */
export function compare(
  baselineKey: string,
  method: readonly RecordItem[],
  baseline: readonly RecordItem[],
  { seed, margin, ...bootstrap }: CompareOptions,
): Comparison {
  const both = method.map((item, index) => ({ item, other: baseline[index]! })).filter(({ item }) => item.status !== 'missing');
  const pairs = both.flatMap(({ item, other }): PairedValue[] => {
    const a = mainValue(item);
    const b = mainValue(other);
    return a === undefined || b === undefined ? [] : [{ cluster: item.videoId, method: a, baseline: b }];
  });
  const strict = both.map(({ item, other }): PairedValue => ({ cluster: item.videoId, method: mainValue(item) ?? 0, baseline: mainValue(other) ?? 0 }));
  // One stream of draws for every cell: differences between cells are then not due to the draws.
  const random = () => createRandom(`${seed}:bootstrap`);
  const difference = pairs.length === 0 ? null : pairedDifference(pairs, random(), bootstrap);
  const graded = both.flatMap(({ item, other }) =>
    item.correct === null || other.correct === null ? [] : [{ method: item.correct, baseline: other.correct }],
  );
  return {
    baseline: baselineKey,
    difference,
    nonInferiority: difference === null ? null : nonInferiority(difference, margin),
    differenceUnscoredWrong: strict.length === 0 ? null : pairedDifference(strict, random(), bootstrap),
    ...(graded.length > 0 ? { mcnemar: mcnemar(graded) } : {}),
    agreement: agreement(both.map(({ item, other }) => ({ a: item.parsed, b: other.parsed }))),
    excluded: both.length - pairs.length,
  };
}
