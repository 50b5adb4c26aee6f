// A stream of pictures, before sampling, pacing and queueing: what every kind of source is made into.
import type { MotionVectors, PictureType } from '../core/frame.ts';
import type { SourceInfo } from './contract.ts';

/** uint8 [height, width, 3], rows from the top, no padding. */
export interface RgbPixels {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8Array;
}

/** One picture; pixels and motion are made on request, before the next `next()`. */
export interface StreamPicture {
  /** Media time, strictly increasing. */
  readonly timeSec: number;
  readonly pictureType: PictureType;
  /** Bytes of the coded picture, where there is a codec. */
  readonly codedBytes?: number | undefined;
  toRgb(): Promise<RgbPixels>;
  motion(): MotionVectors | undefined;
}

export interface PictureStreamStats {
  readonly decodedCount: number;
  readonly damagedCount: number;
  readonly reconnectCount: number;
  readonly readMs: number;
  readonly decodeMs: number;
  readonly convertMs: number;
}

export interface PictureStream extends AsyncDisposable {
  readonly info: SourceInfo;
  stats(): PictureStreamStats;
  /** The next picture; undefined at the end. One call at a time. */
  next(): Promise<StreamPicture | undefined>;
}
