// Pictures from everything FFmpeg opens: files, networks, devices, test sources, standard input. Live ones come back after a break.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { MediaError, UserError, messageOf } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { redactAddress } from '../runtime/media-ffmpeg.ts';
import { openMediaReader } from '../runtime/media-reader.ts';
import type { Damage, MediaReader, MediaReaderOptions } from '../runtime/media-reader.ts';
import { isLiveContent } from './address.ts';
import type { ParsedAddress } from './address.ts';
import { pauseSecOf } from './backoff.ts';
import type { ResolvedSourceOptions, SourceEvent, SourceInfo } from './contract.ts';
import type { PictureStream, PictureStreamStats } from './picture-stream.ts';
import { createTimeline } from './timeline.ts';
import type { Timeline } from './timeline.ts';

/** Below this it is quicker to decode up to the start than to seek. */
const SEEK_FROM_SEC = 1;

export interface MediaStreamContext {
  readonly options: ResolvedSourceOptions;
  readonly signal: AbortSignal;
  readonly random: Random;
  readonly emit: (event: SourceEvent) => void;
}

/** Opens an address, or bytes that come from elsewhere under that address. */
export async function openMediaStream(parsed: ParsedAddress, bytes: Readable | Uint8Array | undefined, context: MediaStreamContext): Promise<PictureStream> {
  const { options, signal, random, emit } = context;
  const name = redactAddress(parsed.kind === 'test' ? `lavfi:${parsed.target}` : parsed.target);
  const format = options.format ?? parsed.format;
  const readerOptions: MediaReaderOptions = {
    name,
    maxPixels: options.maxPixels,
    maxSidePx: options.maxSidePx,
    threads: options.threads,
    motionVectors: options.motionVectors,
    damagedPictures: options.damagedPictures,
    // A pause in a pipe or a slow disk is no fault.
    timeoutSec: parsed.kind === 'network' || parsed.kind === 'device' ? options.timeoutSec : Infinity,
    formatOptions: { ...parsed.formatOptions, ...options.formatOptions },
    signal,
    onDamage,
    ...(format === undefined ? {} : { format }),
  };

  const totals = { decodedCount: 0, damagedCount: 0, reconnectCount: 0, readMs: 0, decodeMs: 0, convertMs: 0 };
  let timeline: Timeline | undefined = undefined as Timeline | undefined; // set once it is known whether the source is live
  function onDamage({ pictureCount, timeSec, reason }: Damage): void {
    totals.damagedCount += pictureCount;
    emit({ kind: 'damaged', timeSec: timeline?.mediaTimeOf(timeSec), pictureCount, damagedCount: totals.damagedCount, reason });
  }

  const open = () => openMediaReader(bytes ?? (parsed.kind === 'file' ? `file:${parsed.target}` : parsed.target), readerOptions);
  let reader: MediaReader | undefined = await open();
  const live = options.live ?? (parsed.live === 'by-content' ? isLiveContent(reader.info.container, reader.info.durationSec) : parsed.live);
  const place = createTimeline({ live, originSec: live ? undefined : reader.info.startSec });
  timeline = place;
  if (options.startSec >= SEEK_FROM_SEC && !live && bytes === undefined) await reader.seek(options.startSec + (reader.info.startSec ?? 0));
  const info = infoOf(reader, parsed.kind, name, live);
  let lastSec = 0;
  let lastWallSec = performance.now() / 1000;

  async function release(): Promise<void> {
    const old = reader;
    reader = undefined;
    if (old === undefined) return;
    addStats(totals, old);
    await old[Symbol.asyncDispose]();
  }

  /** Opens the source again and again until a picture comes, or the attempts are used up. */
  async function reconnect(cause: Error): Promise<MediaReader> {
    if (options.reconnect === false) throw cause;
    let error = cause;
    for (let attempt = 1; attempt <= options.reconnect.attempts; attempt++) {
      const pauseSec = pauseSecOf(attempt, options.reconnect, random);
      emit({ kind: 'reconnecting', attempt, pauseSec, error });
      await sleep(pauseSec * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
      try {
        const opened = await open();
        totals.reconnectCount += 1;
        emit({ kind: 'reconnected', attempt, gapSec: performance.now() / 1000 - lastWallSec, info: infoOf(opened, parsed.kind, name, live) });
        return opened;
      } catch (thrown) {
        signal.throwIfAborted();
        if (thrown instanceof UserError) throw thrown;
        error = thrown instanceof Error ? thrown : new Error(messageOf(thrown));
      }
    }
    throw new MediaError('MEDIA_GAVE_UP', { what: `lost ${name}`, got: `${options.reconnect.attempts} failed attempts to reconnect, the last with: ${error.message}`, todo: 'check the source, or allow more with `reconnect.attempts`', cause: error });
  }

  return {
    info,
    stats(): PictureStreamStats {
      const sum = { ...totals };
      if (reader !== undefined) addStats(sum, reader);
      return sum;
    },
    async next() {
      for (;;) {
        let broken: Error | undefined;
        try {
          const picture = await reader?.read();
          if (picture !== undefined) {
            lastWallSec = performance.now() / 1000;
            lastSec = place.place(picture.timeSec, picture.durationSec, lastWallSec);
            return { timeSec: lastSec, pictureType: picture.pictureType, codedBytes: picture.codedBytes, toRgb: () => picture.toRgb(), motion: () => picture.motion() };
          }
        } catch (thrown) {
          signal.throwIfAborted();
          if (!live || !(thrown instanceof MediaError)) throw thrown;
          broken = thrown;
        }
        if (!live) {
          reportMissingEnd(reader, lastSec);
          return undefined;
        }
        // Some servers (RTMP, HLS with an end mark) say that the stream is over; a camera never is.
        await release();
        if (broken === undefined && options.reconnect === false) return undefined;
        reader = await reconnect(broken ?? new MediaError('MEDIA_CONNECTION_LOST', { what: `lost ${name}`, got: 'the end of the stream' }));
        place.reconnect();
      }
    },
    [Symbol.asyncDispose]: release,
  };

  /** A file cut short ends like a whole one; its header knows better. */
  function reportMissingEnd(ended: MediaReader | undefined, lastTimeSec: number): void {
    const promisedSec = ended?.info.streamDurationSec;
    const fps = ended?.info.averageFps;
    if (promisedSec === undefined || fps === undefined) return;
    const missing = Math.round((promisedSec - lastTimeSec) * fps) - 1;
    if (missing > Math.max(1, 0.25 * fps)) onDamage({ pictureCount: missing, timeSec: undefined, reason: 'the file ends before its stated length' });
  }
}

function addStats(sum: { -readonly [K in keyof PictureStreamStats]: number }, reader: MediaReader): void {
  const stats = reader.stats();
  sum.decodedCount += stats.decodedCount;
  sum.readMs += stats.readMs;
  sum.decodeMs += stats.decodeMs;
  sum.convertMs += stats.convertMs;
}

function infoOf({ info }: MediaReader, kind: SourceInfo['kind'], address: string, live: boolean): SourceInfo {
  const { container, codec, pixelFormat, widthPx, heightPx, averageFps, durationSec } = info;
  return { address, kind, live, container, codec, pixelFormat, widthPx, heightPx, averageFps, durationSec };
}
