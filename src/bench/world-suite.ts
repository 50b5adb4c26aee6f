// Suites of the synthetic world: questions made at once in the benchmarks' official formats, videos drawn when a run first needs them; both are kept.
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { cacheFault, makeFolder } from '../core/make-folder.ts';
import type { WorldSpec } from '../world/types.ts';
import { longestSec, worldAnnotations, type WorldKind } from './world-annotations.ts';
import type { GenerateRequest, GeneratedSuite } from './suite.ts';

export type { WorldKind } from './world-annotations.ts';

const worldFolder = path.resolve(import.meta.dirname, '../world');
const clipsFile = 'clips.json';

/**
 * The questions of `size` clips of the test split, made if they are not there yet. They appear whole or not at all: an interrupted generation leaves
 * nothing behind that could be taken for a suite. More clips leave the first ones as they are, so that all sizes share their videos.
 */
export async function generateWorldSuite(kind: WorldKind, request: GenerateRequest): Promise<GeneratedSuite> {
  const { seed, size, cacheFolder, length = 'usual' } = request;
  const version = await worldVersion();
  const variant = length === 'usual' ? kind : `${kind}-${length === 'short' ? length : `${length.minutes}min`}`;
  const root = path.join(cacheFolder, `${variant}-seed${seed}-${version}`);
  const folder = path.join(root, String(size));
  if (!(await isFolder(folder))) await writeAnnotations(kind, request, root, folder);
  const specs = z.record(z.string(), z.custom<WorldSpec>((value) => typeof value === 'object' && value !== null)).parse(JSON.parse(await readFile(path.join(folder, clipsFile), 'utf8')));
  const videoFolder = path.join(root, 'videos');
  return {
    folder,
    identity: `${variant} ${seed} ${version}`,
    longestSec: longestSec(kind, length),
    clip: ({ file }) => {
      const id = path.basename(file, '.mp4');
      const spec = specs[id];
      return spec && { id, spec, path: path.join(videoFolder, `${id}.mp4`) };
    },
  };
}

async function writeAnnotations(kind: WorldKind, request: GenerateRequest, root: string, folder: string): Promise<void> {
  await makeFolder(root, cacheFault);
  const draft = path.join(root, `${request.size}.${randomUUID()}.part`);
  await makeFolder(draft, cacheFault);
  try {
    const { files, specs } = await worldAnnotations(kind, request);
    for (const [name, content] of Object.entries({ ...files, [clipsFile]: specs })) await writeFile(path.join(draft, name), `${JSON.stringify(content, null, 1)}\n`);
    await rename(draft, folder).catch(async (cause: unknown) => {
      // Another process was faster; its suite is the same, byte for byte.
      if (!(await isFolder(folder))) throw cause;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Twelve hex digits over the generator's source: any change to it makes new suites, and none is taken for another. */
export async function worldVersion(): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(worldFolder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /(?<!\.test|\.d|\.fixture)\.(?:ts|js)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name));
  // What is asked of the clips is decided here, not there.
  const asking = path.join(import.meta.dirname, `world-annotations${path.extname(import.meta.filename)}`);
  for (const file of [...files.sort(), asking])
    hash
      .update(path.relative(worldFolder, file))
      .update('\0')
      .update(await readFile(file))
      .update('\0');
  return hash.digest('hex').slice(0, 12);
}

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
}
