// Keeps what V8 compiled of the program between runs: starting takes less than half the time.
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../session/model-folder.ts';

/**
 * Modules imported from now on, also by worker threads and child processes, are compiled once. The code lies in this user's cache folder, not in
 * a temporary folder that others may write to. Where it cannot be kept the program just starts more slowly.
 */
export function keepCompiledCode(): void {
  if (process.env['NODE_COMPILE_CACHE'] === undefined && process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined) {
    const folder = join(cacheFolder(), 'compiled');
    if (!makeFolderSync(folder)) return;
    // Worker threads read it from their environment.
    process.env['NODE_COMPILE_CACHE'] = folder;
  }
  enableCompileCache();
}

/** Level by level, for the reason that `makeFolder` gives. */
function makeFolderSync(folder: string): boolean {
  const missing: string[] = [];
  let there = folder;
  for (; !existsSync(there); there = dirname(there)) missing.unshift(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
    for (const level of missing) mkdirSync(level);
    return true;
  } catch {
    // A cache that cannot be written to is told of by whoever has to keep something there.
    return existsSync(folder);
  }
}
