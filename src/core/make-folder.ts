// Makes a folder and every folder above it, or says plainly why that cannot be.
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { UserError, messageOf } from './errors.ts';

/** What the error says where the folder cannot be made. */
export interface FolderFault {
  readonly code: string;
  /** What the folder is for: "the cache". */
  readonly purpose: string;
  readonly todo: string;
}

export const cacheFault: FolderFault = { code: 'CACHE_NOT_WRITABLE', purpose: 'the cache', todo: 'set THALWEG_CACHE to a folder that this user may write to' };

/**
 * Makes a folder one level at a time: Node.js's own recursive `mkdir` never returns below folders such as `/proc`, where a new folder is
 * answered by "no such file" for ever.
 * @throws UserError with the fault's code where something above is no folder, or may not be written to
 */
export async function makeFolder(folder: string, { code, purpose, todo }: FolderFault): Promise<void> {
  const fail = (got: string, cause?: unknown) => new UserError(code, { what: `cannot write to ${folder}, the folder for ${purpose}`, got, todo, cause });
  const target = resolve(folder);
  let there = target;
  try {
    while (!(await exists(there))) there = dirname(there);
    if (!(await stat(there)).isDirectory()) throw fail(`${there} is no folder`);
    await access(there, constants.W_OK | constants.X_OK);
    for (const name of relative(there, target).split(sep).filter(Boolean)) {
      there = join(there, name);
      await mkdir(there).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // Another process was faster.
      });
    }
  } catch (thrown) {
    throw thrown instanceof UserError ? thrown : fail(messageOf(thrown), thrown);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw thrown;
  }
}
