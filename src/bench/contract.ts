// What the benchmark compares: a candidate opens a video, moves through it in time and answers questions on the way.
import type { BenchQuestion } from './question.ts';

/** The one setting of a candidate that trades quality for cost. */
export interface Knob {
  /** As in the method's options: `slots`, `keepRatio`, `threshold`. */
  readonly name: string;
  /** fixed: an exact amount of memory or work; adaptive: a threshold whose cost depends on the footage. */
  readonly kind: 'fixed' | 'adaptive';
  /** Values to sweep where the caller names none. */
  readonly values: readonly number[];
}

/** One method on one model. Holds no state of any video. */
export interface Candidate {
  /** Unique in a run, for tables and records. */
  readonly name: string;
  /** Checkpoint that answers; candidates are paired with the baseline of the same model. */
  readonly model: string;
  readonly method: string;
  readonly summary: string;
  /** Absent: the candidate has nothing to sweep and runs once. */
  readonly knob?: Knob;
  /** Options as resolved, for the record. */
  readonly resolved?: Readonly<Record<string, unknown>>;
  /** A mock answers without looking: reports mark it, and no claim is made about it. */
  readonly isMock?: true;
  /** Set on the versions of a candidate that see nothing or one frame only. */
  readonly control?: 'blind' | 'one-frame';
  /** Mocks only: the same candidate, knowing what a question asks for. Real candidates never see an answer. */
  withTruth?(questions: ReadonlyMap<string, BenchQuestion>): Candidate;
  /** Expected time of a unit of work, for `--dry-run`. */
  estimateMs?(work: { readonly streamSec: number; readonly questions: number; readonly budget: number | null }): number;
  /** @throws MediaError where the video cannot be read */
  open(videoPath: string, options: OpenOptions): Promise<CandidateSession>;
  /** The picture that was shown at a time, as a `data:` URI, for the report's examples. */
  picture?(videoPath: string, timeSec: number | 'end'): Promise<string>;
}

/** How a candidate opens a video. */
export interface OpenOptions {
  /** Value of the knob, or null for a candidate without one. */
  readonly budget: number | null;
  /** The same for every candidate on the same video. */
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** One candidate in one video. Times never go back. */
export interface CandidateSession {
  /** Processes every frame up to and including this time of the video; 'end' for all of it. */
  advanceTo(timeSec: number | 'end', signal: AbortSignal): Promise<void>;
  ask(question: CandidateQuestion): Promise<CandidateAnswer>;
  /** Totals since the video was opened. */
  stats(): CandidateStats;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A question as a candidate is asked it. */
export interface CandidateQuestion {
  readonly id: string;
  /** `poll`: is now the time to speak? Asked again and again of a proactive question. */
  readonly kind: BenchQuestion['kind'] | 'poll';
  /** As published, for candidates whose model takes bare questions. */
  readonly question: string;
  /** The whole text for the model, options and instructions included. */
  readonly prompt: string;
  /** Texts of the options, for candidates that score them instead of writing. */
  readonly options?: readonly string[];
  readonly timeSec: number | 'end';
  readonly maxTokens: number;
  /** True: question and answer stay in the dialogue. False: the session is afterwards as if nothing had been asked. */
  readonly remember: boolean;
  readonly signal: AbortSignal;
}

/** What a candidate wrote, and what it cost. */
export interface CandidateAnswer {
  readonly text: string;
  /** From the question's arrival to the first token (StreamBench's RPD). */
  readonly firstTokenMs: number;
  readonly totalMs: number;
  /** Bytes of keys and values alive when the question arrived. */
  readonly kvBytes: number;
  /** Visual tokens (or slots) that the answer could attend to. */
  readonly visualTokens: number;
  readonly generatedTokens: number;
}

/** What watching cost a candidate. */
export interface CandidateStats {
  readonly frames: number;
  readonly keptFrames: number;
  /** Visual tokens given to the decoder. */
  readonly visualTokens: number;
  /** Encoder work: patches × layers computed. */
  readonly patchLayers: number;
  /** Floating-point operations of all stages. */
  readonly flops: number;
  readonly peakKvBytes: number;
  /** Wall time, all stages together, selector, decoding and preprocessing included; answering apart. */
  readonly streamMs: number;
  readonly answerMs: number;
  /** Peak resident memory of the process. */
  readonly peakRssBytes: number;
}
