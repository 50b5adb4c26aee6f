// What the benchmark compares: a candidate opens a video, moves through it in time and answers questions on the way.
import type { BenchQuestion } from './question.ts';
import type { SharedVideo } from './shared-video.ts';

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
  /** Expected time of a unit of work, for `--dry-run`; null where the rates are not known yet. */
  estimateMs?(work: WorkAmount): number | null;
  /** The rate of frames at which a stream fits whole into the model's context, as the baseline needs it. */
  fittingFps?(stream: StreamLoad): number;
  /** @throws MediaError where the video cannot be read */
  open(videoPath: string, options: OpenOptions): Promise<CandidateSession>;
  /** The picture that was shown at a time, as a `data:` URI, for the report's examples. */
  picture?(videoPath: string, timeSec: number | 'end'): Promise<string>;
}

/** What a candidate is to watch and answer, for an estimate. */
export interface WorkAmount {
  readonly streamSec: number;
  readonly questions: number;
  readonly budget: number | null;
  readonly fps: number;
}

/** What enters a memory besides frames. */
export interface StreamLoad {
  readonly streamSec: number;
  /** Characters of the questions and answers that stay in the dialogue, and of the longest that do not. */
  readonly characters: number;
}

/** How a candidate opens a video. */
export interface OpenOptions {
  /** Frames a second of media time that the candidate sees. */
  readonly fps: number;
  /** What the candidates of one video share. Without it each decodes for itself. */
  readonly shared?: SharedVideo;
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
  /** Visual tokens (or slots) that the answer could attend to: the longest head. */
  readonly visualTokens: number;
  readonly generatedTokens: number;
  /** Tokens that had gone into the memory by then, text included. */
  readonly tokensSeen: number;
  /** Slots in use when the question arrived, mean over layers and heads. */
  readonly meanSlots: number;
  /** Slots that the question looked at, its own included, mean over layers and heads: fewer than there are where a method stores more than it shows. */
  readonly slotsRead: number;
}

/** What watching cost a candidate. */
export interface CandidateStats {
  readonly frames: number;
  readonly keptFrames: number;
  /** Visual tokens given to the decoder. */
  readonly visualTokens: number;
  /** Visual tokens that all frames have if nothing is left out. */
  readonly offeredTokens: number;
  /** Encoder work: patches × layers computed. */
  readonly patchLayers: number;
  /** Floating-point operations of all stages. */
  readonly flops: number;
  readonly peakKvBytes: number;
  /** Time of all stages together, one after the other: decoding, selector, preprocessing, encoder and prefill; answering apart. */
  readonly streamMs: number;
  readonly answerMs: number;
  /** Frames that would have waited, had the video come in real time at its own rate: the most, and at its end. */
  readonly queue: QueueLengths;
  /** Peak resident memory of the process. */
  readonly peakRssBytes: number;
}

/** How many frames waited for the candidate. */
export interface QueueLengths {
  readonly longest: number;
  readonly atEnd: number;
}
