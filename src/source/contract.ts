// The contract of a source: frames in the order of time, events, counts and timings.
import { z } from 'zod';
import type { Frame } from '../core/frame.ts';

/** Pictures above this are scaled down unless the caller allows more: 4096×4096, 48 MiB of RGB. */
export const DEFAULT_MAX_PIXELS = 4096 * 4096;

const reconnectSchema = z.strictObject({
  /** First pause, doubled after each failure. */
  minPauseSec: z.number().positive().default(0.5),
  /** Upper limit of the pause. */
  maxPauseSec: z.number().positive().default(30),
  /** Failures in a row after which the source gives up; `Infinity` never does. */
  attempts: z.union([z.number().int().min(0), z.literal(Infinity)]).default(Infinity),
});

/** Options of `openSource`, with their defaults. */
export const sourceOptionsSchema = z.strictObject({
  /** Frames a second of media time to keep; default: all. Never above what the source has: no frame is given twice. */
  fps: z.number().positive().optional(),
  /** `fast`: as fast as the consumer takes them; `realtime`: as a live camera would. Live sources set their own pace. */
  pace: z.enum(['fast', 'realtime']).default('fast'),
  /** Seconds of media in a second of `realtime` pace. */
  speed: z.number().positive().default(1),
  /** Media time of the first frame. */
  startSec: z.number().min(0).default(0),
  /** Seconds of media after `startSec`; default: to the end. */
  durationSec: z.number().positive().optional(),
  /** When the consumer is slower: `wait` for it (default of files), or `drop-oldest` and count (default of live sources). */
  whenSlow: z.enum(['wait', 'drop-oldest']).optional(),
  /** Frames that may wait for the consumer. */
  queueFrames: z.number().int().min(1).max(1024).default(4),
  /** Whether the source is live; default: by address and container. */
  live: z.boolean().optional(),
  /** How a live source that broke off is opened again; `false` ends it instead. */
  reconnect: z.union([reconnectSchema, z.literal(false)]).prefault({}),
  /** Seed of the jitter of pauses. */
  seed: z.union([z.number(), z.string()]).default(0),
  /** Silence after which a network source counts as broken. */
  timeoutSec: z.number().positive().default(10),
  /** Larger pictures are scaled down to these limits, keeping their shape. */
  maxPixels: z.number().int().min(1).default(DEFAULT_MAX_PIXELS),
  maxSidePx: z.number().int().min(1).default(16_384),
  /** Whether frames carry the codec's motion vectors. */
  motionVectors: z.boolean().default(true),
  /** Leave out pictures that the decoder knows to be damaged, and those predicted from them; or `keep` them. */
  damagedPictures: z.enum(['drop', 'keep']).default('drop'),
  /** Decoder threads; one is lowest in delay and memory. */
  threads: z.number().int().min(1).max(64).default(1),
  /** Pictures a second of a folder of images. */
  imageFps: z.number().positive().default(1),
  /** FFmpeg's name of the input format where the data does not say it (`rawvideo`, `h264`, …). */
  format: z.string().min(1).optional(),
  /** Further options of FFmpeg's protocol and demuxer, such as `{ rtsp_transport: 'udp' }` or `{ video_size: '1280x720' }`. */
  formatOptions: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  signal: z.instanceof(AbortSignal).optional(),
  /** Called with every event, in order, also those before `openSource` returns. */
  onEvent: z.custom<(event: SourceEvent) => void>((value) => typeof value === 'function', 'expected a function').optional(),
});

/** Options of `openSource`, as a caller gives them. */
export type SourceOptions = z.input<typeof sourceOptionsSchema>;
export type ResolvedSourceOptions = z.output<typeof sourceOptionsSchema>;

/** What is known of a source once its first picture is decoded. */
export interface SourceInfo {
  /** The address without its password. */
  readonly address: string;
  readonly kind: 'file' | 'network' | 'device' | 'test' | 'images' | 'stdin' | 'program';
  readonly live: boolean;
  /** FFmpeg's names; `unknown` where there is no container or codec. */
  readonly container: string;
  readonly codec: string;
  readonly pixelFormat: string;
  /** Size of the first frame. */
  readonly widthPx: number;
  readonly heightPx: number;
  /** Of the container, before sampling. */
  readonly averageFps: number | undefined;
  readonly durationSec: number | undefined;
}

/** What happens to a source. */
export type SourceEvent =
  | { readonly kind: 'opened'; readonly info: SourceInfo }
  /** A live source broke off; it is opened again after the pause. */
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly pauseSec: number; readonly error: Error }
  /** Frames come again, after that long without. */
  | { readonly kind: 'reconnected'; readonly attempt: number; readonly gapSec: number; readonly info: SourceInfo }
  /** The consumer was slower, and the oldest waiting frame went. `droppedCount` counts from the start. */
  | { readonly kind: 'dropped'; readonly timeSec: number; readonly droppedCount: number }
  /** Pictures were lost to damage. `damagedCount` counts from the start; the time is near where it is known. */
  | { readonly kind: 'damaged'; readonly timeSec: number | undefined; readonly pictureCount: number; readonly damagedCount: number; readonly reason: string }
  | { readonly kind: 'ended'; readonly reason: 'end' | 'limit' | 'closed' | 'aborted' | 'failed'; readonly stats: SourceStats };

export type SourceEventOf<K extends SourceEvent['kind']> = Extract<SourceEvent, { kind: K }>;

/** Counts of pictures and wall times, since the source was opened. */
export interface SourceStats {
  readonly decodedCount: number;
  /** Pictures that sampling kept and that became frames. */
  readonly keptCount: number;
  /** Frames that the consumer took. */
  readonly deliveredCount: number;
  readonly droppedCount: number;
  readonly damagedCount: number;
  readonly reconnectCount: number;
  /** Waiting for packets (disk, network). */
  readonly readMs: number;
  readonly decodeMs: number;
  readonly convertMs: number;
  /** Waiting for the pace and for room in the queue. */
  readonly waitMs: number;
}

/**
 * An open source. Iterate it once; leaving the loop closes it. An aborted signal makes the iteration throw its reason.
 */
export interface Source extends AsyncIterable<Frame>, AsyncDisposable {
  readonly info: SourceInfo;
  stats(): SourceStats;
  /** Calls `listener` on later events of that kind; returns what takes it away. */
  on<K extends SourceEvent['kind']>(kind: K, listener: (event: SourceEventOf<K>) => void): () => void;
  /** Ends the source; frames that wait are given up. Idempotent. */
  close(): Promise<void>;
}
