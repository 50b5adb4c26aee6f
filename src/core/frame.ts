// A frame: one decoded picture of a stream, with its media time and what the codec knew of its motion.

/** How the codec coded the picture: `I` whole, `P` and `B` by difference. `unknown` where the source has no codec (images). */
export type PictureType = 'I' | 'P' | 'B' | 'unknown';

/** Motion vectors of one frame, in pixels of the frame, one entry for each coded block. */
export interface MotionVectors {
  readonly count: number;
  /** int16 [count, 2]: centre x, y of the block in this frame. */
  readonly destination: Int16Array;
  /** float32 [count, 2]: x, y displacement: where the block came from, minus where it is. */
  readonly displacement: Float32Array;
  /** uint8 [count, 2]: width, height of the block. */
  readonly size: Uint8Array;
  /** int8 [count]: −1 predicted from the past, +1 from the future. */
  readonly direction: Int8Array;
}

/** One decoded picture. */
export interface Frame {
  /** Number of the frame among those that the source gave, from 0, counted after sampling. */
  readonly index: number;
  /** Media time in seconds from the start of the stream; strictly increasing, also across reconnects. */
  readonly timeSec: number;
  readonly widthPx: number;
  readonly heightPx: number;
  /** uint8 [height, width, 3]: red, green, blue, rows from the top, no padding; upright (rotation applied), alpha flattened on black. */
  readonly rgb: Uint8Array;
  readonly pictureType: PictureType;
  /** Bytes that the codec spent on the picture. Absent where there is no codec. */
  readonly codedBytes?: number;
  /** Absent where the codec exports none. */
  readonly motion?: MotionVectors;
}
