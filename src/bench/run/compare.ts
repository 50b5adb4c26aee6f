// Compares a cell with its baseline on the same questions.
import { createRandom } from '../../core/random.ts';
import { agreement } from '../metrics/accuracy.ts';
import { pairedDifference, type PairedValue } from '../statistics/bootstrap.ts';
import { mcnemar } from '../statistics/mcnemar.ts';
import { nonInferiority } from '../statistics/non-inferiority.ts';
import type { Comparison, RecordCell, RecordItem, RecordSuite } from './record.ts';
import { costsOf, mainValue, timingsOf } from './summarise.ts';

export interface CompareOptions {
  readonly seed: number;
  /** In the unit of the main figure: 0.01 is one point of accuracy, or 0.01 of CIDEr. */
  readonly margin: number;
  /** Largest difference two figures can have: 1 for accuracy, 10 for CIDEr. */
  readonly range: number;
  readonly resamples?: number;
}

/** A cell as it is compared. */
export interface Compared {
  readonly key: string;
  readonly items: readonly RecordItem[];
  readonly units: RecordCell['units'];
}

/** @param baseline holds the questions of `cell`, and may hold more; missing ones are left out of everything */
export function compare(cell: Compared, baseline: Compared, suite: RecordSuite, options: CompareOptions): Comparison {
  const { seed, margin, ...bootstrap } = options;
  const others = new Map(baseline.items.map((item) => [item.id, item]));
  const both = cell.items.filter(({ status }) => status !== 'missing').map((item) => ({ item, other: others.get(item.id)! }));
  const pairs = pairsOf(both);
  const strict = both.map(({ item, other }): PairedValue => ({ cluster: item.videoId, method: mainValue(item) ?? 0, baseline: mainValue(other) ?? 0 }));
  // One stream of draws for every cell: differences between cells are then not due to the draws.
  const random = () => createRandom(`${seed}:bootstrap`);
  const difference = pairs.length === 0 ? null : pairedDifference(pairs, random(), bootstrap);
  const graded = both.flatMap(({ item, other }) =>
    item.correct === null || other.correct === null ? [] : [{ method: item.correct, baseline: other.correct }],
  );
  const own = new Set(cell.units.map(({ videoId }) => videoId));
  const units = baseline.units.filter(({ videoId }) => own.has(videoId));
  const items = both.map(({ other }) => other);
  const footage = new Map(suite.videos.map((video) => [video.id, video.footage]));
  const kinds = Map.groupBy(both, ({ item }) => footage.get(item.videoId)!);
  const byFootage = [...kinds].flatMap(([kind, same]) => {
    const found = pairsOf(same);
    if (found.length === 0) return [];
    const each = pairedDifference(found, random(), bootstrap);
    return [[kind, { difference: each, nonInferiority: nonInferiority(each, margin) }] as const];
  });
  return {
    baseline: baseline.key,
    baselineCosts: costsOf(units, items, suite),
    baselineTimings: timingsOf(units, items),
    ...(kinds.size > 1 ? { byFootage: Object.fromEntries(byFootage) } : {}),
    difference,
    nonInferiority: difference === null ? null : nonInferiority(difference, margin),
    differenceUnscoredWrong: strict.length === 0 ? null : pairedDifference(strict, random(), bootstrap),
    ...(graded.length > 0 ? { mcnemar: mcnemar(graded) } : {}),
    agreement: agreement(both.map(({ item, other }) => ({ a: item.parsed, b: other.parsed }))),
    excluded: both.length - pairs.length,
  };
}

function pairsOf(both: readonly { readonly item: RecordItem; readonly other: RecordItem }[]): PairedValue[] {
  return both.flatMap(({ item, other }): PairedValue[] => {
    const a = mainValue(item);
    const b = mainValue(other);
    return a === undefined || b === undefined ? [] : [{ cluster: item.videoId, method: a, baseline: b }];
  });
}
