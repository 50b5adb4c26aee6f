// The journal of a run: one JSON line for each finished unit of work, flushed to disk, so that a killed run continues where it was.
import { createHash } from 'node:crypto';
import { open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../core/errors.ts';
import { makeFolder, type FolderFault } from '../../core/make-folder.ts';

export const outFault: FolderFault = { code: 'OUT_NOT_WRITABLE', purpose: 'the results', todo: 'name another folder with --out' };

export interface Journal<T> {
  /** What earlier runs finished, by key. */
  readonly finished: ReadonlyMap<string, T>;
  /** Returns once the line is on disk. */
  append(key: string, value: T): Promise<void>;
  close(): Promise<void>;
}

interface Line {
  readonly kind: 'header' | 'unit';
  readonly key: string;
  readonly value: unknown;
  /** First 16 hex digits of the SHA-256 of `[kind, key, value]`: a line that was damaged is not taken for one that was finished. */
  readonly sum: string;
}

/**
 * Opens or continues a journal. `plan` is what the run will do; a journal of another plan is refused, since its units
 * would not belong. Whatever follows the last whole line is cut away.
 * @throws UserError where the file belongs to another plan, or is no journal, or another live process writes it
 */
export async function openJournal<T>(file: string, plan: unknown): Promise<Journal<T>> {
  await makeFolder(path.dirname(file), outFault);
  const release = await lock(`${file}.lock`);
  try {
    const bytes = await readFile(file).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw cause;
    });
    const { lines, length } = wholeLines(bytes);
    const planSum = sumOf(['plan', plan]);
    const header = lines[0];
    // A foreign file is refused before anything is cut away.
    if (header === undefined && bytes.length > 0 && !couldBeHeader(bytes))
      throw new UserError('NOT_A_JOURNAL', { what: `${file} is not the journal of a run`, todo: 'name another file' });
    if (header !== undefined && (header.kind !== 'header' || header.key !== planSum)) {
      throw new UserError('OTHER_PLAN', {
        what: `${file} belongs to a run with other suites, candidates or options, or of another commit`,
        todo: 'name another folder, or delete this one to start anew',
      });
    }
    const handle = await open(file, 'a');
    if (length < bytes.length) await handle.truncate(length);
    if (header === undefined) await write(handle, line('header', planSum, plan));
    const finished = new Map(
      lines
        .slice(1)
        .filter((one) => one.kind === 'unit')
        .map((one) => [one.key, one.value as T]),
    );
    let queue: Promise<unknown> = Promise.resolve();
    let isClosed = false;
    return {
      finished,
      append: (key, value) => {
        const written = queue.then(() => write(handle, line('unit', key, value)));
        queue = written.catch(() => undefined);
        return written;
      },
      close: async () => {
        if (isClosed) return;
        isClosed = true;
        await queue;
        await handle.close();
        await release();
      },
    };
  } catch (thrown) {
    await release();
    throw thrown;
  }
}

function line(kind: Line['kind'], key: string, value: unknown): string {
  return JSON.stringify({ kind, key, value, sum: sumOf([kind, key, value]) } satisfies Line) + '\n';
}

async function write(handle: FileHandle, text: string): Promise<void> {
  await handle.appendFile(text);
  await handle.datasync();
}

function sumOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

/** Lines up to the first that is cut off or damaged, and the bytes they take. */
function wholeLines(bytes: Uint8Array): { readonly lines: readonly Line[]; readonly length: number } {
  const lines: Line[] = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const parsed = parseLine(Buffer.from(bytes.subarray(start, end)).toString('utf8'));
    if (parsed === undefined) break;
    lines.push(parsed);
    start = end + 1;
  }
  return { lines, length: start };
}

function parseLine(text: string): Line | undefined {
  try {
    const parsed = JSON.parse(text) as Line;
    return parsed.sum === sumOf([parsed.kind, parsed.key, parsed.value]) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function couldBeHeader(bytes: Uint8Array): boolean {
  const start = '{"kind":"header",';
  const text = Buffer.from(bytes.subarray(0, start.length)).toString('utf8');
  return start.startsWith(text);
}

/** One process at a time; the lock of a process that is gone is taken over. */
async function lock(file: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      const owner = Number(await readFile(file, 'utf8').catch(() => ''));
      if (owner !== process.pid && isAlive(owner)) {
        throw new UserError('RUN_IN_PROGRESS', {
          what: `another process (${owner}) is writing this run`,
          got: file,
          todo: 'wait for it, or end it and try again',
          cause,
        });
      }
      if (owner === process.pid)
        throw new UserError('RUN_IN_PROGRESS', { what: 'this process is already writing this run', got: file, todo: 'close it first', cause });
      await rm(file, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
