// ROUGE-L (Lin 2004) as the COCO caption toolkit computes it: beta 1.2, best precision and best recall over the references.
import { mean, type CaptionPair, type CorpusScore } from './caption-pair.ts';

const beta = 1.2;

export function rougeL(pairs: readonly CaptionPair[]): CorpusScore {
  const each = pairs.map(({ hypothesis, references }) => {
    let precision = 0;
    let recall = 0;
    for (const reference of references) {
      const common = longestCommonSubsequence(hypothesis, reference);
      // The toolkit splits an empty caption into one empty token.
      precision = Math.max(precision, common / Math.max(1, hypothesis.length));
      recall = Math.max(recall, common / Math.max(1, reference.length));
    }
    return precision === 0 || recall === 0 ? 0 : ((1 + beta ** 2) * precision * recall) / (recall + beta ** 2 * precision);
  });
  return { corpus: mean(each), each };
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let previous = new Uint32Array(b.length + 1);
  let current = new Uint32Array(b.length + 1);
  for (const token of a) {
    for (let j = 0; j < b.length; j++) current[j + 1] = token === b[j] ? previous[j]! + 1 : Math.max(previous[j + 1]!, current[j]!);
    [previous, current] = [current, previous];
  }
  return previous[b.length]!;
}
