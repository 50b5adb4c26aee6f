// A caption with its references, as tokens: what every caption metric takes.

/** One clip: the caption to judge and the captions that people wrote, as tokens. At least one reference. */
export interface CaptionPair {
  readonly hypothesis: readonly string[];
  readonly references: readonly (readonly string[])[];
}

/** A figure over all clips, and for each clip the figure by itself. */
export interface CorpusScore {
  readonly corpus: number;
  /** float [clips], in the order given. */
  readonly each: readonly number[];
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
