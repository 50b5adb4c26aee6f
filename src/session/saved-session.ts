// A session in a file: its memory, where its dialogue and its stream stand, and what they belong to.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { UserError } from '../core/errors.ts';
import { removeParts } from '../core/write-whole.ts';
import type { MemorySnapshot } from '../memory/contract.ts';
import { readSaved, readSavedHeader, writeSaved } from '../memory/snapshot-file.ts';
import type { Memory } from '../memory/stage.ts';
import { adapterBaseHash } from '../models/adapters.ts';
import type { Checkpoint } from '../models/contract.ts';
import type { NewestFrame } from '../vision/stage.ts';

const headSchema = z.object({
  session: z.literal(1, 'a session that this version saved'),
  /** What `modelIdentity` gives. */
  model: z.string(),
  /** Milliseconds since 1970. */
  savedAtMs: z.number(),
  /** As in the engine's stream. */
  place: z.object({ turn: z.int(), framesInTurn: z.int(), frames: z.int(), timeSec: z.number(), unshown: z.number(), shownFrame: z.int().default(-1), opened: z.boolean() }),
});

/** What a saved session says of itself. */
export type SavedHead = z.output<typeof headSchema>;
/** Where a stream and its dialogue stand. */
export type SavedPlace = SavedHead['place'];

/** What else a session goes on with. Whatever it was saved with, the next frame is computed whole. */
export interface SavedState {
  readonly place: SavedPlace;
  /** The frame seen last, where vision shows questions what it held back. */
  readonly newest?: NewestFrame | undefined;
}

/** Memories of one model mean nothing to another. Hash of shapes, of the decoder's last norm for the training, and of the adapter's kind. */
export async function modelIdentity(checkpoint: Checkpoint): Promise<string> {
  const norm = await checkpoint.decoder.weights.finalNorm.scale.read();
  const { adapter } = checkpoint;
  const hash = createHash('sha256').update(await adapterBaseHash(checkpoint)).update(Buffer.from(norm.buffer, norm.byteOffset, norm.byteLength));
  return hash.update(adapter ? `${adapter.kind} ${adapter.ratio}` : '').digest('hex');
}

/** What a saved session says of itself; nothing where there is no such file. @throws UserError `SAVED_FILE` when it is none, or damaged */
export async function savedHead(file: string): Promise<SavedHead | undefined> {
  const isThere = await stat(file).then(() => true, (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT');
  return isThere ? checked(file, await readSavedHeader(file)) : undefined;
}

/** Parts of a session's file that old are left from a process that was killed. */
const staleMs = 3_600_000;

/** @param model what `modelIdentity` gives. @throws UserError `SAVED_FILE` when the file cannot be written; what stood there before stays then */
export async function saveSession(file: string, model: string, { place, newest }: SavedState, memory: Memory): Promise<void> {
  const head: SavedHead = { session: 1, model, savedAtMs: Date.now(), place };
  await writeSaved(file, { ...head, ...(newest && { newest }), memory: memory.save() });
  await removeParts(dirname(file), staleMs, basename(file));
}

/**
 * Reads what `saveSession` wrote.
 * @param model what `modelIdentity` gives, and where the model is
 * @param empty a memory as it is asked for now: the saved one must be of its kind
 * @throws UserError `SAVED_FILE` for a file that is none or damaged, `SAVED_ELSEWHERE` for one of another model or memory
 */
export async function readSession(file: string, model: { readonly identity: string; readonly folder: string }, empty: Memory): Promise<SavedState & { readonly memory: MemorySnapshot }> {
  const saved = await readSaved(file);
  const { model: savedUnder, place } = checked(file, saved);
  const { memory, newest } = saved as { readonly memory: MemorySnapshot; readonly newest?: NewestFrame };
  if (savedUnder !== model.identity) {
    throw new UserError('SAVED_ELSEWHERE', { what: `${file} was saved under another model`, got: model.folder, expected: 'the model and the adapter that it was saved under', todo: 'open that model, or name another file for this one' });
  }
  const kindOf = (method: string, options: Readonly<Record<string, unknown>>, format: string) => ({ method, options, format });
  const [was, is] = [kindOf(memory.method, memory.options, memory.store.format), kindOf(empty.methodName, empty.options, empty.store.format)];
  if (!isDeepStrictEqual(was, is)) {
    const text = ({ method, options, format }: typeof was) => `${method} ${JSON.stringify({ ...options, slotFormat: format })}`;
    throw new UserError('SAVED_ELSEWHERE', { what: `${file} was saved under another memory method`, got: text(is), expected: text(was), todo: 'give the same method and options, or name another file' });
  }
  return { place, memory, newest };
}

function checked(file: string, saved: unknown): SavedHead {
  const parsed = headSchema.safeParse(saved);
  if (parsed.success) return parsed.data;
  throw new UserError('SAVED_FILE', { what: `${file} holds no session`, got: z.prettifyError(parsed.error), expected: 'a file that a session of this version saved' });
}
