// A judge: decides whether an open answer means the same as the right one.

export interface JudgeRequest {
  readonly question: string;
  /** Any of these is right. */
  readonly answers: readonly string[];
  readonly prediction: string;
}

/** `score` is 0–5. What cannot be decided is unscored, never wrong. */
export type Judgement = { readonly kind: 'judged'; readonly correct: boolean; readonly score: number } | { readonly kind: 'unscored'; readonly reason: string };

/** Says of open answers whether they are right. */
export interface Judge {
  /** What the record says of it: name, and whatever decides its verdicts. */
  readonly description: Readonly<Record<string, string | number>>;
  judge(request: JudgeRequest, signal: AbortSignal): Promise<Judgement>;
}
