// Opens a source of packets: an address, bytes in memory or a readable stream; finds its video stream; can be interrupted at any moment.
import { Dictionary, FormatContext, IOContext, InputFormat } from 'node-av';
import type { Packet, Stream } from 'node-av';
import {
  AVDISCARD_ALL,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_CUR,
  AVSEEK_END,
  AVSEEK_FLAG_BACKWARD,
  AVSEEK_SIZE,
  AV_DISPOSITION_ATTACHED_PIC,
  AV_NOPTS_VALUE,
} from 'node-av/constants';
import type { Readable } from 'node:stream';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { MediaError, UserError } from '../core/errors.ts';
import { serveBytes } from './media-byte-server.ts';
import { END_OF_FILE, INVALID_DATA, checked, mediaErrorOf, redactAddress } from './media-ffmpeg.ts';

const IO_BUFFER_BYTES = 64 * 1024;
const MICROSECONDS = 1_000_000;

/**
 * Inputs with a thread that may be waiting for data. A process that exits joins its threads first, and would hang with them, so they are woken.
 */
const openInputs = new Set<() => void>();
process.on('exit', () => {
  for (const interrupt of openInputs) interrupt();
});

/** What FFmpeg can open: an address or path, a whole file in memory, or a stream of bytes. */
export type MediaInput = string | Uint8Array | Readable;

export interface PacketInputOptions {
  /** What errors call the input; default: the address. */
  readonly name?: string;
  /** FFmpeg's name of the input format, where the data does not say it (`lavfi`, `v4l2`, `rawvideo`, …). */
  readonly format?: string;
  /** Further options of protocol and demuxer, by FFmpeg's names. */
  readonly formatOptions?: Readonly<Record<string, string | number>>;
  /** Silence, in seconds, after which opening or reading fails with `MEDIA_TIMEOUT`; `Infinity` waits for ever. */
  readonly timeoutSec: number;
  readonly signal?: AbortSignal;
}

/** An open source of packets of one video stream. */
export interface PacketInput extends AsyncDisposable {
  readonly name: string;
  readonly container: string;
  readonly stream: Stream;
  readonly startSec: number | undefined;
  readonly durationSec: number | undefined;
  /** Length of the video stream itself, where the container states it; sound may be longer. */
  readonly streamDurationSec: number | undefined;
  /** Reads the next packet of the video stream; false at the end. Throws on failure, time-out and abort. */
  read(packet: Packet): Promise<boolean>;
  /** Moves to the last key frame at or before a time; false where the source cannot. */
  seek(timeSec: number): Promise<boolean>;
}

