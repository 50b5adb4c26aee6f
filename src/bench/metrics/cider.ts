// CIDEr and CIDEr-D (Vedantam, Zitnick and Parikh 2015): agreement of TF-IDF-weighted n-grams with the references.
import { mean, type CaptionPair, type CorpusScore } from './caption-pair.ts';
import { countNgrams, maxOrder, type NgramCounts } from './n-grams.ts';

/** Width of CIDEr-D's penalty on the difference in length, in the toolkit's count of length. */
const sigma = 6;

type Documents = readonly Pick<CaptionPair, 'references'>[];

/** TF-IDF weights of one caption. */
interface Weighted {
  readonly weights: readonly ReadonlyMap<string, number>[];
  readonly norms: readonly number[];
  /** The toolkit counts length in bigrams, not in tokens. */
  readonly length: number;
}

/**
 * CIDEr-D: what the COCO caption toolkit prints as "CIDEr" and papers report under that name; clipped counts and a
 * Gaussian penalty on the difference in length. 0 to 10.
 * @param documents clips whose references give the document frequencies; those judged, unless some clips have no caption
 */
export function ciderD(pairs: readonly CaptionPair[], documents: Documents = pairs): CorpusScore {
  return score(pairs, documents, (hypothesis, reference, order) => {
    let dot = 0;
    for (const [ngram, weight] of hypothesis.weights[order]!) {
      const other = reference.weights[order]!.get(ngram) ?? 0;
      dot += Math.min(weight, other) * other;
    }
    return cosine(dot, hypothesis, reference, order) * Math.exp(-((hypothesis.length - reference.length) ** 2) / (2 * sigma ** 2));
  });
}

/** CIDEr as first defined (section 3 of the paper): plain cosine, no clipping, no length penalty, words not stemmed. 0 to 10. */
export function ciderPlain(pairs: readonly CaptionPair[], documents: Documents = pairs): CorpusScore {
  return score(pairs, documents, (hypothesis, reference, order) => {
    let dot = 0;
    for (const [ngram, weight] of hypothesis.weights[order]!) dot += weight * (reference.weights[order]!.get(ngram) ?? 0);
    return cosine(dot, hypothesis, reference, order);
  });
}

function score(
  pairs: readonly CaptionPair[],
  documents: Documents,
  similarity: (hypothesis: Weighted, reference: Weighted, order: number) => number,
): CorpusScore {
  const documentFrequency = new Map<string, number>();
  for (const { references } of documents) {
    const captions = references.map(countNgrams);
    const seen = new Set(captions.flatMap((counts) => counts.flatMap((order) => [...order.keys()])));
    for (const ngram of seen) documentFrequency.set(ngram, (documentFrequency.get(ngram) ?? 0) + 1);
  }
  const logDocuments = Math.log(documents.length);
  const each = pairs.map((pair) => {
    const hypothesis = weigh(countNgrams(pair.hypothesis), documentFrequency, logDocuments);
    const perReference = pair.references.map((caption) => {
      const reference = weigh(countNgrams(caption), documentFrequency, logDocuments);
      return mean(Array.from({ length: maxOrder }, (_, order) => similarity(hypothesis, reference, order)));
    });
    return mean(perReference) * 10;
  });
  return { corpus: mean(each), each };
}

function weigh(counts: NgramCounts, documentFrequency: ReadonlyMap<string, number>, logDocuments: number): Weighted {
  const weights = counts.map((order) => {
    const weighted = new Map<string, number>();
    for (const [ngram, count] of order) weighted.set(ngram, count * (logDocuments - Math.log(Math.max(1, documentFrequency.get(ngram) ?? 0))));
    return weighted;
  });
  const norms = weights.map((order) => Math.sqrt([...order.values()].reduce((sum, weight) => sum + weight ** 2, 0)));
  return { weights, norms, length: [...counts[1]!.values()].reduce((sum, count) => sum + count, 0) };
}

function cosine(dot: number, a: Weighted, b: Weighted, order: number): number {
  const norm = a.norms[order]! * b.norms[order]!;
  return norm === 0 ? dot : dot / norm;
}
