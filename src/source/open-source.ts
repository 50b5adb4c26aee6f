// Opens a source of any kind: samples, paces and queues its pictures, and hands them out as frames.
import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MediaError, UserError, messageOf } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { createRandom } from '../core/random.ts';
import { parseAddress } from './address.ts';
import type { ParsedAddress } from './address.ts';
import { sourceOptionsSchema } from './contract.ts';
import type { ResolvedSourceOptions, Source, SourceEvent, SourceEventOf, SourceOptions } from './contract.ts';
import { createFrameQueue } from './frame-queue.ts';
import { openImageFolder } from './image-folder.ts';
import { openMediaStream } from './media-stream.ts';
import type { MediaStreamContext } from './media-stream.ts';
import type { PictureStream } from './picture-stream.ts';
import { openRawFrames } from './raw-frames.ts';
import type { RawFrames } from './raw-frames.ts';
import { createSampler } from './sampling.ts';

/** An address (path, URL, `device:NAME`, `lavfi:GRAPH`, `-`), a video in memory, a stream of bytes, or frames of the program. */
export type SourceInput = string | Uint8Array | Readable | RawFrames;

/**
 * Opens a source and decodes its first picture; what cannot be watched fails here.
 * @throws {UserError} on a wrong address or option
 * @throws {MediaError} where there is nothing to watch; its `code` says why
 */
export async function openSource(input: SourceInput, options: SourceOptions = {}): Promise<Source> {
  const resolved = parseOptions(options);
  resolved.signal?.throwIfAborted();
  const closing = new AbortController();
  const signal = resolved.signal === undefined ? closing.signal : AbortSignal.any([resolved.signal, closing.signal]);
  const listeners = new Map<SourceEvent['kind'], Set<(event: SourceEvent) => void>>();
  const emit = (event: SourceEvent): void => {
    resolved.onEvent?.(event);
    for (const listener of listeners.get(event.kind) ?? []) listener(event);
  };
  const stream = await openStream(input, { options: resolved, signal, random: createRandom(resolved.seed).fork('reconnect'), emit });
  emit({ kind: 'opened', info: stream.info });
  return runSource(stream, resolved, closing, signal, emit, listeners);
}

function parseOptions(options: SourceOptions): ResolvedSourceOptions {
  const parsed = sourceOptionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new UserError('BAD_SOURCE_OPTION', { what: `wrong option of a source${issue.path.length === 0 ? '' : ` "${issue.path.join('.')}"`}`, expected: issue.message.replace(/^.*expected /u, ''), cause: parsed.error });
}

async function openStream(input: SourceInput, context: MediaStreamContext): Promise<PictureStream> {
  const memory: ParsedAddress = { kind: 'file', target: 'video in memory', live: false, formatOptions: {} };
  if (input instanceof Uint8Array) {
    if (input.length === 0) throw emptyError('video in memory');
    return openMediaStream(memory, input, context);
  }
  if (typeof input !== 'string') {
    if (isReadable(input)) return openMediaStream({ ...memory, kind: 'stdin', target: 'stream of bytes' }, input, context);
    return openRawFrames(input, context.signal, context.options.live ?? false);
  }
  const parsed = parseAddress(input);
  if (parsed.kind === 'stdin') return openMediaStream({ ...parsed, target: 'standard input' }, process.stdin, context);
  if (parsed.kind !== 'file') return openMediaStream(parsed, undefined, context);
  return openPath(parsed, context);
}

