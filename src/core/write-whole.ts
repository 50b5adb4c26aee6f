// Files that are there whole or not at all.
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** Writes a file so that a reader, or a machine that loses power, sees the old one or the new one and nothing between. */
export async function writeWhole(file: string, parts: readonly Uint8Array[]): Promise<void> {
  // Two threads may write one file at once: the last to finish wins, whole.
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.part`);
  const handle = await open(temporary, 'w');
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

/**
 * Removes what writers that were killed left in a folder.
 * @param olderThanMs younger parts may still be written
 * @param name parts of that file only
 */
export async function removeParts(folder: string, olderThanMs: number, name?: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    const of = /^\.(.+)\.[\da-f-]{36}\.part$/.exec(entry)?.[1];
    if (of === undefined || (name !== undefined && of !== name)) continue;
    const file = path.join(folder, entry);
    const written = await stat(file).catch(() => undefined);
    if (written && Date.now() - written.mtimeMs >= olderThanMs) await rm(file, { force: true });
  }
}
