// Finds a suite's videos in a folder, whatever extension or subfolder they have.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../core/errors.ts';
import type { BenchVideo } from './question.ts';

const extensions: ReadonlySet<string> = new Set(['.mp4', '.webm', '.mkv', '.avi', '.mov', '.m4v', '.flv', '.ts', '.gif']);

/** Path of the video, or undefined where the folder has none of that name. */
export type VideoFinder = (video: Pick<BenchVideo, 'id' | 'file'>) => string | undefined;

/**
 * Reads the folder once. A video is found by its published path, else by its file name, else by its id; extensions may
 * differ, and so may the folders above.
 * @throws UserError (from the finder) where two different files answer to one name
 */
export async function indexVideos(folder: string): Promise<VideoFinder> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new UserError('NO_VIDEO_FOLDER', {
      what: `cannot read the folder of videos ${folder}`,
      todo: 'name the folder that holds the benchmark’s videos',
      cause,
    });
  });
  const byStem = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.isDirectory() || !extensions.has(path.extname(entry.name).toLowerCase())) continue;
    const file = path.join(entry.parentPath, entry.name);
    const stem = stemOf(entry.name);
    byStem.set(stem, [...(byStem.get(stem) ?? []), file]);
  }
  return ({ id, file }) => {
    const published = segments(file);
    const named = byStem.get(stemOf(path.basename(file))) ?? byStem.get(stemOf(path.basename(id))) ?? [];
    // Of several files of one name, those that share the longest end of the published path.
    const scored = named.map((one) => ({ one, shared: sharedTail(published, segments(path.relative(folder, one))) }));
    const best = Math.max(...scored.map(({ shared }) => shared));
    const found = scored.filter(({ shared }) => shared === best).map(({ one }) => one);
    if (found.length > 1 && new Set(found.map((one) => path.dirname(one))).size > 1) {
      throw new UserError('AMBIGUOUS_VIDEO', { what: `video ${id} is in ${folder} more than once`, got: found.join(', '), todo: 'keep one of them' });
    }
    return found.sort()[0];
  };
}

function segments(file: string): string[] {
  return file.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
}

function stemOf(name: string): string {
  const extension = path.extname(name);
  return (extensions.has(extension.toLowerCase()) ? name.slice(0, -extension.length) : name).toLowerCase();
}

/** Folders above the file that two paths share, counted from the file upwards. */
function sharedTail(a: readonly string[], b: readonly string[]): number {
  let shared = 0;
  while (shared + 2 <= Math.min(a.length, b.length) && a.at(-2 - shared)!.toLowerCase() === b.at(-2 - shared)!.toLowerCase()) shared++;
  return shared;
}
