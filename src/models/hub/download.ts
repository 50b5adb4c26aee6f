// One file over HTTP: resumed with a range request, checked by size and hash, renamed into place at the end.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ModelError, messageOf } from '../../core/errors.ts';

export interface Expected {
  readonly bytes: number;
  /** `git` is the SHA-1 of a Git blob: its header and its bytes. */
  readonly algorithm: 'sha256' | 'git';
  readonly hash: string;
}

export interface DownloadOptions {
  readonly url: string;
  readonly target: string;
  readonly expected: Expected;
  readonly accessToken?: string;
  readonly signal?: AbortSignal;
  /** Bytes of the file so far, and how many of them are new since the last call. */
  readonly onBytes?: (fileBytes: number, newBytes: number) => void;
}

const attempts = 5;

/** Fetches one file; true when part of it was there already. Broken connections are taken up again where they broke. */
export async function download(options: DownloadOptions): Promise<boolean> {
  const { target, expected, signal } = options;
  const part = `${target}.part`;
  await mkdir(dirname(target), { recursive: true });
  let resumed = false;
  for (let attempt = 1; ; attempt++) {
    try {
      resumed = (await receive(part, options)) || resumed;
      break;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ModelError) throw error;
      if (attempt === attempts) {
        throw new ModelError('PULL_BROKEN', { what: `the connection broke ${attempts} times`, got: messageOf(error), todo: 'run the same command again: it goes on where it stopped', cause: error });
      }
      await setTimeout(250 * 2 ** attempt, undefined, signal && { signal });
    }
  }
  await rename(part, target);
  return resumed && expected.bytes > 0;
}

async function receive(part: string, { url, expected, accessToken, signal, onBytes }: DownloadOptions): Promise<boolean> {
  let have = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (have > expected.bytes) {
    await rm(part);
    have = 0;
  }
  let hash = startHash(expected);
  const resumed = have > 0;
  if (resumed) for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  onBytes?.(have, 0);
  if (have < expected.bytes || have === 0) {
    const headers = { ...(have > 0 && { range: `bytes=${have}-` }), ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }), 'accept-encoding': 'identity' };
    const response = await fetch(url, { headers, ...(signal && { signal }) });
    if (!response.ok || !response.body) {
      const transient = response.status >= 500 || response.status === 429;
      await response.body?.cancel();
      if (transient) throw new Error(`HTTP ${response.status}`);
      throw new ModelError('PULL_REFUSED', { what: `cannot fetch ${url}`, got: `HTTP ${response.status}`, ...((response.status === 401 || response.status === 403) && { todo: 'accept the terms of the model and set HF_TOKEN' }) });
    }
    // A server that ignores the range sends the whole file.
    if (have > 0 && response.status !== 206) {
      have = 0;
      hash = startHash(expected);
    }
    const file = await open(part, have > 0 ? 'a' : 'w');
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        await file.write(chunk);
        hash.update(chunk);
        have += chunk.length;
        onBytes?.(have, chunk.length);
        if (have > expected.bytes) break;
      }
    } finally {
      await file.close();
    }
    if (have < expected.bytes) throw new Error(`connection closed after ${have} of ${expected.bytes} bytes`);
  }
  const digest = hash.digest('hex');
  if (have !== expected.bytes || digest !== expected.hash) {
    await rm(part, { force: true });
    throw new ModelError('PULL_DAMAGED', { what: `${url} arrived damaged`, got: `${have} bytes, hash ${digest}`, expected: `${expected.bytes} bytes, hash ${expected.hash}`, todo: 'run the same command again' });
  }
  return resumed;
}

function startHash({ algorithm, bytes }: Expected): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}
