// Text-to-video retrieval: recall at 1, 5 and 10, and the median rank (MSR-VTT 1k-A).
import { UserError } from '../../core/errors.ts';

export interface RetrievalScores {
  readonly recallAt1: number;
  readonly recallAt5: number;
  readonly recallAt10: number;
  readonly medianRank: number;
}

/**
 * @param similarity float [captions][videos]; the right video of caption i is video i
 * Ties count against the right video: a constant matrix ranks it last, not first.
 */
export function scoreRetrieval(similarity: readonly (readonly number[])[]): RetrievalScores {
  if (similarity.length === 0) throw new UserError('NO_RETRIEVAL_ROWS', { what: 'cannot score retrieval', got: 'no captions', expected: 'at least one' });
  const ranks = similarity.map((row, index) => {
    const right = row[index];
    if (right === undefined)
      throw new UserError('NO_RETRIEVAL_COLUMN', {
        what: `caption ${index} has no similarity to its own video`,
        got: `${row.length} videos`,
        expected: `more than ${index}`,
      });
    return row.filter((other, video) => video !== index && other >= right).length + 1;
  });
  const sorted = ranks.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const recall = (limit: number) => ranks.filter((rank) => rank <= limit).length / ranks.length;
  return {
    recallAt1: recall(1),
    recallAt5: recall(5),
    recallAt10: recall(10),
    medianRank: Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!,
  };
}
