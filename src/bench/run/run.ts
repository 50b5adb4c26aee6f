// Runs a plan: fills the cells, keeps every finished unit in the journal, scores the answers and writes the record.
import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/make-folder.ts';
import type { Judge } from '../judge/judge.ts';
import type { BenchQuestion } from '../question.ts';
import { streamSeconds, truthOf } from '../question.ts';
import { createSharedVideo } from '../shared-video.ts';
import { createDrawing } from '../world-videos.ts';
import { compare } from './compare.ts';
import { readEnvironment } from './environment.ts';
import { openJournal, outFault } from './journal.ts';
import { missingVideos, videoSeed, type Cell, type Plan, type PlannedSuite, type PlannedVideo } from './plan.ts';
import { runPool } from './pool.ts';
import { createProgressMeter, type Progress } from './progress.ts';
import type { BenchRecord, RecordCell, RecordItem, RecordQuestion, RecordSuite } from './record.ts';
import { scoreAnswer } from './score-answer.ts';
import { chanceOf, costsOf, countStatuses, summariseItems, timingsOf, withCaptionScores } from './summarise.ts';
import { nothing, runUnit, type UnitResult } from './unit.ts';

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

type PresentVideo = PlannedVideo & { readonly path: string };

interface Unit {
  readonly key: string;
  readonly cell: Cell;
  readonly planned: PresentVideo;
}

/** One video and the candidates that have still to watch it. */
interface Job {
  readonly suite: PlannedSuite;
  readonly planned: PresentVideo;
  readonly units: readonly Unit[];
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
    const suites = new Map(plan.suites.map((suite) => [suite.name, recordSuite(suite)]));
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
      suites: [...suites.values()],
      missing: missingVideos(plan),
      cells: await recordCells(plan, suites, results, options, signal),
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
    cell.videos.flatMap((planned): Unit[] => (planned.path === undefined ? [] : [{ key: unitKey(cell, planned), cell, planned: { ...planned, path: planned.path } }])),
  );
  const weight = ({ planned }: Unit) => streamSeconds(planned.video) + planned.video.questions.length;
  const lane = ({ cell }: Unit) => `${cell.candidate.name}@${cell.budget}`;
  const meter = createProgressMeter(
    units.map((unit) => ({ lane: lane(unit), weight: weight(unit), isDone: results.has(unit.key) })),
    parallel,
  );
  options.onProgress?.(meter.start());
  const truths = new Map(plan.suites.map((suite) => [suite, questionsOf(suite)]));
  await using drawing = createDrawing();
  await runPool(
    jobsOf(units.filter((unit) => !results.has(unit.key))),
    parallel,
    async ({ suite, planned, units: pending }, number) => {
      signal.throwIfAborted();
      const drawMs = planned.clip === undefined ? 0 : await drawing.draw(planned.clip, number, signal);
      const shared = createSharedVideo(`${suite.name}/${planned.video.id}`, number);
      const seed = videoSeed(plan.seed, suite.name, planned.video.id);
      for (const [i, unit] of pending.entries()) {
        signal.throwIfAborted();
        const { cell } = unit;
        const candidate = cell.candidate.withTruth?.(truths.get(suite)!) ?? cell.candidate;
        const result = await runUnit({ candidate, video: planned.video, path: planned.path, budget: cell.budget, fps: suite.fps, shared, seed, signal, ...(i === 0 && { drawMs }) });
        await append(unit.key, result);
        results.set(unit.key, result);
        options.onProgress?.(meter.finish(unit.key, lane(unit), weight(unit), result.timings.wallMs, hasFailed(result)));
      }
    },
  );
}

/** Candidates of one video one after the other: they share its frames and what the encoder made of them. */
function jobsOf(units: readonly Unit[]): Job[] {
  return [...Map.groupBy(units, ({ cell, planned }) => `${cell.suite.name}/${planned.video.id}`).values()].map((own) => ({ suite: own[0]!.cell.suite, planned: own[0]!.planned, units: own }));
}

async function recordCells(plan: Plan, suites: ReadonlyMap<string, RecordSuite>, results: ReadonlyMap<string, UnitResult>, options: RunOptions, signal: AbortSignal): Promise<RecordCell[]> {
  const cells: RecordCell[] = [];
  for (const cell of plan.cells) cells.push(await recordCell(plan, cell, suites.get(cell.suite.name)!, results, options.judge, signal));
  return cells.map((cell) => {
    const baseline = cells.find((other) => other.suite === cell.suite && other.model === cell.model && other.method === plan.baseline);
    if (baseline === undefined || baseline === cell || cell.isMock) return cell;
    return {
      ...cell,
      comparison: compare(cell, baseline, suites.get(cell.suite)!, {
        seed: plan.seed,
        margin: options.margin ?? defaultMargin,
        range: rangeOf(suites.get(cell.suite)!),
      }),
    };
  });
}

async function recordCell(plan: Plan, cell: Cell, suite: RecordSuite, results: ReadonlyMap<string, UnitResult>, judge: Judge, signal: AbortSignal): Promise<RecordCell> {
  const units: RecordCell['units'] = cell.videos.flatMap((planned) => {
    const result = results.get(unitKey(cell, planned));
    if (result === undefined) return [];
    const { counts, timings, error } = result;
    return [{ videoId: planned.video.id, counts, timings, ...(error === undefined ? {} : { error }) }];
  });
  const perVideo = await Promise.all(cell.videos.map((planned) => scoreVideo(planned, results.get(unitKey(cell, planned)), judge, signal)));
  const { items, captions } =
    suite.metric === 'ciderD' ? withCaptionScores(perVideo.flat(), questionsOf(cell.suite)) : { items: perVideo.flat(), captions: undefined };
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
    metrics: summariseItems(items, suite, plan.seed, captions),
    costs: costsOf(units, items, suite),
    items,
    units,
    timings: timingsOf(units, items),
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
          ...nothing,
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

function recordSuite({ name, suite, videos, notes, fps }: PlannedSuite): RecordSuite {
  return {
    name,
    source: suite.source,
    metric: suite.metric,
    notes,
    fps,
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
        ...(question.evidenceAgeSec === undefined ? {} : { evidenceAgeSec: question.evidenceAgeSec }),
        ...(question.kind === 'choice' ? { options: question.options } : {}),
      })),
    ),
    chance: chanceOf(videos.map((one) => one.video)),
  };
}

/** Accuracy runs from 0 to 1, CIDEr from 0 to 10. */
function rangeOf({ metric }: RecordSuite): number {
  return metric === 'ciderD' ? 10 : 1;
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
    fps: suite.fps,
    // A world suite may be continued with more videos: those that are there stay as they are.
    content: suite.identity ?? createHash('sha256')
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
    framesPerSec: Object.fromEntries(plan.suites.map(({ name, fps }) => [name, fps])),
    videos: Object.fromEntries(plan.cells.map((cell) => [cell.key, cell.videos.length])),
  };
}

/** Whole or not at all: a reader never sees half a record. */
export async function writeRecord(file: string, record: BenchRecord): Promise<void> {
  await makeFolder(path.dirname(file), outFault);
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, JSON.stringify(record, null, 1) + '\n');
  await rename(draft, file);
}
