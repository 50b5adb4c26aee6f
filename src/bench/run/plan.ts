// What a run will do: suites with their videos found, and the cells (suite × candidate × budget) to fill.
import { createHash } from 'node:crypto';
import { UserError } from '../../core/errors.ts';
import type { Candidate } from '../contract.ts';
import { asBlind, asOneFrame } from '../controls.ts';
import { streamSeconds, type BenchVideo } from '../question.ts';
import { resolveFiles, selectVideos, type Suite } from '../suite.ts';
import { indexVideos } from '../videos.ts';

/** A suite and where its files are. */
export interface SuiteRequest {
  readonly name: string;
  /** Holds the annotation files, and below it the videos. A world suite needs none. */
  readonly folder?: string;
  /** Where the videos are, if elsewhere. */
  readonly videoFolder?: string;
  /** Annotation files by the keys of `Suite.files`, where they are not under their published names. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What to compare on what. */
export interface RunRequest {
  readonly suites: readonly SuiteRequest[];
  readonly candidates: readonly Candidate[];
  /** Values for every candidate that has a knob; without it each sweeps its own. */
  readonly budgets?: readonly number[];
  readonly seed: number;
  /** Method that the others are compared with. Default dense. */
  readonly baseline?: string;
  /** Adds the baseline blind and with one frame to suites that ask for it. Default true. */
  readonly controls?: boolean;
  /** Videos of each suite, from the first. */
  readonly limit?: number;
  /** Question or video ids to keep. */
  readonly ids?: readonly string[];
  /** Videos of a world suite. */
  readonly worldSize?: number;
  readonly worldCacheFolder?: string;
  /** Called when a clip of a world suite is written. */
  readonly onClip?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface PlannedVideo {
  readonly video: BenchVideo;
  /** Absent: missing, never scored. */
  readonly path?: string;
}

export interface PlannedSuite {
  readonly name: string;
  readonly suite: Suite;
  readonly videos: readonly PlannedVideo[];
  readonly notes: readonly string[];
}

/** One row of the comparison. */
export interface Cell {
  readonly key: string;
  readonly suite: PlannedSuite;
  readonly candidate: Candidate;
  readonly budget: number | null;
}

/** What a run will do. */
export interface Plan {
  readonly suites: readonly PlannedSuite[];
  readonly cells: readonly Cell[];
  readonly seed: number;
  readonly baseline: string;
}

const defaultWorldSize = 100;

/**
 * Resolves suites, videos, candidates and budgets to the cells of a run.
 * @throws UserError for unknown suites, missing files, duplicate candidates
 */
export async function makePlan(request: RunRequest, known: ReadonlyMap<string, Suite>): Promise<Plan> {
  if (request.suites.length === 0 || request.candidates.length === 0)
    throw new UserError('EMPTY_RUN', { what: 'nothing to run', expected: 'at least one suite and one candidate' });
  if (request.limit !== undefined && !(Number.isInteger(request.limit) && request.limit > 0))
    throw new UserError('INVALID_LIMIT', { what: 'limit', got: String(request.limit), expected: 'a whole number above 0' });
  refuseDuplicates(
    'candidate',
    request.candidates.map((candidate) => candidate.name),
  );
  refuseDuplicates(
    'suite',
    request.suites.map((suite) => suite.name),
  );
  const suites: PlannedSuite[] = [];
  for (const one of request.suites) suites.push(await planSuite(one, request, known));
  const baseline = request.baseline ?? 'dense';
  const controls = request.candidates.filter((one) => one.method === baseline).flatMap((one) => [asBlind(one), asOneFrame(one)]);
  const cells = suites.flatMap((suite) =>
    [...request.candidates, ...(suite.suite.needsControls && request.controls !== false ? controls : [])].flatMap((candidate) => {
      const budgets: readonly (number | null)[] = candidate.knob === undefined ? [null] : (request.budgets ?? candidate.knob.values);
      return budgets.map((budget): Cell => ({ key: [suite.name, candidate.name, ...(budget === null ? [] : [budget])].join('/'), suite, candidate, budget }));
    }),
  );
  return { suites, cells, seed: request.seed, baseline };
}

async function planSuite(one: SuiteRequest, request: RunRequest, known: ReadonlyMap<string, Suite>): Promise<PlannedSuite> {
  const suite = known.get(one.name);
  if (suite === undefined)
    throw new UserError('UNKNOWN_SUITE', { what: 'unknown suite', got: `"${one.name}"`, expected: `one of ${[...known.keys()].join(', ')}` });
  let folder = one.folder;
  if (suite.generate && folder === undefined) {
    if (request.worldCacheFolder === undefined)
      throw new UserError('NO_CACHE_FOLDER', { what: `suite ${one.name} is generated and needs a folder to be kept in`, expected: 'worldCacheFolder' });
    folder = await suite.generate({
      seed: request.seed,
      size: request.worldSize ?? defaultWorldSize,
      cacheFolder: request.worldCacheFolder,
      signal: request.signal ?? new AbortController().signal,
      ...(request.onClip === undefined ? {} : { onClip: request.onClip }),
    });
  }
  if (folder === undefined)
    throw new UserError('NO_SUITE_FOLDER', { what: `suite ${one.name} needs the folder of its files`, todo: `get them: ${suite.source}` });
  const { videos, notes } = await suite.load(await resolveFiles(one.name, suite, folder, one.files));
  const find = await indexVideos(one.videoFolder ?? folder);
  const selected = selectVideos(one.name, videos, { ids: request.ids, limit: request.limit });
  return {
    name: one.name,
    suite,
    notes,
    videos: selected.map((video) => {
      const path = find(video);
      return path === undefined ? { video } : { video, path };
    }),
  };
}

function refuseDuplicates(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UserError('DUPLICATE', { what: `${what} "${twice}" is named twice`, todo: 'name each once' });
}

/** The same for every candidate, so that pairs differ in nothing but the method. */
export function videoSeed(seed: number, suite: string, videoId: string): number {
  return createHash('sha256')
    .update(JSON.stringify([seed, suite, videoId]))
    .digest()
    .readUInt32LE(0);
}

/** `--dry-run`: what would be done, and what it would cost as far as the candidates can tell. */
export interface PlanSummary {
  readonly suites: readonly {
    readonly name: string;
    readonly videos: number;
    readonly missing: number;
    readonly questions: number;
    readonly streamSec: number;
    readonly notes: readonly string[];
  }[];
  readonly cells: readonly {
    readonly key: string;
    readonly videos: number;
    readonly questions: number;
    /** null where the candidate cannot tell. */ readonly estimateMs: number | null;
  }[];
  /** Sum over the cells divided by the number of lanes; null where any of them is unknown. */
  readonly estimateMs: number | null;
  readonly missing: readonly MissingVideo[];
}

export interface MissingVideo {
  readonly suite: string;
  readonly videoId: string;
  readonly file: string;
  readonly obtain: string;
}

/** Counts and estimated cost of a plan. */
export function summarisePlan(plan: Plan, parallel = 1): PlanSummary {
  const suites = plan.suites.map((suite) => {
    const present = suite.videos.filter((one) => one.path !== undefined);
    return {
      name: suite.name,
      videos: present.length,
      missing: suite.videos.length - present.length,
      questions: present.reduce((sum, one) => sum + one.video.questions.length, 0),
      streamSec: present.reduce((sum, one) => sum + streamSeconds(one.video), 0),
      notes: suite.notes,
    };
  });
  const cells = plan.cells.map((cell) => {
    const { videos, questions, streamSec } = suites[plan.suites.indexOf(cell.suite)]!;
    return { key: cell.key, videos, questions, estimateMs: cell.candidate.estimateMs?.({ streamSec, questions, budget: cell.budget }) ?? null };
  });
  const isKnown = cells.every((cell) => cell.estimateMs !== null);
  return { suites, cells, estimateMs: isKnown ? cells.reduce((sum, cell) => sum + cell.estimateMs!, 0) / parallel : null, missing: missingVideos(plan) };
}

export function missingVideos(plan: Plan): MissingVideo[] {
  return plan.suites.flatMap((suite) =>
    suite.videos
      .filter((one) => one.path === undefined)
      .map((one) => ({ suite: suite.name, videoId: one.video.id, file: one.video.file, obtain: suite.suite.obtain })),
  );
}
