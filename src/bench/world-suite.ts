// Suites of the synthetic world: made on the fly in the benchmarks' official formats, kept by seed, size and version of the generator.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { captionClips, egoClips, streamClips } from '../world/suite.ts';
import { writeSuite, type SuiteClips } from '../world/write-clip.ts';
import type { GenerateRequest } from './suite.ts';

/** Suites of the synthetic world. */
export type WorldKind = 'world-stream' | 'world-caption' | 'world-ego';

const worldFolder = path.resolve(import.meta.dirname, '../world');

/**
 * Folder of a suite of `size` clips of the test split, made if it is not there yet. A suite appears whole or not at all:
 * an interrupted generation leaves nothing behind that could be taken for one.
 */
export async function generateWorldSuite(kind: WorldKind, { seed, size, cacheFolder, signal, onClip }: GenerateRequest): Promise<string> {
  const folder = path.join(cacheFolder, `${kind}-seed${seed}-${size}-${await worldVersion()}`);
  if (await isFolder(folder)) return folder;
  const draft = `${folder}.${randomUUID()}.part`;
  await mkdir(draft, { recursive: true });
  try {
    await writeSuite(clipsOf(kind, seed, size), draft, { signal, ...(onClip === undefined ? {} : { onClip: (id, done) => onClip(id, done, size) }) });
    await rename(draft, folder).catch(async (cause: unknown) => {
      // Another process was faster; its suite is the same, byte for byte.
      if (!(await isFolder(folder))) throw cause;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

function clipsOf(kind: WorldKind, seed: number, size: number): SuiteClips {
  const options = { seed, split: 'test', clips: size } as const;
  switch (kind) {
    case 'world-stream':
      return { kind: 'stream', clips: streamClips(options) };
    case 'world-caption':
      return { kind: 'captions', clips: captionClips(options) };
    case 'world-ego':
      return { kind: 'ego', clips: egoClips(options) };
  }
}

/** Twelve hex digits over the generator's source: any change to it makes new suites, and none is taken for another. */
export async function worldVersion(): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(worldFolder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /(?<!\.test|\.d|\.fixture)\.(?:ts|js)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of files.sort())
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
