// Accuracy over the scored questions, in all and by a key of theirs; StreamBench's Acc, Sco and Coh; agreement of two methods.

/** What a metric needs to know of one scored question. `score` is 0–5 where a judge graded the answer. */
export interface Graded {
  readonly videoId: string;
  readonly correct: boolean;
  readonly score?: number;
}

export interface Accuracy {
  readonly scored: number;
  readonly correct: number;
  /** Share of the scored questions; null where none is: unscored is not zero. */
  readonly accuracy: number | null;
  /** 95 % Wilson interval of the share, questions taken as independent. */
  readonly low: number | null;
  readonly high: number | null;
}

export function accuracyOf(graded: readonly Graded[]): Accuracy {
  const scored = graded.length;
  const correct = graded.filter((one) => one.correct).length;
  if (scored === 0) return { scored, correct, accuracy: null, low: null, high: null };
  const share = correct / scored;
  const z2 = 1.959963984540054 ** 2;
  const centre = (share + z2 / (2 * scored)) / (1 + z2 / scored);
  const half = (Math.sqrt(z2) / (1 + z2 / scored)) * Math.sqrt((share * (1 - share)) / scored + z2 / (4 * scored ** 2));
  return { scored, correct, accuracy: share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** Accuracy of each group, in order of the group's name. */
export function accuracyBy<T extends Graded>(graded: readonly T[], key: (one: T) => string): Readonly<Record<string, Accuracy>> {
  const groups = Map.groupBy(graded, key);
  return Object.fromEntries([...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, group]) => [name, accuracyOf(group)]));
}

/** StreamBench's mean score 0–5, and Coh: mean |score_i − score_{i−1}| over neighbours within a video (lower is better). */
export interface StreamScores {
  readonly score: number | null;
  readonly coherence: number | null;
}

/** @param graded every question of the suite in stream order; null where a question is unscored, which breaks the chain of neighbours */
export function streamScores(graded: readonly { readonly videoId: string; readonly score: number | null }[]): StreamScores {
  const scores = graded.flatMap(({ score }) => (score === null ? [] : [score]));
  const steps: number[] = [];
  for (const video of Map.groupBy(graded, ({ videoId }) => videoId).values()) {
    for (let i = 1; i < video.length; i++) {
      const before = video[i - 1]!.score;
      const here = video[i]!.score;
      if (before !== null && here !== null) steps.push(Math.abs(here - before));
    }
  }
  const meanOf = (values: readonly number[]) => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length);
  return { score: meanOf(scores), coherence: meanOf(steps) };
}

/** Share of questions that two methods answered alike, right or wrong, among those that both answered. */
export function agreement(pairs: readonly { readonly a: string | null; readonly b: string | null }[]): {
  readonly both: number;
  readonly share: number | null;
} {
  const both = pairs.filter((pair) => pair.a !== null && pair.b !== null);
  return { both: both.length, share: both.length === 0 ? null : both.filter((pair) => pair.a === pair.b).length / both.length };
}
