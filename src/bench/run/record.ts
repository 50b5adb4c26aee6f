// The record of a run: everything a reader needs to trust a figure, or to compute it anew.
import { readFile } from 'node:fs/promises';
import { messageOf, UserError } from '../../core/errors.ts';
import type { Accuracy } from '../metrics/accuracy.ts';
import type { Interval, PairedDifference } from '../statistics/bootstrap.ts';
import type { McNemar } from '../statistics/mcnemar.ts';
import type { NonInferiority } from '../statistics/non-inferiority.ts';
import type { Environment } from './environment.ts';
import type { MissingVideo } from './plan.ts';
import type { Scored } from './score-answer.ts';
import type { RawAnswer, UnitResult } from './unit.ts';

/** One question of a suite as the record keeps it. */
export interface RecordQuestion {
  readonly id: string;
  readonly videoId: string;
  readonly kind: string;
  readonly class: string;
  readonly footage: string;
  readonly timeSec: number | 'end';
  readonly question: string;
  readonly truth: string;
  /** Seconds since what the answer rests on was last to be seen, where the annotations tell. */
  readonly evidenceAgeSec?: number;
  readonly options?: readonly string[];
}

export interface RecordSuite {
  readonly name: string;
  readonly source: string;
  readonly metric: 'accuracy' | 'ciderD';
  readonly notes: readonly string[];
  /** Frames a second that the candidates saw. */
  readonly fps: number;
  readonly videos: readonly {
    readonly id: string;
    readonly file: string;
    readonly path: string | null;
    readonly footage: string;
    readonly streamSec: number;
  }[];
  readonly questions: readonly RecordQuestion[];
  /** What always guessing would score, as a share; null where there is no such thing (captions). */
  readonly chance: number | null;
}

/** One answer: raw output, what was read from it, and what it cost. In the order of the suite's questions. */
export interface RecordItem extends Scored {
  readonly id: string;
  readonly videoId: string;
  readonly output: string | null;
  readonly atSec: number | 'end' | null;
  readonly polls?: NonNullable<RawAnswer['polls']>;
  /** Captions: CIDEr-D of this caption, 0–10. */
  readonly ciderD?: number;
  readonly counts: RawAnswer['counts'];
  readonly timings: RawAnswer['timings'];
}

export interface Counts {
  readonly scored: number;
  readonly unscored: number;
  readonly failed: number;
  readonly missing: number;
}

export interface CellMetrics {
  /** The suite's first figure with a 95 % interval clustered by video: accuracy as a share, or CIDEr-D 0–10. Null where nothing is scored. */
  readonly main: Interval | null;
  readonly accuracy?: Accuracy;
  /** As published harnesses count: whatever is unscored or failed is wrong. Beside the figure, never instead of it. */
  readonly accuracyUnscoredWrong?: number | null;
  readonly byClass?: Readonly<Record<string, Accuracy>>;
  readonly byFootage?: Readonly<Record<string, Accuracy>>;
  /** By the time since what the answer rests on was to be seen, where the annotations tell. */
  readonly byAge?: Readonly<Record<string, Accuracy>>;
  /** StreamBench's Sco (0–5, higher is better) and Coh (lower is better). */
  readonly stream?: { readonly score: number | null; readonly coherence: number | null };
  /** BLEU, ROUGE-L and METEOR as fractions of 1, CIDEr 0–10. */
  readonly captions?: Readonly<Record<'bleu1' | 'bleu2' | 'bleu3' | 'bleu4' | 'rougeL' | 'meteor' | 'ciderD' | 'ciderPlain', number>>;
}

export interface Comparison {
  /** Key of the baseline's cell. */
  readonly baseline: string;
  /** What the baseline cost on the videos of this cell, which may be fewer than its own. */
  readonly baselineCosts: CellCosts;
  readonly baselineTimings: CellTimings;
  /** The difference and its verdict for each kind of footage, where there are several. */
  readonly byFootage?: Readonly<Record<string, { readonly difference: PairedDifference; readonly nonInferiority: NonInferiority }>>;
  /** Method − baseline in the unit of `main`, over questions that both have scored; null where there is none. */
  readonly difference: PairedDifference | null;
  readonly nonInferiority: NonInferiority | null;
  /** The same difference with whatever is unscored or failed counted as wrong: shows whether silence flatters a method. */
  readonly differenceUnscoredWrong: PairedDifference | null;
  /** Accuracy only. */
  readonly mcnemar?: McNemar;
  /** Share of equal answers, right or wrong, among questions that both answered. */
  readonly agreement: { readonly both: number; readonly share: number | null };
  /** Questions left out of the pairs because only one of the two, or neither, is scored. */
  readonly excluded: number;
}

/** Work done over all videos of a cell, the same in every run with one seed. */
export interface CellCosts {
  readonly videos: number;
  readonly streamSec: number;
  readonly frames: number;
  readonly keptFrames: number;
  readonly visualTokens: number;
  /** Visual tokens that all frames have if nothing is left out. */
  readonly offeredTokens: number;
  readonly patchLayers: number;
  readonly flops: number;
  /** Encoder work and frames by kind of footage. */
  readonly byFootage: Readonly<Record<string, { readonly frames: number; readonly patchLayers: number; readonly visualTokens: number }>>;
  /** What makes a memory smaller, apart: fewer tokens go in, slots merge or go, slots take fewer bytes. */
  readonly factors: MemoryFactors;
  /** Slots of a head when a question arrived, and those that it looked at, its own included: means over questions, layers and heads; null where nothing was answered. */
  readonly slotsMean: number | null;
  readonly slotsReadMean: number | null;
  /** Live bytes of keys and values when a question arrives. */
  readonly kvBytesMean: number;
  readonly kvBytesMax: number;
  readonly peakKvBytes: number;
}

