// Writes RGB frames as a video: H.264 in MP4, Matroska or MPEG-TS by default, to a file, an address or a sink of bytes.
import { Codec, CodecContext, Dictionary, FormatContext, Frame, IOContext, Packet, Rational, SoftwareScaleContext, avGetPixFmtFromName } from 'node-av';
import {
  AVCOL_PRI_BT2020,
  AVCOL_PRI_BT709,
  AVCOL_PRI_SMPTE170M,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT709,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_TRC_BT709,
  AVFMT_FLAG_BITEXACT,
  AVFMT_FLAG_FLUSH_PACKETS,
  AVFMT_GLOBALHEADER,
  AVSEEK_CUR,
  AVSEEK_END,
  AVSEEK_SIZE,
  AV_CODEC_FLAG_BITEXACT,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PIX_FMT_NONE,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_RGBA,
  AV_PKT_DATA_DISPLAYMATRIX,
} from 'node-av/constants';
import type { FFEncoderCodec } from 'node-av/constants';
import { setTimeout as sleep } from 'node:timers/promises';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { MediaError, UserError } from '../core/errors.ts';
import { END_OF_FILE, TRY_AGAIN, checked, mediaErrorOf, redactAddress } from './media-ffmpeg.ts';
import { displayMatrixOf } from './media-rotation.ts';
import type { ByteSink } from './media-sink.ts';

/** Ticks a second of the written time stamps: divides by every common frame rate. */
const TICKS_PER_SEC = 90_000;
const IO_BUFFER_BYTES = 64 * 1024;

/** Where a video goes, its size and rate, and how it is coded. */
export interface VideoWriterOptions {
  /** A file, whose extension names the container, or an address (`udp://…`, `rtmp://…`). Either this or `sink`. */
  readonly path?: string;
  /** Takes the bytes of the container. Either this or `path`. */
  readonly sink?: ByteSink;
  /** FFmpeg's name of the container (`mp4`, `matroska`, `mpegts`, `hls`, …); default: by the extension of `path`, or `mp4`. */
  readonly format?: string;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly fps: number;
  /** Bytes of a pixel in `write`: `rgb` (3, default) or `rgba` (4, straight alpha). */
  readonly pixels?: 'rgb' | 'rgba';
  /** FFmpeg's name of the encoder; default `libx264`. */
  readonly codec?: string;
  /** FFmpeg's name of the coded pixel format; default `yuv420p`, or `yuv444p` where a side is odd. */
  readonly pixelFormat?: string;
  /** Constant rate factor of the encoder, 0 (lossless) to 51; default 20. Unused by encoders without one. */
  readonly crf?: number;
  /** Speed preset of x264 and x265; default `veryfast`. */
  readonly preset?: string;
  /** Frames from one key frame to the next; default 2 s. */
  readonly gopFrames?: number;
  /** B-frames between two others; default 0. */
  readonly bFrames?: number;
  /** Encoder threads; default 1. The bytes depend on the number, not on the machine. */
  readonly threads?: number;
  /** Matrix of the coded colours, written into the stream; default `bt709`. */
  readonly colorMatrix?: 'bt601' | 'bt709' | 'bt2020';
  /** Range of the coded colours, written into the stream; default `limited`. */
  readonly colorRange?: 'limited' | 'full';
  /** Clockwise turn that a player applies, written as the display matrix; default 0. */
  readonly rotationDeg?: 0 | 90 | 180 | 270;
  /** Further options of the encoder and of the container, by FFmpeg's names. */
  readonly codecOptions?: Readonly<Record<string, string | number>>;
  readonly formatOptions?: Readonly<Record<string, string | number>>;
  /** `realtime` holds each frame back until its time has come, as a live camera does; default `fast`. */
  readonly pace?: 'fast' | 'realtime';
}

/** A video that is being written; disposing of it without `close` gives the video up. */
export interface VideoWriter extends AsyncDisposable {
  readonly frameCount: number;
  /**
   * Adds a frame.
   * @param pixels uint8 [height, width, 3 or 4], rows from the top, no padding; read before the promise settles
   * @param timeSec time of the frame, above that of the frame before; default: frame number / fps
   */
  write(pixels: Uint8Array, timeSec?: number): Promise<void>;
  /** Writes what the encoder holds and the end of the container. Idempotent. */
  close(): Promise<void>;
}

