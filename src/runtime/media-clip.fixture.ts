// Clips for tests, made on the spot: a moving pattern whose pixels are known, encoded into memory.
import type { RgbPicture } from './media-convert.ts';
import { openMediaReader } from './media-reader.ts';
import type { Damage, MediaInfo, MediaReaderOptions } from './media-reader.ts';
import type { MediaInput } from './media-input.ts';
import { createMemorySink } from './media-sink.ts';
import { openVideoWriter } from './media-writer.ts';
import type { VideoWriterOptions } from './media-writer.ts';

export const CLIP_WIDTH_PX = 96;
export const CLIP_HEIGHT_PX = 64;

/** uint8 [height, width, 3]: smooth waves that move with the frame number. */
export function wavePixels(index: number, widthPx = CLIP_WIDTH_PX, heightPx = CLIP_HEIGHT_PX): Uint8Array {
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let y = 0, at = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      rgb[at++] = 128 + 100 * Math.sin((x + index * 2) / 9) * Math.cos(y / 7);
      rgb[at++] = 128 + 100 * Math.sin((x - index) / 13 + y / 5);
      rgb[at++] = 128 + 60 * Math.cos((x + y + index) / 11);
    }
  }
  return rgb;
}

export type ClipOptions = Partial<Omit<VideoWriterOptions, 'path' | 'sink'>> & {
  readonly frames?: number;
  readonly pixelsOf?: (index: number) => Uint8Array;
  readonly timesSec?: readonly number[];
};

/** A whole clip in memory: 96×64, 25 fps, a key frame each second unless the options say otherwise. */
export async function encodeClip({ frames = 25, pixelsOf, timesSec, ...options }: ClipOptions = {}): Promise<Uint8Array> {
  const { widthPx = CLIP_WIDTH_PX, heightPx = CLIP_HEIGHT_PX } = options;
  const sink = createMemorySink();
  await using writer = await openVideoWriter({ fps: 25, gopFrames: 25, ...options, widthPx, heightPx, sink });
  for (let index = 0; index < frames; index++) await writer.write(pixelsOf?.(index) ?? wavePixels(index, widthPx, heightPx), timesSec?.[index]);
  await writer.close();
  return sink.bytes().slice();
}

export const READER_OPTIONS: MediaReaderOptions = { maxPixels: 4096 * 4096, maxSidePx: 16_384, timeoutSec: 10, threads: 1, motionVectors: true, damagedPictures: 'drop' };

export interface ReadClip {
  readonly info: MediaInfo;
  readonly timesSec: readonly number[];
  readonly types: string;
  readonly pictures: readonly RgbPicture[];
  readonly lostCount: number;
  /** Of each report of damage. */
  readonly reasons: readonly string[];
}

/** Decodes and converts every picture. */
export async function readClip(input: MediaInput, options: Partial<MediaReaderOptions> = {}): Promise<ReadClip> {
  let lostCount = 0;
  const reasons: string[] = [];
  const onDamage = ({ pictureCount, reason }: Damage) => {
    lostCount += pictureCount;
    reasons.push(reason);
  };
  await using reader = await openMediaReader(input, { ...READER_OPTIONS, onDamage, ...options });
  const pictures: RgbPicture[] = [];
  const timesSec: number[] = [];
  let types = '';
  for (;;) {
    const picture = await reader.read();
    if (picture === undefined) return { info: reader.info, timesSec, types, pictures, lostCount, reasons };
    timesSec.push((picture.timeSec ?? NaN) - (reader.info.startSec ?? 0));
    types += picture.pictureType;
    pictures.push(await picture.toRgb());
  }
}

/** Mean absolute difference of two pictures, in levels of 255. */
export function meanDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`pictures of ${a.length} and ${b.length} bytes`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
