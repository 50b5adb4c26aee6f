// What a run will do: suites with their videos found, and the cells (suite × candidate × budget) to fill.
import { createHash } from 'node:crypto';
import { UserError } from '../../core/errors.ts';
import type { Candidate } from '../contract.ts';
import { asBlind, asOneFrame } from '../controls.ts';
import { streamSeconds, type BenchQuestion, type BenchVideo } from '../question.ts';
import { resolveFiles, selectVideos, type GenerateRequest, type GeneratedSuite, type Suite } from '../suite.ts';
import { indexVideos } from '../videos.ts';
import type { WorldClip } from '../world-videos.ts';

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
  /** Frames a second that candidates see, of all suites or by name; default: for each suite the highest of 2, 1, 0.5 and 0.25 at which the baseline holds the longest stream. */
  readonly fps?: number | Readonly<Record<string, number>>;
  /** Videos of each suite, from the first. */
  readonly limit?: number;
  /** Fewer videos for some rows, from the first; their comparisons are on those alone. */
  readonly limitOf?: (row: Pick<Cell, 'candidate' | 'budget'>, suite: string) => number | undefined;
  /** Question or video ids to keep. */
  readonly ids?: readonly string[];
  /** Videos of a world suite: of all, or by name. */
  readonly worldSize?: number | Readonly<Record<string, number>>;
  readonly worldLength?: GenerateRequest['length'];
  readonly worldCacheFolder?: string;
  /** Called when the questions of a clip of a world suite are made. */
  readonly onClip?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface PlannedVideo {
  readonly video: BenchVideo;
  /** Absent: missing, never scored. */
  readonly path?: string;
  /** World suites: what the video is drawn from when it is first needed. */
  readonly clip?: WorldClip;
}

export interface PlannedSuite {
  readonly name: string;
  readonly suite: Suite;
  readonly videos: readonly PlannedVideo[];
  readonly notes: readonly string[];
  /** Frames a second that candidates see. */
  readonly fps: number;
  /** World suites: with it, the content of video n is known whatever the number of videos. */
  readonly identity?: string;
}

/** One row of the comparison. */
export interface Cell {
  readonly key: string;
  readonly suite: PlannedSuite;
  readonly candidate: Candidate;
  readonly budget: number | null;
  /** Those of the suite's videos that it is run on. */
  readonly videos: readonly PlannedVideo[];
}

/** What a run will do. */
export interface Plan {
  readonly suites: readonly PlannedSuite[];
  readonly cells: readonly Cell[];
  readonly seed: number;
  readonly baseline: string;
}

const defaultWorldSize = 100;
/** Rates to choose from, and the one where none fits: then the baseline ends with a full context, and the report says so. */
const frameRates = [2, 1, 0.5, 0.25];
const unfittingFps = 1;

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
      return budgets.map((budget): Cell => {
        const limit = request.limitOf?.({ candidate, budget }, suite.name);
        return { key: [suite.name, candidate.name, ...(budget === null ? [] : [budget])].join('/'), suite, candidate, budget, videos: suite.videos.slice(0, limit) };
      });
    }),
  );
  return { suites, cells, seed: request.seed, baseline };
}

async function planSuite(one: SuiteRequest, request: RunRequest, known: ReadonlyMap<string, Suite>): Promise<PlannedSuite> {
  const suite = known.get(one.name);
  if (suite === undefined)
    throw new UserError('UNKNOWN_SUITE', { what: 'unknown suite', got: `"${one.name}"`, expected: `one of ${[...known.keys()].join(', ')}` });
  let folder = one.folder;
  let generated: GeneratedSuite | undefined;
  if (suite.generate && folder === undefined) {
    if (request.worldCacheFolder === undefined)
      throw new UserError('NO_CACHE_FOLDER', { what: `suite ${one.name} is generated and needs a folder to be kept in`, expected: 'worldCacheFolder' });
    const { worldSize = defaultWorldSize } = request;
    generated = await suite.generate({
      seed: request.seed,
      size: typeof worldSize === 'number' ? worldSize : (worldSize[one.name] ?? defaultWorldSize),
      ...(request.worldLength !== undefined && { length: request.worldLength }),
      cacheFolder: request.worldCacheFolder,
      signal: request.signal ?? new AbortController().signal,
      ...(request.onClip === undefined ? {} : { onClip: request.onClip }),
    });
    folder = generated.folder;
  }
  if (folder === undefined)
    throw new UserError('NO_SUITE_FOLDER', { what: `suite ${one.name} needs the folder of its files`, todo: `get them: ${suite.source}` });
  const { videos, notes } = await suite.load(await resolveFiles(one.name, suite, folder, one.files));
  const selected = selectVideos(one.name, videos, { ids: request.ids, limit: request.limit });
  const given = typeof request.fps === 'number' ? request.fps : request.fps?.[one.name];
  const common = { name: one.name, suite, notes, fps: given ?? fittingFps(selected, request, generated?.longestSec) };
  if (generated) {
    const planned = selected.map((video): PlannedVideo => {
      const clip = generated.clip(video);
      return clip === undefined ? { video } : { video, clip, path: clip.path };
    });
    return { ...common, identity: generated.identity, videos: planned };
  }
  const find = await indexVideos(one.videoFolder ?? folder);
  return {
    ...common,
    videos: selected.map((video) => {
      const path = find(video);
      return path === undefined ? { video } : { video, path };
    }),
  };
}

/**
 * The highest rate at which every candidate's model holds the suite's longest stream whole.
 * @param longestSec of a suite that may be continued with more videos: no video is longer
 */
function fittingFps(videos: readonly BenchVideo[], { candidates }: RunRequest, longestSec = 0): number {
  const dialogues = videos.map((video) => {
    const kept = video.questions.filter(({ remember }) => remember).reduce((sum, question) => sum + charactersOf(question), 0);
    return kept + Math.max(0, ...video.questions.map(charactersOf));
  });
  const loads = videos.map((video, i) => ({ streamSec: streamSeconds(video), characters: dialogues[i]! }));
  // Videos to come may be longer than these, and be asked a little more.
  if (longestSec > 0) loads.push({ streamSec: longestSec, characters: 1.2 * Math.max(0, ...dialogues) });
  const most = Math.min(...loads.flatMap((load) => candidates.map((candidate) => candidate.fittingFps?.(load) ?? Infinity)));
  return frameRates.find((rate) => rate <= most) ?? unfittingFps;
}

/** Of the prompt, its marks, and an answer: short, as prompts ask for, whatever the limit. */
function charactersOf({ prompt, maxTokens }: BenchQuestion): number {
  return prompt.length + 32 + 4 * Math.min(8, maxTokens);
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

/** A video that is to be fetched. */
export interface MissingVideo {
  readonly suite: string;
  readonly videoId: string;
  readonly file: string;
  readonly obtain: string;
}

export function missingVideos(plan: Plan): MissingVideo[] {
  return plan.suites.flatMap((suite) =>
    suite.videos
      .filter((one) => one.path === undefined)
      .map((one) => ({ suite: suite.name, videoId: one.video.id, file: one.video.file, obtain: suite.suite.obtain })),
  );
}