const MATRICES = {
  bt601: { space: AVCOL_SPC_SMPTE170M, primaries: AVCOL_PRI_SMPTE170M },
  bt709: { space: AVCOL_SPC_BT709, primaries: AVCOL_PRI_BT709 },
  bt2020: { space: AVCOL_SPC_BT2020_NCL, primaries: AVCOL_PRI_BT2020 },
} as const;

/**
 * Opens a video for writing. The same frames and options give the same bytes on the same build of FFmpeg.
 * @throws {UserError} on options that cannot be
 * @throws {MediaError} where the file or address cannot be written, or the encoder refuses the format
 */
export async function openVideoWriter(options: VideoWriterOptions): Promise<VideoWriter> {
  const { widthPx, heightPx, fps, path, sink } = options;
  const where = path === undefined ? 'to a sink' : redactAddress(path);
  if ((path === undefined) === (sink === undefined)) throw new UserError('WRITER_TARGET', { what: 'cannot open a video writer', expected: 'either `path` or `sink`' });
  if (!(Number.isInteger(widthPx) && Number.isInteger(heightPx) && widthPx > 0 && heightPx > 0 && widthPx <= 16_384 && heightPx <= 16_384)) {
    throw new UserError('WRITER_SIZE', { what: `cannot write video ${where}`, got: `${widthPx}×${heightPx} pixels`, expected: 'whole numbers from 1 to 16384' });
  }
  if (!(fps > 0 && fps <= 1000)) throw new UserError('WRITER_FPS', { what: `cannot write video ${where}`, got: `${fps} frames a second`, expected: 'above 0, up to 1000' });

  const name = options.codec ?? 'libx264';
  const codec = Codec.findEncoderByName(name as FFEncoderCodec);
  if (codec === null) throw new UserError('WRITER_CODEC', { what: `cannot write video ${where}`, got: `unknown encoder "${name}"`, expected: "FFmpeg's name of an encoder, such as libx264" });
  const pixelFormatName = options.pixelFormat ?? (widthPx % 2 || heightPx % 2 ? 'yuv444p' : 'yuv420p');
  const pixelFormat = avGetPixFmtFromName(pixelFormatName);
  if (pixelFormat === AV_PIX_FMT_NONE) throw new UserError('WRITER_PIXEL_FORMAT', { what: `cannot write video ${where}`, got: `unknown pixel format "${pixelFormatName}"` });

  await using stack = new AsyncDisposableStack();
  const format = new FormatContext();
  stack.defer(() => format.freeContext());
  chooseContainer(format, options.format ?? (path === undefined ? 'mp4' : formatOfAddress(path)), path ?? null, where);
  format.setFlags(AVFMT_FLAG_BITEXACT, AVFMT_FLAG_FLUSH_PACKETS);

  const codedRgb = /rgb|bgr|gbr|pal8|gray|mono/.test(pixelFormatName);
  const matrix = MATRICES[options.colorMatrix ?? 'bt709'];
  const space = codedRgb ? AVCOL_SPC_RGB : matrix.space;
  const range = codedRgb || options.colorRange === 'full' ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  const encoder = new CodecContext();
  encoder.allocContext3(codec);
  stack.defer(() => encoder.freeContext());
  encoder.width = widthPx;
  encoder.height = heightPx;
  encoder.pixelFormat = pixelFormat;
  encoder.timeBase = new Rational(1, TICKS_PER_SEC);
  // MPEG-4 and MPEG-1/2 code the time base in few bits, so they count frames.
  const ticksPerSec = /^mpeg/.test(name) ? Math.round(fps) : TICKS_PER_SEC;
  if (ticksPerSec !== TICKS_PER_SEC) encoder.timeBase = new Rational(1, ticksPerSec);
  encoder.framerate = rationalOf(fps);
  encoder.gopSize = options.gopFrames ?? Math.max(1, Math.round(2 * fps));
  encoder.maxBFrames = options.bFrames ?? 0;
  encoder.threadCount = options.threads ?? 1;
  encoder.colorSpace = space;
  encoder.colorRange = range;
  encoder.colorPrimaries = codedRgb ? AVCOL_PRI_BT709 : matrix.primaries;
  encoder.colorTrc = AVCOL_TRC_BT709;
  encoder.setFlags(AV_CODEC_FLAG_BITEXACT);
  if (format.oformat?.hasFlags(AVFMT_GLOBALHEADER)) encoder.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
  const rate = /264|265/.test(name) ? { preset: options.preset ?? 'veryfast', crf: options.crf ?? 20 } : /vp[x89]|av1/.test(name) ? { crf: options.crf ?? 20, b: 0 } : {};
  using codecOptions = Dictionary.fromObject({ ...rate, ...options.codecOptions });
  checked(await encoder.open2(codec, codecOptions), `cannot encode ${widthPx}×${heightPx} ${pixelFormatName} with ${name}`);

  const stream = format.newStream();
  checked(stream.codecpar.fromContext(encoder), 'cannot describe the encoded stream');
  stream.timeBase = encoder.timeBase;
  stream.avgFrameRate = encoder.framerate;
  if (options.rotationDeg) checked(stream.codecpar.addCodedSideData(AV_PKT_DATA_DISPLAYMATRIX, displayMatrixOf(options.rotationDeg)), 'cannot write the rotation');

  let io: IOContext | undefined;
  if (sink === undefined) {
    checked(await format.openOutput(), `cannot write ${where}`);
    stack.defer(() => format.closeOutput());
  } else {
    io = ioOfSink(sink);
    format.pb = io;
    // Detached first: either context frees what it still holds.
    stack.defer(() => {
      format.pb = null;
      io!.freeContext();
    });
  }
  using formatOptions = Dictionary.fromObject({ ...options.formatOptions });
  checked(await format.writeHeader(formatOptions), `cannot write ${where}`);

  const pictures = stack.use(createPictures(options.pixels ?? 'rgb', widthPx, heightPx, pixelFormat, space, range));
  const packet = new Packet();
  packet.alloc();
  stack.defer(() => packet.free());
  const resources = stack.move();

  let frameCount = 0;
  let lastTicks = -1;
  let startedMs: number | undefined;
  let closed: Promise<void> | undefined;
  let failed: unknown;
  // Calls queue up, so that a caller who does not await keeps the order of frames.
  let tail: Promise<void> = Promise.resolve();

  async function drain(): Promise<void> {
    for (;;) {
      const code = await encoder.receivePacket(packet);
      if (code === TRY_AGAIN || code === END_OF_FILE) return;
      checked(code, `cannot encode a frame of ${where}`);
      packet.streamIndex = 0;
      packet.rescaleTs(encoder.timeBase, stream.timeBase);
      checked(await format.interleavedWriteFrame(packet), `cannot write ${where}`);
      packet.unref();
    }
  }

  async function encode(pixels: Uint8Array, timeSec: number): Promise<void> {
    const ticks = Math.round(timeSec * ticksPerSec);
    if (ticks <= lastTicks) throw new UserError('WRITER_TIME', { what: `cannot write frame ${frameCount} of ${where}`, got: `time ${timeSec} s`, expected: `above ${lastTicks / ticksPerSec} s` });
    if (options.pace === 'realtime') {
      startedMs ??= performance.now() - timeSec * 1000;
      const aheadMs = startedMs + timeSec * 1000 - performance.now();
      if (aheadMs > 1) await sleep(aheadMs);
    }
    const frame = await pictures.convert(pixels);
    frame.pts = BigInt(ticks);
    frame.duration = BigInt(Math.max(1, Math.round(ticksPerSec / fps)));
    checked(await encoder.sendFrame(frame), `cannot encode frame ${frameCount} of ${where}`);
    lastTicks = ticks;
    frameCount += 1;
    await drain();
  }

  async function finish(): Promise<void> {
    try {
      await tail;
      if (failed !== undefined) return;
      const code = await encoder.sendFrame(null);
      if (code < 0 && code !== END_OF_FILE) throw mediaErrorOf(code, `cannot finish ${where}`);
      await drain();
      checked(await format.writeTrailer(), `cannot finish ${where}`);
      await io?.flush();
    } finally {
      await resources.disposeAsync();
    }
  }

  return {
    get frameCount() {
      return frameCount;
    },
    write(pixels, timeSec) {
      if (closed) return Promise.reject(new UserError('WRITER_CLOSED', { what: `cannot write to ${where}`, got: 'a closed writer' }));
      const bytes = widthPx * heightPx * (options.pixels === 'rgba' ? 4 : 3);
      if (pixels.length !== bytes) {
        return Promise.reject(new UserError('WRITER_FRAME_SIZE', { what: `cannot write a frame to ${where}`, got: `${pixels.length} bytes`, expected: `${bytes} (${widthPx}×${heightPx} ${options.pixels ?? 'rgb'})` }));
      }
      const step = tail.then(() => {
        if (failed !== undefined) throw new MediaError('WRITER_FAILED', { what: `cannot write to ${where}`, got: 'an earlier failure', cause: failed });
        return encode(pixels, timeSec ?? frameCount / fps);
      });
      tail = step.catch((error: unknown) => {
        if (!(error instanceof UserError)) failed ??= error;
      });
      return step;
    },
    close: () => (closed ??= finish()),
    [Symbol.asyncDispose]: () => (closed ??= finish()),
  };
}