/** Files, folders and pipes: the checks here say plainly what FFmpeg would say in its own words. */
async function openPath(parsed: ParsedAddress, context: MediaStreamContext): Promise<PictureStream> {
  const path = parsed.target;
  const what = `cannot open ${path}`;
  try {
    const found = await stat(path);
    await access(path, constants.R_OK);
    if (found.isDirectory()) return await openImageFolder(path, context);
    // A pipe blocks a thread in `open` until someone writes; as a stream of bytes it can be given up.
    if (!found.isFile()) return await openMediaStream({ ...parsed, kind: 'stdin' }, createReadStream(path), context);
    if (found.size === 0) throw emptyError(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new MediaError('MEDIA_NOT_FOUND', { what, got: 'no such file or folder', todo: 'check the path', cause });
    if (code === 'EACCES' || code === 'EPERM') throw new MediaError('MEDIA_PERMISSION', { what, got: 'permission denied', todo: 'grant this user the right to read it', cause });
    throw cause;
  }
  return openMediaStream(parsed, undefined, context);
}

function emptyError(name: string): MediaError {
  return new MediaError('MEDIA_EMPTY', { what: `cannot open ${name}`, got: 'no bytes', expected: 'a video', todo: 'check that the copy or recording was finished' });
}

function isReadable(input: Readable | RawFrames): input is Readable {
  return 'readable' in input && 'pipe' in input;
}

/** Starts the producer, and returns the consumer's side. */
function runSource(
  stream: PictureStream,
  options: ResolvedSourceOptions,
  closing: AbortController,
  signal: AbortSignal,
  emit: (event: SourceEvent) => void,
  listeners: Map<SourceEvent['kind'], Set<(event: SourceEvent) => void>>,
): Source {
  const counts = { keptCount: 0, deliveredCount: 0, droppedCount: 0, waitMs: 0 };
  const whenSlow = options.whenSlow ?? (stream.info.live ? 'drop-oldest' : 'wait');
  const queue = createFrameQueue<Omit<Frame, 'index'>>({
    capacity: options.queueFrames,
    whenFull: whenSlow,
    onDrop: ({ timeSec }) => emit({ kind: 'dropped', timeSec, droppedCount: ++counts.droppedCount }),
  });
  const stats = () => ({ ...stream.stats(), ...counts });
  const endSec = options.durationSec === undefined ? Infinity : options.startSec + options.durationSec;
  const paced = options.pace === 'realtime' && !stream.info.live;

  async function produce(): Promise<'end' | 'limit'> {
    const sampler = createSampler(options.fps);
    let clock: { readonly wallMs: number; readonly mediaSec: number } | undefined;
    for (;;) {
      const picture = await stream.next();
      if (picture === undefined) return 'end';
      const { timeSec } = picture;
      if (timeSec >= endSec) return 'limit';
      if (timeSec < options.startSec || !sampler.keep(timeSec)) continue;
      const [{ widthPx, heightPx, rgb }, motion] = [await picture.toRgb(), options.motionVectors ? picture.motion() : undefined];
      counts.keptCount += 1;
      const waitFromMs = performance.now();
      if (paced) {
        clock ??= { wallMs: waitFromMs, mediaSec: timeSec };
        const aheadMs = clock.wallMs + ((timeSec - clock.mediaSec) * 1000) / options.speed - waitFromMs;
        if (aheadMs > 0) await sleep(aheadMs, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
      await queue.push({ timeSec, widthPx, heightPx, rgb, pictureType: picture.pictureType, ...(picture.codedBytes !== undefined && { codedBytes: picture.codedBytes }), ...(motion === undefined ? {} : { motion }) });
      counts.waitMs += performance.now() - waitFromMs;
      signal.throwIfAborted();
    }
  }

  // An abort reaches a producer that waits for room, and a consumer that waits for a frame.
  const onAbort = () => {
    if (!closing.signal.aborted) queue.fail(signal.reason);
    queue.clear();
  };
  signal.addEventListener('abort', onAbort, { once: true });

  let reason: SourceEventOf<'ended'>['reason'] = 'failed';
  async function run(): Promise<void> {
    try {
      reason = await produce();
      queue.end();
    } catch (error) {
      if (signal.aborted) reason = closing.signal.aborted ? 'closed' : 'aborted';
      queue.fail(signal.aborted && !closing.signal.aborted ? signal.reason : error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      await stream[Symbol.asyncDispose]();
    }
  }
  const running = run();
  // A failure reaches the consumer through the queue; one in releasing the stream reaches whoever waits for the end.
  running.catch(() => undefined);

  /** The end is told when the consumer has seen it, so that the counts are final. */
  let ended: Promise<void> | undefined;
  const end = () =>
    (ended ??= running.finally(() => {
      emit({ kind: 'ended', reason, stats: stats() });
    }));

  let iterated = false;
  const source: Source = {
    info: stream.info,
    stats,
    on(kind, listener) {
      const set = listeners.get(kind) ?? new Set();
      listeners.set(kind, set);
      set.add(listener as (event: SourceEvent) => void);
      return () => set.delete(listener as (event: SourceEvent) => void);
    },
    async close() {
      closing.abort(new Error('the source was closed'));
      await end();
    },
    [Symbol.asyncDispose]: () => source.close(),
    [Symbol.asyncIterator]() {
      if (iterated) throw new UserError('SOURCE_ITERATED', { what: `cannot iterate ${stream.info.address} twice`, todo: 'open it again' });
      iterated = true;
      return {
        async next() {
          const frame = await queue.take().catch(async (error: unknown) => {
            await end();
            throw error;
          });
          if (frame === undefined) {
            await end();
            return { done: true, value: undefined };
          }
          return { done: false, value: { index: counts.deliveredCount++, ...frame } };
        },
        async return() {
          await source.close();
          return { done: true, value: undefined };
        },
      };
    },
  };
  return source;
}

/** The message of an event, for people. */
export function describeSourceEvent(event: SourceEvent): string {
  switch (event.kind) {
    case 'opened':
      return `opened ${event.info.address}: ${event.info.widthPx}×${event.info.heightPx} ${event.info.codec}${event.info.live ? ', live' : ''}`;
    case 'reconnecting':
      return `lost the source (${messageOf(event.error)}); attempt ${event.attempt} in ${event.pauseSec.toFixed(1)} s`;
    case 'reconnected':
      return `back after ${event.gapSec.toFixed(1)} s`;
    case 'dropped':
      return `dropped the frame at ${event.timeSec.toFixed(2)} s, ${event.droppedCount} so far`;
    case 'damaged':
      return `${event.pictureCount} damaged ${event.pictureCount === 1 ? 'picture' : 'pictures'}${event.timeSec === undefined ? '' : ` near ${event.timeSec.toFixed(2)} s`}: ${event.reason}`;
    case 'ended':
      return `ended (${event.reason}) after ${event.stats.deliveredCount} frames`;
  }
}
