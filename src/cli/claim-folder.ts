// One folder, one piece of work: what a command keeps in a folder says what of, so that a later run of other options does not go on with it.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';

/**
 * Writes the claim where there is none.
 * @param claim one JSON text
 * @returns what another run left there, if that is something else
 * @throws UserError `CLAIM_NOT_READ` where the file is there and cannot be read
 */
export async function claimFolder(file: string, claim: string): Promise<string | undefined> {
  const found = await readFile(file, 'utf8').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UserError('CLAIM_NOT_READ', { what: `cannot read ${file}`, got: messageOf(cause), todo: 'name another folder with --out', cause });
  });
  if (found !== undefined) return found.trim() === claim ? undefined : found.trim();
  await writeFile(`${file}.part`, `${claim}\n`);
  await rename(`${file}.part`, file);
  return undefined;
}