function chooseContainer(format: FormatContext, name: string | null, path: string | null, where: string): void {
  try {
    checked(format.allocOutputContext2(null, name, path), `cannot write video ${where}`);
  } catch (cause) {
    throw new UserError('WRITER_FORMAT', {
      what: `cannot write video ${where}`,
      got: name === null ? 'an extension that names no container' : `unknown container "${name}"`,
      expected: 'a path such as clip.mp4, clip.mkv or clip.ts, or `format`',
      cause,
    });
  }
}

/** Containers of addresses that have no extension. */
function formatOfAddress(path: string): string | null {
  if (/^(udp|srt|tcp|rtp):/i.test(path)) return 'mpegts';
  if (/^rtmps?:/i.test(path)) return 'flv';
  if (/^rtsps?:/i.test(path)) return 'rtsp';
  return null;
}

/** The fraction nearest to a frame rate, exact for 29.97 and its kin (n·1000/1001). */
function rationalOf(fps: number): Rational {
  for (const den of [1, 1001, 1000]) {
    const num = den === 1001 ? Math.round((fps * 1.001)) * 1000 : Math.round(fps * den);
    if (Math.abs(num / den - fps) < 1e-3 && num > 0) return new Rational(num, den);
  }
  return new Rational(Math.max(1, Math.round(fps * 100_000)), 100_000);
}

