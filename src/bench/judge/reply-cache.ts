// Replies of the judge model on disk, one JSON line each, so that no question is paid for twice.
import { createHash } from 'node:crypto';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/make-folder.ts';

export interface ReplyCache {
  get(key: string): string | undefined;
  set(key: string, reply: string): Promise<void>;
  close(): Promise<void>;
}

/** A line that was cut off by a crash is skipped; that one question is asked again. */
export async function openReplyCache(file: string): Promise<ReplyCache> {
  await makeFolder(path.dirname(file), { code: 'REPLIES_NOT_WRITABLE', purpose: "the judge's replies", todo: 'keep them in another folder' });
  const replies = new Map<string, string>();
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const entry = parseEntry(line);
    if (entry) replies.set(entry.key, entry.reply);
  }
  const handle: FileHandle = await open(file, 'a');
  // After a cut-off line the next entry must not run into it.
  if (text !== '' && !text.endsWith('\n')) await handle.write('\n');
  let queue: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  return {
    get: (key) => replies.get(key),
    set: (key, reply) => {
      replies.set(key, reply);
      const written = queue.then(() => handle.write(JSON.stringify({ key, reply }) + '\n'));
      queue = written.catch(() => undefined);
      return written.then(() => undefined);
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      await queue;
      await handle.close();
    },
  };
}

/** Same key, same question to the same model. */
export function replyKey(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function parseEntry(line: string): { readonly key: string; readonly reply: string } | undefined {
  try {
    const entry = JSON.parse(line) as { key?: unknown; reply?: unknown };
    return typeof entry.key === 'string' && typeof entry.reply === 'string' ? { key: entry.key, reply: entry.reply } : undefined;
  } catch {
    return undefined;
  }
}
