// METEOR 1.5 (Denkowski and Lavie 2014) with its exact and stem modules: no WordNet synonyms, no paraphrase table, no function-word discount.
//
// Parameters are those of the English ranking task (alpha 0.85, beta 0.2, gamma 0.6, module weights 1 and 0.6), with delta 0.5,
// so that function words count as much as others. Equal to the published program run with
// `-norm -m "exact stem" -p "0.85 0.2 0.6 0.5" -w "1.0 0.6"`, and NOT comparable with figures of the full METEOR, which are higher.
import { alignWords, type Alignment } from './meteor-alignment.ts';
import type { CaptionPair, CorpusScore } from './caption-pair.ts';

/** What the reports call it. */
export const meteorName = 'METEOR (exact + stem)';

const alpha = 0.85;
const beta = 0.2;
const gamma = 0.6;
const stemWeight = 0.6;

interface Counts extends Alignment {
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

/** Each clip against its best reference; `corpus` pools the counts of those, as the published program does. */
export function meteor(pairs: readonly CaptionPair[]): CorpusScore {
  const best = pairs.map(({ hypothesis, references }) => {
    const words = normalise(hypothesis);
    const counts = references.map((reference) => count(words, normalise(reference)));
    return counts.reduce((a, b) => (fromCounts(b) > fromCounts(a) ? b : a));
  });
  const total = (key: keyof Counts) => best.reduce((sum, counts) => sum + counts[key], 0);
  const corpus = fromCounts({
    exact: total('exact'),
    stemmed: total('stemmed'),
    chunks: total('chunks'),
    hypothesisLength: total('hypothesisLength'),
    referenceLength: total('referenceLength'),
  });
  return { corpus, each: best.map(fromCounts) };
}

/** The program's `-norm`: signs stand alone, hyphens part words, an apostrophe goes with what follows it, the last period stands alone. */
function normalise(tokens: readonly string[]): string[] {
  return tokens
    .join(' ')
    .replaceAll('-', ' ')
    .replace(/[^\p{L}\p{N}\p{M}\s.,']/gu, ' $& ')
    .replace(/(?<!\d),|,(?!\d)/g, ' , ')
    .replace(/(?<!\p{L})'|'(?!\p{L})/gu, " ' ")
    .replace(/(?<=\p{L})'(?=\p{L})/gu, " '")
    .replace(/\.\s*$/, ' .')
    .split(/\s+/)
    .filter((word) => word !== '');
}

function count(hypothesis: readonly string[], reference: readonly string[]): Counts {
  const alignment = alignWords(hypothesis, reference);
  const matches = alignment.exact + alignment.stemmed;
  // A caption that matches its whole reference in one piece is not fragmented at all.
  const isWhole = alignment.chunks === 1 && matches === hypothesis.length && matches === reference.length;
  return { ...alignment, chunks: isWhole ? 0 : alignment.chunks, hypothesisLength: hypothesis.length, referenceLength: reference.length };
}

function fromCounts({ exact, stemmed, chunks, hypothesisLength, referenceLength }: Counts): number {
  const matches = exact + stemmed;
  if (matches === 0) return 0;
  const weighted = exact + stemWeight * stemmed;
  const precision = weighted / hypothesisLength;
  const recall = weighted / referenceLength;
  const fMean = (precision * recall) / (alpha * precision + (1 - alpha) * recall);
  return fMean * (1 - gamma * (chunks / matches) ** beta);
}
