// METEOR's word alignment: each word matched at most once, most matches first, then fewest chunks, then least distance.
import { stem } from './porter2.ts';

export interface Alignment {
  /** Words matched as they are. */
  readonly exact: number;
  /** Words matched by their stem only. */
  readonly stemmed: number;
  /** Runs of matches that are adjacent and in order in both sentences. */
  readonly chunks: number;
}

/** Partial alignments kept at each word, as in the published program. */
const beamWidth = 40;

interface Partial extends Alignment {
  /** Sum over matches of |place in the hypothesis − place in the reference|. */
  readonly distance: number;
  /** Where in the reference the previous hypothesis word is matched, or −2. */
  readonly previous: number;
  readonly used: bigint;
}

export function alignWords(hypothesis: readonly string[], reference: readonly string[]): Alignment {
  const hypothesisStems = hypothesis.map(stem);
  const referenceStems = reference.map(stem);
  let beam: Partial[] = [{ exact: 0, stemmed: 0, chunks: 0, distance: 0, previous: -2, used: 0n }];
  for (const [i, word] of hypothesis.entries()) {
    const grown = new Map<string, Partial>();
    const add = (partial: Partial) => {
      const key = `${partial.used.toString(36)}/${partial.previous}`;
      const other = grown.get(key);
      if (other === undefined || compare(partial, other) < 0) grown.set(key, partial);
    };
    for (const partial of beam) {
      add({ ...partial, previous: -2 });
      for (let j = 0; j < reference.length; j++) {
        const isExact = word === reference[j];
        if (!isExact && hypothesisStems[i] !== referenceStems[j]) continue;
        if ((partial.used >> BigInt(j)) & 1n) continue;
        add({
          exact: partial.exact + (isExact ? 1 : 0),
          stemmed: partial.stemmed + (isExact ? 0 : 1),
          chunks: partial.chunks + (partial.previous === j - 1 ? 0 : 1),
          distance: partial.distance + Math.abs(i - j),
          previous: j,
          used: partial.used | (1n << BigInt(j)),
        });
      }
    }
    beam = [...grown.values()].sort(compare).slice(0, beamWidth);
  }
  return beam[0]!;
}

function compare(a: Partial, b: Partial): number {
  return b.exact + 0.6 * b.stemmed - (a.exact + 0.6 * a.stemmed) || a.chunks - b.chunks || a.distance - b.distance;
}
