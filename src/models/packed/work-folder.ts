// A folder that is filled unseen and appears whole: taken up again after a crash, safe with several processes at once.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFault, makeFolder } from '../../core/make-folder.ts';

const pattern = (name: string) => new RegExp(`^${name}\\.(\\d+)-[0-9a-f]+\\.partial$`, 'u');

/** Owned by this process until `publish` or `abandon`. */
export interface WorkFolder {
  readonly path: string;
  /** Gives the folder its name. Where another process was faster, its folder stays and this one goes. */
  publish(): Promise<void>;
  /** Leaves what is there for the next one who wants the same. */
  abandon(): Promise<void>;
}

/**
 * Makes the folder that becomes `parent/name`, or takes over one that somebody left unfinished.
 * @throws UserError `CACHE_NOT_WRITABLE`
 */
export async function openWorkFolder(parent: string, name: string): Promise<WorkFolder> {
  await makeFolder(parent, cacheFault);
  const owned = (pid: number) => join(parent, `${name}.${pid}-${randomBytes(4).toString('hex')}.partial`);
  const path = owned(process.pid);
  if (!(await takeOver(parent, name, path))) await mkdir(path);
  const target = join(parent, name);
  return {
    path,
    async publish() {
      try {
        await rename(path, target);
      } catch (thrown) {
        if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((thrown as NodeJS.ErrnoException).code ?? '') || !(await isFolder(target))) throw thrown;
        await rm(path, { recursive: true });
      }
    },
    // Process 0 is nobody's.
    abandon: () => rename(path, owned(0)),
  };
}

/** Renaming is atomic: of several who try, one gets the folder. */
async function takeOver(parent: string, name: string, path: string): Promise<boolean> {
  for (const entry of await readdir(parent)) {
    const pid = Number(pattern(name).exec(entry)?.[1] ?? NaN);
    if (Number.isNaN(pid) || isRunning(pid)) continue;
    try {
      await rename(join(parent, entry), path);
      return true;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    }
  }
  return false;
}

function isRunning(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isFolder(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}