/** FFmpeg's byte writer over a sink; MP4 comes back to its header at the end, so seeking moves the position of the next bytes. */
function ioOfSink(sink: ByteSink): IOContext {
  let position = 0;
  let length = 0;
  const io = new IOContext();
  io.allocContextWithCallbacks(
    IO_BUFFER_BYTES,
    1,
    null,
    async (chunk) => {
      // FFmpeg reuses the memory behind the chunk.
      await sink.write(Uint8Array.from(chunk), position);
      position += chunk.length;
      length = Math.max(length, position);
      return chunk.length;
    },
    sink.seekable
      ? (offset, whence) => {
          if (whence === AVSEEK_SIZE) return BigInt(length);
          position = Number(offset) + (whence === AVSEEK_CUR ? position : whence === AVSEEK_END ? length : 0);
          return BigInt(position);
        }
      : null,
  );
  return io;
}

/** Turns packed pixels into frames of the coded format. */
function createPictures(pixels: 'rgb' | 'rgba', width: number, height: number, format: number, space: number, range: number): Disposable & { convert(packed: Uint8Array): Promise<Frame> } {
  const source = new Frame();
  source.alloc();
  Object.assign(source, { width, height, format: pixels === 'rgba' ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24, colorSpace: AVCOL_SPC_RGB, colorRange: AVCOL_RANGE_JPEG });
  checked(source.getBuffer(1), 'cannot allocate a picture');
  const target = new Frame();
  target.alloc();
  Object.assign(target, { width, height, format, colorSpace: space, colorRange: range });
  checked(target.getBuffer(), 'cannot allocate a picture');
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  checked(scaler.setOption('sws_flags', 'bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact'), 'cannot set up colour conversion');
  return {
    async convert(packed) {
      checked(source.makeWritable(), 'cannot allocate a picture');
      checked(source.fromBuffer(Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)), 'cannot copy a picture');
      // The encoder may still hold the last picture: then this makes a fresh one.
      checked(target.makeWritable(), 'cannot allocate a picture');
      checked(await scaler.scaleFrame(target, source), 'cannot convert colours');
      return target;
    },
    [Symbol.dispose]() {
      source.free();
      target.free();
      scaler.freeContext();
    },
  };
}
