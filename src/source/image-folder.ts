// A folder of images as a stream: natural order (frame2 before frame10), one picture each 1/fps s.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MediaError } from '../core/errors.ts';
import { openMediaReader } from '../runtime/media-reader.ts';
import type { DecodedPicture, MediaReader } from '../runtime/media-reader.ts';
import type { SourceInfo } from './contract.ts';
import type { MediaStreamContext } from './media-stream.ts';
import type { PictureStream } from './picture-stream.ts';

const IMAGE = /\.(jpe?g|png|webp|bmp|gif|tiff?|avif|jxl|jp2|qoi|tga|p[pgbn]m|exr|hdr|heic|heif)$/i;
const naturally = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Names of images in natural order; equal ones (`a1`, `A01`) by code unit, so that the order is the same everywhere. */
export function sortNaturally(names: readonly string[]): string[] {
  return [...names].sort((a, b) => naturally.compare(a, b) || (a < b ? -1 : 1));
}

/**
 * @throws {MediaError} `MEDIA_NO_IMAGES` for a folder without images, `MEDIA_NOT_VIDEO` where none can be decoded
 */
export async function openImageFolder(folder: string, { options, signal, emit }: MediaStreamContext): Promise<PictureStream> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = sortNaturally(entries.filter((entry) => !entry.isDirectory() && IMAGE.test(entry.name) && !entry.name.startsWith('.')).map((entry) => entry.name));
  if (names.length === 0) {
    throw new MediaError('MEDIA_NO_IMAGES', { what: `cannot open ${folder}`, got: `a folder with ${entries.length} entries and no image`, expected: 'files such as frame1.png, frame2.jpg' });
  }
  const totals = { decodedCount: 0, damagedCount: 0, reconnectCount: 0, readMs: 0, decodeMs: 0, convertMs: 0 };
  let reader: MediaReader | undefined;

  /** Closes the image before, and decodes that one; undefined where it is damaged. */
  async function decode(index: number): Promise<DecodedPicture | undefined> {
    await release();
    try {
      reader = await openMediaReader(`file:${join(folder, names[index]!)}`, {
        maxPixels: options.maxPixels,
        maxSidePx: options.maxSidePx,
        threads: options.threads,
        damagedPictures: options.damagedPictures,
        formatOptions: options.formatOptions,
        name: join(folder, names[index]!),
        // Several pictures in one file (GIF) are one image here, as in a viewer's list; the first stands for it.
        motionVectors: false,
        timeoutSec: Infinity,
        signal,
        ...(options.format === undefined ? {} : { format: options.format }),
        onDamage: ({ reason }) => lost(index, reason),
      });
      return await reader.read();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof MediaError)) throw error;
      lost(index, error.message);
      return undefined;
    }
  }

  let lastLost = -1;
  function lost(index: number, reason: string): void {
    // The reader reports the damage, and then that nothing is left.
    if (index === lastLost) return;
    lastLost = index;
    totals.damagedCount += 1;
    emit({ kind: 'damaged', timeSec: index / options.imageFps, pictureCount: 1, damagedCount: totals.damagedCount, reason: `${names[index]!}: ${reason}` });
  }

  async function release(): Promise<void> {
    const old = reader;
    reader = undefined;
    if (old === undefined) return;
    const stats = old.stats();
    totals.decodedCount += stats.decodedCount;
    totals.readMs += stats.readMs;
    totals.decodeMs += stats.decodeMs;
    totals.convertMs += stats.convertMs;
    await old[Symbol.asyncDispose]();
  }

  // Time is known from the number alone, so images before the start need no decoding.
  let index = Math.min(names.length, Math.ceil(options.startSec * options.imageFps - 1e-9));
  let upcoming: { readonly index: number; readonly picture: DecodedPicture } | undefined;
  async function advance(): Promise<void> {
    upcoming = undefined;
    while (upcoming === undefined && index < names.length) {
      const at = index++;
      const picture = await decode(at);
      if (picture !== undefined) upcoming = { index: at, picture };
    }
  }
  await advance();
  if (upcoming === undefined && totals.damagedCount > 0) {
    throw new MediaError('MEDIA_NOT_VIDEO', { what: `cannot open ${folder}`, got: `${totals.damagedCount} images, none of which can be decoded`, todo: 'check the files' });
  }
  const first = reader?.info;
  const info: SourceInfo = {
    address: folder,
    kind: 'images',
    live: false,
    container: 'images',
    codec: first?.codec ?? 'unknown',
    pixelFormat: first?.pixelFormat ?? 'unknown',
    widthPx: first?.widthPx ?? 0,
    heightPx: first?.heightPx ?? 0,
    averageFps: options.imageFps,
    durationSec: names.length / options.imageFps,
  };

  let given = false;
  return {
    info,
    stats: () => ({ ...totals }),
    async next() {
      if (given) await advance();
      given = true;
      if (upcoming === undefined) return undefined;
      const { index: at, picture } = upcoming;
      return { timeSec: at / options.imageFps, pictureType: 'unknown', toRgb: () => picture.toRgb(), motion: () => undefined };
    },
    [Symbol.asyncDispose]: release,
  };
}
