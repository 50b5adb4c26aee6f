// What a session says: reports of frames and answers, events, and the options that open it.
import type { PictureType } from '../core/frame.ts';
import type { SamplingOptions } from '../language/sampler.ts';
import type { Precision } from '../models/packed/contract.ts';
import type { GateDecision, GatePath } from '../gate/method.ts';
import type { SourceEvent } from '../source/contract.ts';
import type { BudgetChange, BudgetTotals } from './budget-controller.ts';

/** Where a frame's time went, in milliseconds of wall clock. */
export interface FrameTimings {
  /** Finding out whether the frame is worth a look. */
  readonly gateMs: number;
  /** Decoding and conversion to RGB since the frame before, in FFmpeg's own threads: frames that sampling left out are included. */
  readonly decodeMs: number;
  /** How long the model had nothing to do but wait for the frame: pacing, network, decoding. */
  readonly waitMs: number;
  /** Resizing and normalising. */
  readonly preprocessMs: number;
  /** Vision encoder and projector. */
  readonly visionMs: number;
  /** Visual tokens through the decoder into the memory. */
  readonly prefillMs: number;
  /** Part of preprocess, vision and prefill that was spent inside ONNX Runtime. */
  readonly runtimeMs: number;
}

/** What a stream's memory holds. */
export interface MemoryReport {
  /** Bytes of keys, values and slot records that are in use. */
  readonly liveBytes: number;
  /** Bytes set aside, in use or not; never above `capBytes`. */
  readonly allocatedBytes: number;
  readonly capBytes: number;
  /** Slots in use, summed over layers and heads. */
  readonly slots: number;
  /** Tokens that went in since the stream opened, text included. */
  readonly tokensSeen: number;
  /** Slots a head holds at most now, that is, the longest thing a query looks at. */
  readonly longestHead: number;
  /** Bytes of one slot of one head: keys, values and what is known of it. */
  readonly bytesPerSlot: number;
  readonly slotFormat: 'float32' | 'int8';
}

/** Where in a frame the encoder worked. Patches and tokens are numbered row by row from the top. */
export interface FrameExplanation {
  readonly patches: readonly number[];
  readonly tokens: readonly number[];
  readonly patchColumns: number;
  readonly patchRows: number;
  readonly tokenColumns: number;
  readonly tokenRows: number;
  /** Share of the picture's width and height that patches cover: pixels behind the last whole patch are not seen. */
  readonly covered: { readonly width: number; readonly height: number };
}

/** What became of one frame. */
export interface FrameReport {
  /** Number of the frame in the stream, from 0. */
  readonly index: number;
  readonly timeSec: number;
  readonly pictureType: PictureType;
  /** Which way the frame went, and why. A skipped one cost neither encoder nor tokens. */
  readonly gate: GateDecision;
  /** Patches that the vision encoder computed, of `patches`. */
  readonly patchesRecomputed: number;
  readonly patches: number;
  /** Visual tokens that entered the memory. */
  readonly visualTokens: number;
  /** Which patches and tokens these were; for streams with `onFrame`. */
  readonly explained?: FrameExplanation;
  readonly timings: FrameTimings;
  readonly memory: MemoryReport;
}

/** Where an answer's time went, in milliseconds of wall clock. */
export interface AnswerTimings {
  /** Waiting for the frame in work to finish. */
  readonly waitMs: number;
  /** The question through the decoder. */
  readonly prefillMs: number;
  /** From `ask` to the first token, waiting included. */
  readonly firstTokenMs: number;
  /** Mean time of a further token. */
  readonly decodeTokenMs: number;
  /** From `ask` until the memory has what stays of question and answer, waiting included. */
  readonly totalMs: number;
  readonly runtimeMs: number;
}

/** A finished answer, with the state of the stream when it was asked for. */
export interface Answer {
  readonly question: string;
  readonly text: string;
  /** Media time of the newest frame when the question was put; −1 before the first. */
  readonly timeSec: number;
  /** Frames seen by then. */
  readonly frames: number;
  readonly tokens: number;
  /** `length`: cut at `maxTokens`. */
  readonly finish: 'stop' | 'length';
  readonly timings: AnswerTimings;
  /** The memory that the question was put to, with `shownTokens`. */
  readonly memory: MemoryReport;
  /** Slots that the end of the question looked at, summed over layers and heads, its own included: fewer than there are where a method picks. */
  readonly slotsRead: number;
  /** Visual tokens of the newest frame that vision had held back and the question was shown; the memory forgot them with the answer. */
  readonly shownTokens: number;
}

/** How an answer is written. What is absent comes from the checkpoint's `generation_config.json`. */
export interface GenerationOptions extends SamplingOptions {
  /** Default 128. */
  readonly maxTokens?: number;
  /** Texts at which the answer ends; they are not part of it. */
  readonly stop?: readonly string[];
}

/** When a question is put, whether it stays in the dialogue, and how it is answered. */
export interface AskOptions extends GenerationOptions {
  readonly signal?: AbortSignal;
  /** Put the question when the stream reaches this media time; without it, now. */
  readonly atSec?: number;
  /** Whether the question and its answer stay in the dialogue. Default true. */
  readonly remember?: boolean;
}

/** What happens in a session, in order. */
export type SessionEvent =
  /** `resumedSec`: media time at which a saved session goes on. */
  | { readonly kind: 'opened'; readonly source: string; readonly model: string; readonly method: string; readonly gate: string; readonly vision: string; readonly memory: string; readonly resumedSec?: number }
  | ({ readonly kind: 'frame' } & FrameReport)
  /** What the budget did: the stream fell behind or caught up, or thresholds moved. */
  | ({ readonly kind: 'budget'; readonly timeSec: number } & BudgetChange)
  | { readonly kind: 'question'; readonly question: string; readonly timeSec: number }
  | { readonly kind: 'text'; readonly question: string; readonly text: string }
  | ({ readonly kind: 'answer' } & Answer)
  | { readonly kind: 'source'; readonly event: SourceEvent }
  /** The session was saved to its file, or could not be: watching goes on. */
  | { readonly kind: 'saved'; readonly file: string; readonly timeSec: number; readonly error?: string }
  | { readonly kind: 'ended'; readonly reason: 'end' | 'stopped' | 'failed'; readonly summary: SessionSummary; readonly error?: string };

/** Totals of a session; means over frames. */
export interface SessionSummary {
  readonly frames: number;
  readonly dropped: number;
  /** Frames by the way that they went; together they are `frames`. */
  readonly paths: Readonly<Record<GatePath, number>>;
  /** What keeping up cost; absent where no budget was kept. */
  readonly budget?: BudgetTotals;
  readonly answers: number;
  /** Media seconds watched. */
  readonly mediaSec: number;
  readonly wallSec: number;
  /** Frames a second of wall clock. */
  readonly framesPerSec: number;
  readonly meanMs: FrameTimings;
  readonly memory: MemoryReport | undefined;
  readonly peakLiveBytes: number;
}

export type { Precision };

/** A loaded model. */
export interface ModelInfo {
  readonly folder: string;
  readonly family: string;
  /** The memory adapter that it was opened with. */
  readonly adapter?: { readonly name: string; readonly kind: 'dmc' | 'dms'; readonly ratio: number };
  readonly precision: Precision;
  readonly parameters: number;
  readonly tokensPerFrame: number;
  readonly imageWidthPx: number;
  readonly imageHeightPx: number;
  readonly contextLength: number;
  /** Bytes of one token's keys and values over all layers and heads. */
  readonly bytesPerToken: number;
  readonly openMs: number;
}
