// A suite: a benchmark's published files, mapped to the item stream. A file in `suites/` is a suite, and its name is the suite's.
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../core/errors.ts';
import { loadMethods, type MethodInfo } from '../core/methods.ts';
import type { BenchVideo } from './question.ts';
import type { WorldClip } from './world-videos.ts';

/** A file that a suite reads: the names under which it is published, the first found wins. */
export interface SuiteFile {
  readonly names: readonly string[];
  readonly what: string;
  readonly isOptional?: true;
}

/** One benchmark: its files, how they load, and how its answers are scored. */
export interface Suite extends MethodInfo {
  /** accuracy: share of right answers; ciderD: caption metrics, CIDEr-D first. */
  readonly metric: 'accuracy' | 'ciderD';
  readonly files: Readonly<Record<string, SuiteFile>>;
  /** Where the videos come from, for the list of missing ones. */
  readonly obtain: string;
  /** Report the blind and the one-frame score beside this one, as EgoSchema asks for. */
  readonly needsControls?: true;
  /** World suites: makes the files from a seed, and tells how each video is drawn. */
  readonly generate?: (request: GenerateRequest) => Promise<GeneratedSuite>;
  load(files: ResolvedFiles): Promise<LoadedSuite>;
}

export interface GenerateRequest {
  readonly seed: number;
  /** Number of videos. */
  readonly size: number;
  /** Length of the videos: the suite's own, its shortest, or so many minutes (world-stream only). */
  readonly length?: 'usual' | 'short' | { readonly minutes: number };
  /** Folder under which generated suites are kept, by kind, seed, size and version of the generator. */
  readonly cacheFolder: string;
  readonly signal: AbortSignal;
  /** Called when the questions of a clip are made. */
  readonly onClip?: (id: string, done: number, total: number) => void;
}

export interface GeneratedSuite {
  /** Holds the annotation files. */
  readonly folder: string;
  /** Kind, seed and version of the generator: with it, the content of clip n is known whatever the number of clips. */
  readonly identity: string;
  /** No video is longer, however many there are. */
  readonly longestSec: number;
  /** What a video is drawn from; undefined for one that is not of this suite. */
  readonly clip: (video: Pick<BenchVideo, 'file'>) => WorldClip | undefined;
}

/** Path of each file of `Suite.files`; an optional file that is absent is left out. */
export type ResolvedFiles = Readonly<Record<string, string>>;

/** A suite's videos and questions, and what its files left unclear. */
export interface LoadedSuite {
  readonly videos: readonly BenchVideo[];
  /** What was left out and why: "480 questions have no public answer". */
  readonly notes: readonly string[];
}

/** All suites: the files of `suites/`, by name. */
export function loadSuites(): Promise<ReadonlyMap<string, Suite>> {
  return loadMethods<Suite>(new URL('./suites/', import.meta.url));
}

/**
 * Finds a suite's files in a folder (also in its `annotations`, `data` and `json` subfolders), or takes the paths given.
 * @throws UserError naming the file that is missing and the names looked for
 */
export async function resolveFiles(name: string, suite: Suite, folder: string, given: Readonly<Record<string, string>> = {}): Promise<ResolvedFiles> {
  const unknown = Object.keys(given).find((key) => !(key in suite.files));
  if (unknown !== undefined) {
    throw new UserError('UNKNOWN_SUITE_FILE', { what: `suite ${name} has no file "${unknown}"`, expected: `one of ${Object.keys(suite.files).join(', ')}` });
  }
  const resolved: Record<string, string> = {};
  for (const [key, file] of Object.entries(suite.files)) {
    const explicit = given[key];
    const candidates =
      explicit !== undefined ? [explicit] : ['', 'annotations', 'data', 'json'].flatMap((sub) => file.names.map((one) => path.join(folder, sub, one)));
    const found = await firstFile(candidates);
    if (found !== undefined) resolved[key] = found;
    else if (explicit !== undefined || !file.isOptional) {
      throw new UserError('SUITE_FILE_MISSING', {
        what: `suite ${name}: cannot find its ${key} file (${file.what})`,
        got: explicit ?? `none of ${file.names.join(', ')} in ${folder}`,
        todo: `get it: ${suite.source}`,
      });
    }
  }
  if (Object.keys(resolved).length === 0) {
    throw new UserError('SUITE_FILE_MISSING', {
      what: `suite ${name}: none of its files is in ${folder}`,
      expected: Object.values(suite.files)
        .map((file) => file.names[0])
        .join(' or '),
      todo: `get them: ${suite.source}`,
    });
  }
  return resolved;
}

async function firstFile(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isFile()) return candidate;
  }
  return undefined;
}

/** Keeps the named questions (by question or video id), and of those the first `limit` videos' worth. */
export function selectVideos(
  suiteName: string,
  videos: readonly BenchVideo[],
  { ids, limit }: { readonly ids?: readonly string[] | undefined; readonly limit?: number | undefined },
): BenchVideo[] {
  let selected = [...videos];
  if (ids !== undefined) {
    const wanted = new Set(ids);
    const known = new Set(videos.flatMap((video) => [video.id, ...video.questions.map((question) => question.id)]));
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) {
      throw new UserError('UNKNOWN_ITEM', {
        what: `suite ${suiteName} has no item ${unknown
          .slice(0, 5)
          .map((id) => `"${id}"`)
          .join(', ')}`,
        expected: `ids such as "${videos[0]?.id ?? ''}" or "${videos[0]?.questions[0]?.id ?? ''}"`,
      });
    }
    selected = selected
      .map((video) => (wanted.has(video.id) ? video : { ...video, questions: video.questions.filter((question) => wanted.has(question.id)) }))
      .filter((video) => video.questions.length > 0);
  }
  return limit === undefined ? selected : selected.slice(0, limit);
}