/** Null where there is nothing to divide. Means over questions, weighted by size. */
export interface MemoryFactors {
  /** Visual tokens that the frames had over those that went into the memory. */
  readonly token: number | null;
  /** Tokens that went into the memory over the slots that there were of them. */
  readonly merge: number | null;
  /** Bytes of a slot in all layers and heads, with what is known of it; over the baseline's it is what the format saves. */
  readonly bytesPerSlot: number | null;
}

export interface CellTimings {
  /** StreamBench's RPD: from the question to the first token. Null where nothing was answered. */
  readonly firstTokenMs: { readonly min: number; readonly mean: number; readonly median: number; readonly p95: number } | null;
  /** Frames that would have waited in real time: the most in any video, and the mean at their ends. */
  readonly queue: { readonly longest: number; readonly meanAtEnd: number };
  readonly framesPerSec: number | null;
  readonly streamMs: number;
  readonly answerMs: number;
  readonly wallMs: number;
  readonly peakRssBytes: number;
}

/** One candidate at one budget on one suite. */
export interface RecordCell {
  readonly key: string;
  readonly suite: string;
  readonly candidate: string;
  readonly model: string;
  readonly method: string;
  readonly budget: number | null;
  readonly knob: string | null;
  readonly isMock: boolean;
  /** Null for a candidate that sees the whole stream. */
  readonly control: 'blind' | 'one-frame' | null;
  readonly resolved: Readonly<Record<string, unknown>>;
  readonly counts: Counts;
  readonly metrics: CellMetrics;
  /** Absent for the baseline itself, mocks, and where the run holds no baseline of the same model. */
  readonly comparison?: Comparison;
  readonly costs: CellCosts;
  readonly items: readonly RecordItem[];
  /** Work of each video. */
  readonly units: readonly ({ readonly videoId: string } & Pick<UnitResult, 'counts' | 'timings' | 'error'>)[];
  readonly timings: CellTimings;
}

/** Everything about a finished run: environment, options, items, scores, costs, comparisons. */
export interface BenchRecord {
  readonly kind: 'thalweg-bench';
  readonly version: 1;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly environment: Environment;
  readonly options: { readonly given: unknown; readonly resolved: unknown };
  readonly seed: number;
  /** Method that the others are compared with. */
  readonly baseline: string;
  readonly judge: Readonly<Record<string, string | number>>;
  readonly suites: readonly RecordSuite[];
  readonly missing: readonly MissingVideo[];
  readonly cells: readonly RecordCell[];
}

/** A record without its single answers: every figure of the report, small enough to be kept in a repository. */
export type BenchSummary = Omit<BenchRecord, 'suites' | 'cells' | 'missing'> & {
  readonly suites: readonly (Omit<RecordSuite, 'videos' | 'questions'> & { readonly videos: number; readonly questions: number })[];
  /** `answers` and `watched`: how many questions and videos the figures are of. */
  readonly cells: readonly (Omit<RecordCell, 'items' | 'units'> & { readonly answers: number; readonly watched: number })[];
  readonly missing: number;
};

/** Leaves out single answers and the work of single videos. */
export function summaryOf(record: BenchRecord): BenchSummary {
  return {
    ...record,
    suites: record.suites.map((suite) => ({ ...suite, videos: suite.videos.length, questions: suite.questions.length })),
    cells: record.cells.map((cell) => {
      const { items, units, ...rest } = cell;
      return { ...rest, answers: items.length, watched: units.length };
    }),
    missing: record.missing.length,
  };
}

/** The record without anything that differs between two equal runs: wall times, memory of the process, dates. */
export function withoutTimes(record: BenchRecord): unknown {
  return JSON.parse(JSON.stringify(record, (key, value: unknown) => (key === 'timings' || key === 'baselineTimings' || key === 'startedAt' || key === 'finishedAt' ? undefined : value)));
}

/** Reads `record.json` of a run. @throws UserError where the file is no record, or of a version that this one does not know */
export async function readRecord(file: string): Promise<BenchRecord> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UserError('NO_RECORD', { what: `cannot read ${file}`, got: messageOf(cause), todo: 'name the record.json of a finished run', cause });
  });
  let value: { readonly kind?: unknown; readonly version?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch (cause) {
    throw new UserError('NOT_A_RECORD', { what: `${file} is not JSON`, got: messageOf(cause), cause });
  }
  if (value.kind !== 'thalweg-bench' || value.version !== 1) {
    throw new UserError('NOT_A_RECORD', {
      what: `${file} is no benchmark record`,
      got: `kind ${String(value.kind)}, version ${String(value.version)}`,
      expected: 'kind thalweg-bench, version 1',
    });
  }
  return value as unknown as BenchRecord;
}
