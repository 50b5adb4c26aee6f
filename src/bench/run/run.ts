// Runs a plan: fills the cells, keeps every finished unit in the journal, scores the answers and writes the record.
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Judge } from '../judge/judge.ts';
import type { BenchQuestion } from '../question.ts';
import { streamSeconds, truthOf } from '../question.ts';
import { compare } from './compare.ts';
import { readEnvironment } from './environment.ts';
import { openJournal } from './journal.ts';
import { missingVideos, videoSeed, type Cell, type Plan, type PlannedSuite, type PlannedVideo } from './plan.ts';
import { runPool } from './pool.ts';
import { createProgressMeter, type Progress } from './progress.ts';
import type { BenchRecord, RecordCell, RecordItem, RecordQuestion, RecordSuite } from './record.ts';
import { scoreAnswer } from './score-answer.ts';
import { chanceOf, costsOf, countStatuses, summariseItems, timingsOf, withCaptionScores } from './summarise.ts';
import { runUnit, type UnitResult } from './unit.ts';

/** Where a run keeps its files, who judges, how many videos at once. */
export interface RunOptions {
  /** Holds `journal.jsonl` and `record.json`; a run that was cut short continues from it. */
  readonly folder: string;
  readonly judge: Judge;
  /** Videos worked on at once. */
  readonly parallel?: number;
  /** Of non-inferiority, in the unit of the main figure. */
  readonly margin?: number;
  /** Runs units anew that failed in an earlier run. */
  readonly retryFailed?: boolean;
  /** Options as the user gave them, for the record. */
  readonly given?: unknown;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

interface Unit {
  readonly key: string;
  readonly cell: Cell;
  readonly planned: PlannedVideo & { readonly path: string };
}

/** One point: of accuracy as a share, or of CIDEr. */
export const defaultMargin = 0.01;

/**
 * Runs a plan, or goes on with one that was cut short, and writes its record.
 * @throws whatever aborted it (finished units stay in the journal); UserError where the folder holds another run;
 * ModelError where the judge cannot be reached (outputs stay in the journal, a new start only judges)
 */
export async function runBench(plan: Plan, options: RunOptions): Promise<BenchRecord> {
  const startedAt = new Date().toISOString();
  const environment = await readEnvironment();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const journal = await openJournal<UnitResult>(path.join(options.folder, 'journal.jsonl'), planIdentity(plan, environment.commit));
  try {
    const results = new Map([...journal.finished].filter(([, result]) => !(options.retryFailed && hasFailed(result))));
    await runUnits(plan, options, results, (key, value) => journal.append(key, value), signal);
    const record: BenchRecord = {
      kind: 'thalweg-bench',
      version: 1,
      startedAt,
      finishedAt: '',
      environment,
      options: { given: options.given ?? null, resolved: resolvedOptions(plan, options) },
      seed: plan.seed,
      baseline: plan.baseline,
      judge: options.judge.description,
      suites: plan.suites.map(recordSuite),
      missing: missingVideos(plan),
      cells: await recordCells(plan, results, options, signal),
    };
    const finished = { ...record, finishedAt: new Date().toISOString() };
    await writeRecord(path.join(options.folder, 'record.json'), finished);
    return finished;
  } finally {
    await journal.close();
  }
}

async function runUnits(
  plan: Plan,
  options: RunOptions,
  results: Map<string, UnitResult>,
  append: (key: string, value: UnitResult) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const parallel = options.parallel ?? 1;
  const units = plan.cells.flatMap((cell) =>
    cell.suite.videos.flatMap((planned): Unit[] =>
      planned.path === undefined ? [] : [{ key: unitKey(cell, planned), cell, planned: { ...planned, path: planned.path } }],
    ),
  );
  const weight = ({ planned }: Unit) => streamSeconds(planned.video) + planned.video.questions.length;
  const lane = ({ cell }: Unit) => `${cell.candidate.name}@${cell.budget}`;
  const meter = createProgressMeter(
    units.map((unit) => ({ lane: lane(unit), weight: weight(unit), isDone: results.has(unit.key) })),
    parallel,
  );
  options.onProgress?.(meter.start());
  const truths = new Map(plan.suites.map((suite) => [suite, questionsOf(suite)]));
  await runPool(
    units.filter((unit) => !results.has(unit.key)),
    parallel,
    async (unit) => {
      signal.throwIfAborted();
      const { cell, planned } = unit;
      const candidate = cell.candidate.withTruth?.(truths.get(cell.suite)!) ?? cell.candidate;
      const seed = videoSeed(plan.seed, cell.suite.name, planned.video.id);
      const result = await runUnit({ candidate, video: planned.video, path: planned.path, budget: cell.budget, seed, signal });
      await append(unit.key, result);
      results.set(unit.key, result);
      options.onProgress?.(meter.finish(unit.key, lane(unit), weight(unit), result.timings.wallMs, hasFailed(result)));
    },
  );
}

async function recordCells(plan: Plan, results: ReadonlyMap<string, UnitResult>, options: RunOptions, signal: AbortSignal): Promise<RecordCell[]> {
  const cells: RecordCell[] = [];
  for (const cell of plan.cells) cells.push(await recordCell(plan, cell, results, options.judge, signal));
  return cells.map((cell) => {
    const baseline = cells.find((other) => other.suite === cell.suite && other.model === cell.model && other.method === plan.baseline);
    if (baseline === undefined || baseline === cell || cell.isMock) return cell;
    return {
      ...cell,
      comparison: compare(baseline.key, cell.items, baseline.items, {
        seed: plan.seed,
        margin: options.margin ?? defaultMargin,
        range: rangeOf(cell.suite, plan),
      }),
    };
  });
}

async function recordCell(plan: Plan, cell: Cell, results: ReadonlyMap<string, UnitResult>, judge: Judge, signal: AbortSignal): Promise<RecordCell> {
  const questions = questionsOf(cell.suite);
  const units = cell.suite.videos.flatMap((planned) => {
    const result = results.get(unitKey(cell, planned));
    return result === undefined ? [] : [{ videoId: planned.video.id, streamSec: streamSeconds(planned.video), result }];
  });
  const perVideo = await Promise.all(cell.suite.videos.map((planned) => scoreVideo(planned, results.get(unitKey(cell, planned)), judge, signal)));
  const { items, captions } =
    cell.suite.suite.metric === 'ciderD' ? withCaptionScores(perVideo.flat(), questions) : { items: perVideo.flat(), captions: undefined };
  const outcomes = units.map((unit) => unit.result);
  return {
    key: cell.key,
    suite: cell.suite.name,
    candidate: cell.candidate.name,
    model: cell.candidate.model,
    method: cell.candidate.method,
    budget: cell.budget,
    knob: cell.candidate.knob?.name ?? null,
    isMock: cell.candidate.isMock ?? false,
    control: cell.candidate.control ?? null,
    resolved: cell.candidate.resolved ?? {},
    counts: countStatuses(items),
    metrics: summariseItems(items, recordSuite(cell.suite), plan.seed, captions),
    costs: costsOf(
      outcomes,
      items,
      units.reduce((sum, unit) => sum + unit.streamSec, 0),
    ),
    items,
    units: units.map(({ videoId, result }) => ({
      videoId,
      counts: result.counts,
      timings: result.timings,
      ...(result.error === undefined ? {} : { error: result.error }),
    })),
    timings: timingsOf(outcomes, items),
  };
}

async function scoreVideo({ video }: PlannedVideo, result: UnitResult | undefined, judge: Judge, signal: AbortSignal): Promise<RecordItem[]> {
  return Promise.all(
    video.questions.map(async (question, index): Promise<RecordItem> => {
      const answer = result?.answers[index];
      const common = { id: question.id, videoId: video.id };
      if (answer === undefined) {
        return {
          ...common,
          status: 'missing',
          reason: 'the video is not there',
          parsed: null,
          correct: null,
          score: null,
          output: null,
          atSec: null,
          counts: { kvBytes: 0, visualTokens: 0, generatedTokens: 0 },
          timings: { firstTokenMs: 0, totalMs: 0 },
        };
      }
      const scored = await scoreAnswer(question, answer, judge, signal);
      return {
        ...common,
        ...scored,
        output: answer.text,
        atSec: answer.atSec,
        ...(answer.polls === undefined ? {} : { polls: answer.polls }),
        counts: answer.counts,
        timings: answer.timings,
      };
    }),
  );
}

function recordSuite({ name, suite, videos, notes }: PlannedSuite): RecordSuite {
  return {
    name,
    source: suite.source,
    metric: suite.metric,
    notes,
    videos: videos.map(({ video, path: found }) => ({
      id: video.id,
      file: video.file,
      path: found ?? null,
      footage: video.footage,
      streamSec: streamSeconds(video),
    })),
    questions: videos.flatMap(({ video }) =>
      video.questions.map((question): RecordQuestion => ({
        id: question.id,
        videoId: video.id,
        kind: question.kind,
        class: question.class,
        footage: video.footage,
        timeSec: question.timeSec,
        question: question.question,
        truth: truthOf(question),
        ...(question.kind === 'choice' ? { options: question.options } : {}),
      })),
    ),
    chance: chanceOf(videos.map((one) => one.video)),
  };
}

/** Accuracy runs from 0 to 1, CIDEr from 0 to 10. */
function rangeOf(suiteName: string, plan: Plan): number {
  return plan.suites.find((suite) => suite.name === suiteName)?.suite.metric === 'ciderD' ? 10 : 1;
}

function questionsOf(suite: PlannedSuite): ReadonlyMap<string, BenchQuestion> {
  return new Map(suite.videos.flatMap(({ video }) => video.questions.map((question) => [question.id, question] as const)));
}

function unitKey(cell: Cell, { video }: PlannedVideo): string {
  return `${cell.key}/${video.id}`;
}

function hasFailed(result: UnitResult): boolean {
  return result.error !== undefined || result.answers.some((answer) => answer.text === null);
}

/** What must be the same for a journal to be continued: questions, candidates, seed and code. */
function planIdentity(plan: Plan, commit: string | null): unknown {
  const suites = plan.suites.map((suite) => ({
    name: suite.name,
    content: createHash('sha256')
      .update(JSON.stringify(suite.videos.map(({ video }) => video)))
      .digest('hex'),
  }));
  const cells = plan.cells.map((cell) => ({
    key: cell.key,
    model: cell.candidate.model,
    method: cell.candidate.method,
    resolved: cell.candidate.resolved ?? {},
  }));
  return { suites, cells, seed: plan.seed, commit };
}

function resolvedOptions(plan: Plan, options: RunOptions): unknown {
  return {
    suites: plan.suites.map((suite) => suite.name),
    cells: plan.cells.map((cell) => cell.key),
    margin: options.margin ?? defaultMargin,
    parallel: options.parallel ?? 1,
  };
}

/** Whole or not at all: a reader never sees half a record. */
export async function writeRecord(file: string, record: BenchRecord): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, JSON.stringify(record, null, 1) + '\n');
  await rename(draft, file);
}