export async function openPacketInput(input: MediaInput, options: PacketInputOptions): Promise<PacketInput> {
  const { signal, timeoutSec } = options;
  const name = options.name ?? (typeof input === 'string' ? redactAddress(input) : input instanceof Uint8Array ? 'video in memory' : 'video stream');
  const what = `cannot open ${name}`;
  signal?.throwIfAborted();

  const inputFormat = options.format === undefined ? null : InputFormat.findInputFormat(options.format);
  if (options.format !== undefined && inputFormat === null) {
    throw new UserError('MEDIA_UNSUPPORTED_FORMAT', { what, got: `input format "${options.format}"`, expected: 'a format that this build of FFmpeg has on this system' });
  }

  await using stack = new AsyncDisposableStack();
  const format = new FormatContext();
  format.allocContext();
  stack.defer(() => format.closeInput());
  let stop: 'no' | 'timeout' | 'abort' = 'no';
  const served = typeof input === 'string' || input instanceof Uint8Array ? undefined : stack.use(await serveBytes(input));
  const address = typeof input === 'string' ? input : (served?.address ?? '');
  const interrupt = (reason: 'timeout' | 'abort'): void => {
    if (stop === 'no') stop = reason;
    format.interrupt();
  };
  const onAbort = () => interrupt('abort');
  openInputs.add(onAbort);
  stack.defer(() => void openInputs.delete(onAbort));
  signal?.addEventListener('abort', onAbort, { once: true });
  stack.defer(() => signal?.removeEventListener('abort', onAbort));
  const watchdog = createWatchdog(timeoutSec, () => interrupt('timeout'));
  stack.defer(() => watchdog.close());

  /** Runs one native call under the watchdog and explains its failure. */
  async function guarded(during: string, call: () => Promise<number>): Promise<number> {
    signal?.throwIfAborted();
    watchdog.arm();
    const code = await call();
    watchdog.disarm();
    // The other side of an interruption may have any code: the reason is known here.
    if (code < 0 && (stop as string) === 'abort') signal?.throwIfAborted();
    const streamFailure = code < 0 ? served?.failure() : undefined;
    if (streamFailure !== undefined) throw new MediaError('MEDIA_STREAM_FAILED', { what: during, got: `a failure of the stream that was handed over: ${streamFailure.message}`, cause: streamFailure });
    if (code < 0 && (stop as string) === 'timeout') {
      throw new MediaError('MEDIA_TIMEOUT', { what: during, got: `no data for ${timeoutSec} s`, todo: 'check that the source is sending, or allow more time with `timeoutSec`', cause: mediaErrorOf(code, during) });
    }
    return code;
  }

  if (input instanceof Uint8Array) {
    const io = ioOfBytes(input);
    format.pb = io;
    stack.defer(() => io.freeContext());
  }
  using dictionary = Dictionary.fromObject({ ...options.formatOptions });
  checkOpened(await guarded(what, () => format.openInput(address, inputFormat, dictionary)), what);
  const container = format.iformat?.name ?? 'unknown';
  // FFmpeg draws any text file with a fitting name as an ANSI terminal; nobody means that.
  if (container === 'tty' && options.format === undefined) throw mediaErrorOf(INVALID_DATA, what);
  checkOpened(await guarded(what, () => format.findStreamInfo()), what);

  const stream = videoStreamOf(format, what);
  for (const other of format.streams) if (other.index !== stream.index) other.discard = AVDISCARD_ALL;
  const timeBase = stream.timeBase.num / stream.timeBase.den;
  const secondsOf = (value: bigint, unit: number) => (value === AV_NOPTS_VALUE ? undefined : Number(value) * unit);
  const fileDurationSec = secondsOf(format.duration, 1 / MICROSECONDS);
  const streamDurationSec = secondsOf(stream.duration, timeBase) ?? taggedDurationSec(stream.metadata?.get('DURATION') ?? null) ?? (format.nbStreams === 1 ? fileDurationSec : undefined);
  const durationSec = streamDurationSec ?? fileDurationSec;
  const resources = stack.move();

  return {
    name,
    container,
    stream,
    startSec: secondsOf(stream.startTime, timeBase),
    durationSec: durationSec !== undefined && durationSec > 0 ? durationSec : undefined,
    streamDurationSec,
    async read(packet) {
      for (;;) {
        packet.unref();
        const code = await guarded(`cannot read ${name}`, () => format.readFrame(packet));
        if (code === END_OF_FILE) return false;
        if (code < 0) throw mediaErrorOf(code, `cannot read ${name}`);
        if (packet.streamIndex === stream.index) return true;
      }
    },
    async seek(timeSec) {
      const code = await guarded(`cannot seek in ${name}`, () => format.seekFrame(stream.index, BigInt(Math.round(timeSec / timeBase)), AVSEEK_FLAG_BACKWARD));
      return code >= 0;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function checkOpened(code: number, what: string): void {
  // A source that ends while it is being recognised is no video, or one cut before its header was whole.
  if (code === END_OF_FILE) throw mediaErrorOf(INVALID_DATA, what);
  checked(code, what);
}

/** Matroska keeps the length of a stream in a tag: `00:01:02.345000000`. */
function taggedDurationSec(tag: string | null): number | undefined {
  const [, hours, minutes, seconds] = /^(\d+):(\d+):(\d+\.?\d*)$/.exec(tag ?? '') ?? [];
  return seconds === undefined ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

function videoStreamOf(format: FormatContext, what: string): Stream {
  const pictures = format.streams.filter((stream) => stream.codecpar.codecType === AVMEDIA_TYPE_VIDEO && !stream.hasDisposition(AV_DISPOSITION_ATTACHED_PIC));
  const best = format.findBestStream(AVMEDIA_TYPE_VIDEO);
  const chosen = pictures.find((stream) => stream.index === best) ?? pictures[0];
  if (chosen !== undefined) return chosen;
  const audio = format.streams.some((stream) => stream.codecpar.codecType === AVMEDIA_TYPE_AUDIO);
  throw new MediaError('MEDIA_NO_VIDEO', { what, got: audio ? 'sound only' : 'no video stream', expected: 'a stream of pictures', todo: 'choose a source that has video' });
}

/** Calls `onSilence` when a call stays armed for too long. One timer, re-used, since calls come by the thousand. */
function createWatchdog(timeoutSec: number, onSilence: () => void): { arm(): void; disarm(): void; close(): void } {
  if (!Number.isFinite(timeoutSec)) return { arm: () => undefined, disarm: () => undefined, close: () => undefined };
  let armedMs = Infinity;
  // Polling four times per period costs nothing a call, and the time-out is at most a quarter late.
  const timer = setInterval(() => {
    if (performance.now() - armedMs >= timeoutSec * 1000) onSilence();
  }, Math.max(10, (timeoutSec * 1000) / 4));
  timer.unref();
  return { arm: () => (armedMs = performance.now()), disarm: () => (armedMs = Infinity), close: () => clearInterval(timer) };
}

function ioOfBytes(bytes: Uint8Array): IOContext {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;
  const io = new IOContext();
  io.allocContextWithCallbacks(
    IO_BUFFER_BYTES,
    0,
    (size) => {
      const chunk = buffer.subarray(position, position + size);
      position += chunk.length;
      return chunk.length === 0 ? null : chunk;
    },
    null,
    (offset, whence) => {
      if (whence === AVSEEK_SIZE) return BigInt(buffer.length);
      const base = whence === AVSEEK_CUR ? position : whence === AVSEEK_END ? buffer.length : 0;
      position = Math.min(Math.max(0, base + Number(offset)), buffer.length);
      return BigInt(position);
    },
  );
  return io;
}
