// Counts of n-grams of one to four tokens, shared by BLEU and CIDEr.

/** Longest n-gram that BLEU and CIDEr look at. */
export const maxOrder = 4;

/** For each order 1..4 (index 0..3): n-gram, tokens joined by a blank, to its count. */
export type NgramCounts = readonly ReadonlyMap<string, number>[];

export function countNgrams(tokens: readonly string[]): NgramCounts {
  return Array.from({ length: maxOrder }, (_, index) => {
    const counts = new Map<string, number>();
    for (let start = 0; start + index < tokens.length; start++) {
      const ngram = tokens.slice(start, start + index + 1).join(' ');
      counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
    }
    return counts;
  });
}
