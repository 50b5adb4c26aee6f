// BLEU-1..4 (Papineni et al. 2002), equal to the COCO caption toolkit: closest reference length, its smoothing constants.
import type { CaptionPair, CorpusScore } from './caption-pair.ts';
import { countNgrams, maxOrder } from './n-grams.ts';

/** The toolkit's guards against division by zero; they show in the ninth digit. */
const small = 1e-9;
const tiny = 1e-15;

interface Tally {
  readonly length: number;
  readonly referenceLength: number;
  /** [4]: n-grams in the hypothesis, and those found in a reference (clipped). */
  readonly guessed: readonly number[];
  readonly correct: readonly number[];
}

/** BLEU-1, -2, -3, -4. `corpus` pools counts over all clips; it is not the mean of `each`. */
export function bleu(pairs: readonly CaptionPair[]): readonly CorpusScore[] {
  const tallies = pairs.map(tally);
  const pooled: Tally = {
    length: sum(tallies.map((one) => one.length)),
    referenceLength: sum(tallies.map((one) => one.referenceLength)),
    guessed: orders((order) => sum(tallies.map((one) => one.guessed[order]!))),
    correct: orders((order) => sum(tallies.map((one) => one.correct[order]!))),
  };
  const corpus = fromTally(pooled);
  const each = tallies.map(fromTally);
  return orders((order) => ({ corpus: corpus[order]!, each: each.map((one) => one[order]!) }));
}

function tally({ hypothesis, references }: CaptionPair): Tally {
  const length = hypothesis.length;
  // The reference length closest to the hypothesis; the shorter one on a tie.
  const referenceLength = references
    .map((one) => one.length)
    .reduce((best, one) => {
      const nearer = Math.abs(one - length) - Math.abs(best - length);
      return nearer < 0 || (nearer === 0 && one < best) ? one : best;
    });
  const referenceCounts = references.map(countNgrams);
  const correct = countNgrams(hypothesis).map((counts, order) => {
    let found = 0;
    for (const [ngram, count] of counts) found += Math.min(count, Math.max(...referenceCounts.map((one) => one[order]!.get(ngram) ?? 0)));
    return found;
  });
  return { length, referenceLength, guessed: orders((order) => Math.max(0, length - order)), correct };
}

function fromTally({ length, referenceLength, guessed, correct }: Tally): number[] {
  const ratio = (length + tiny) / (referenceLength + small);
  const brevityPenalty = ratio < 1 ? Math.exp(1 - 1 / ratio) : 1;
  let product = 1;
  return orders((order) => {
    product *= (correct[order]! + tiny) / (guessed[order]! + small);
    return product ** (1 / (order + 1)) * brevityPenalty;
  });
}

function orders<T>(make: (order: number) => T): T[] {
  return Array.from({ length: maxOrder }, (_, order) => make(order));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
