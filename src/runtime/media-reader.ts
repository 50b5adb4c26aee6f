// Reads the pictures of a video: decodes every one, turns into RGB only those that the caller asks for, and says which were damaged.
import { Codec, CodecContext, Dictionary, Packet, avGetCodecName, avGetPixFmtName } from 'node-av';
import type { Frame, Stream } from 'node-av';
import {
  AV_CODEC_ID_APNG,
  AV_CODEC_ID_DNXHD,
  AV_CODEC_ID_FFV1,
  AV_CODEC_ID_JPEG2000,
  AV_CODEC_ID_MJPEG,
  AV_CODEC_ID_NONE,
  AV_CODEC_ID_PNG,
  AV_CODEC_ID_PRORES,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  AV_FRAME_DATA_DISPLAYMATRIX,
  AV_FRAME_DATA_MOTION_VECTORS,
  AV_FRAME_FLAG_CORRUPT,
  AV_NOPTS_VALUE,
  AV_PICTURE_TYPE_B,
  AV_PICTURE_TYPE_BI,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_P,
  AV_PICTURE_TYPE_S,
  AV_PICTURE_TYPE_SI,
  AV_PICTURE_TYPE_SP,
  AV_PKT_DATA_DISPLAYMATRIX,
  AV_PKT_FLAG_CORRUPT,
  FF_DECODER_LIBVPX_VP8,
  FF_DECODER_LIBVPX_VP9,
} from 'node-av/constants';
import type { AVPixelFormat } from 'node-av/constants';
import { constants } from 'node:os';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { MediaError, messageOf } from '../core/errors.ts';
import type { MotionVectors, PictureType } from '../core/frame.ts';
import { createPictureConverter, geometryOf } from './media-convert.ts';
import type { PictureLimits, RgbPicture } from './media-convert.ts';
import { createDamageTracker } from './media-damage.ts';
import type { CodedPicture } from './media-damage.ts';
import { END_OF_FILE, INVALID_DATA, TRY_AGAIN, checked, mediaErrorOf } from './media-ffmpeg.ts';
import { createFramePool } from './media-frame-pool.ts';
import { openPacketInput } from './media-input.ts';
import type { MediaInput, PacketInputOptions } from './media-input.ts';
import { motionVectorsOf } from './media-motion.ts';
import { orientationOf } from './media-rotation.ts';
import type { Orientation } from './media-rotation.ts';

/** Larger pictures are refused by the decoder, before it takes memory for them; FFmpeg itself stops at about 16384×16250. */
const MAX_CODED_PIXELS = 16_384 * 16_384;
/**
 * Decoders of the MPEG family conceal errors and flag the picture. Those of still pictures pass broken ones as whole unless they are told to
 * refuse (`explode`), which in turn would cost H.264 an innocent picture in reorder for each refusal.
 */
const LENIENT = 'crccheck+bitstream+buffer';
const STRICT = 'crccheck+bitstream+buffer+explode';
const STRICT_CODECS: ReadonlySet<number> = new Set([AV_CODEC_ID_MJPEG, AV_CODEC_ID_PNG, AV_CODEC_ID_APNG, AV_CODEC_ID_JPEG2000, AV_CODEC_ID_PRORES, AV_CODEC_ID_DNXHD, AV_CODEC_ID_FFV1]);
/** Pictures held back at most until those that they were predicted from have come out, flagged or not: the deepest reorder of H.264 and HEVC. */
const MAX_HELD = 16;
/** Packets whose sizes are remembered until their pictures come out. */
const MAX_CODED = 64;
/** A picture earlier than the one before it, by less than this, is out of order. */
const MAX_DISORDER_SEC = 0.5;
/** Refusals in a row after which the stream is taken to bend the standard (cameras write odd headers), and decoding turns lenient. */
const MAX_STRICT_REFUSALS = 12;
/** Reads that fail in a row before a damaged file is taken to have ended. */
const MAX_READ_FAILURES = 64;

export interface MediaReaderOptions extends PacketInputOptions, PictureLimits {
  /** Decoder threads; 1 keeps live delay and memory lowest. */
  readonly threads: number;
  /** Whether to export the codec's motion vectors. */
  readonly motionVectors: boolean;
  /** Hand out damaged pictures too (`keep`), or leave them out until the next whole key frame (`drop`). */
  readonly damagedPictures: 'drop' | 'keep';
  readonly onDamage?: (damage: Damage) => void;
}

/** Pictures lost to damage. */
export interface Damage {
  readonly pictureCount: number;
  /** Time in the container where it is known. */
  readonly timeSec: number | undefined;
  readonly reason: string;
}

export interface MediaInfo {
  readonly container: string;
  readonly codec: string;
  readonly pixelFormat: string;
  /** Size of the first picture as handed out: upright and within the limits. */
  readonly widthPx: number;
  readonly heightPx: number;
  /** Size as coded. */
  readonly codedWidthPx: number;
  readonly codedHeightPx: number;
  readonly orientation: Orientation;
  readonly averageFps: number | undefined;
  readonly durationSec: number | undefined;
  /** Length of the video stream itself, where the container states it. */
  readonly streamDurationSec: number | undefined;
  readonly startSec: number | undefined;
}

/** A decoded picture. Valid until the next call of `read`. */
export interface DecodedPicture {
  /** Time in the container, in seconds; undefined where the container has none. */
  readonly timeSec: number | undefined;
  readonly durationSec: number | undefined;
  readonly pictureType: PictureType;
  /** Bytes of the coded picture; undefined where its packet cannot be told. */
  readonly codedBytes: number | undefined;
  toRgb(): Promise<RgbPicture>;
  motion(): MotionVectors | undefined;
}

export interface MediaReaderStats {
  readonly decodedCount: number;
  readonly damagedCount: number;
  /** Wall time spent waiting for packets, in the decoder, and in conversion to RGB. */
  readonly readMs: number;
  readonly decodeMs: number;
  readonly convertMs: number;
}

export interface MediaReader extends AsyncDisposable {
  readonly info: MediaInfo;
  stats(): MediaReaderStats;
  /** The next whole picture in the order of display; undefined at the end. One call at a time. */
  read(): Promise<DecodedPicture | undefined>;
  /** Moves to the key frame at or before a time of the container; false where the source cannot. */
  seek(timeSec: number): Promise<boolean>;
}

/**
 * Opens a source and decodes its first picture, so that what cannot be watched fails here.
 * @throws {MediaError} with a code that says why, {UserError} on an unknown format, or the signal's reason
 */
export async function openMediaReader(input: MediaInput, options: MediaReaderOptions): Promise<MediaReader> {
  await using stack = new AsyncDisposableStack();
  const packets = stack.use(await openPacketInput(input, options));
  const { stream, name } = packets;
  const decoder = await openDecoder(stream, options, name);
  stack.defer(() => decoder.freeContext());
  const converter = stack.use(createPictureConverter());
  const packet = new Packet();
  packet.alloc();
  stack.defer(() => packet.free());
  const frames = stack.use(createFramePool());
  /** In the order of display; the first is handed out next. */
  const held: { readonly frame: Frame; readonly coded: CodedPicture }[] = [];

  const streamOrientation = orientationOf(stream.codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX));
  const unitSec = stream.timeBase.num / stream.timeBase.den;
  const secondsOf = (ticks: bigint) => (ticks === AV_NOPTS_VALUE ? undefined : Number(ticks) * unitSec);
  const damage = createDamageTracker();
  /** Bytes of packets whose pictures have not come out yet, by time. */
  const codedBytes = new Map<bigint, number>();
  const stats = { decodedCount: 0, damagedCount: 0, readMs: 0, decodeMs: 0, convertMs: 0 };
  const keepAll = options.damagedPictures === 'keep';
  let state: 'reading' | 'draining' | 'ended' = 'reading';
  let readFailures = 0;
  let refusals = 0;
  let lastFailure: unknown;
  let lastTimeSec: number | undefined;

  function reportDamage(pictureCount: number, timeSec: number | undefined, reason: string): void {
    stats.damagedCount += pictureCount;
    options.onDamage?.({ pictureCount, timeSec, reason });
  }

  /** Feeds the decoder one packet; marks what it cannot take. */
  async function feed(): Promise<void> {
    const startMs = performance.now();
    let more = false;
    try {
      more = await packets.read(packet);
      readFailures = 0;
    } catch (error) {
      if (!(error instanceof MediaError) || error.code !== 'MEDIA_NOT_VIDEO') throw error;
      lastFailure = error;
      // Most demuxers find their way after a broken stretch; what it held is lost.
      damage.gap();
      if (++readFailures < MAX_READ_FAILURES) return;
      reportDamage(0, undefined, 'the rest cannot be read');
    } finally {
      stats.readMs += performance.now() - startMs;
    }
    const sentMs = performance.now();
    if (!more) {
      state = 'draining';
      await decoder.sendPacket(null);
    } else {
      const coded = damage.packet(packet.pts, packet.isKeyframe);
      codedBytes.set(packet.pts, packet.size);
      // Of pictures that never come out, a few are remembered in vain.
      if (codedBytes.size > MAX_CODED) codedBytes.delete(codedBytes.keys().next().value!);
      const cut = packet.hasFlags(AV_PKT_FLAG_CORRUPT);
      const code = cut ? INVALID_DATA : await decoder.sendPacket(packet);
      if (code === -constants.errno.ENOMEM) throw mediaErrorOf(code, `cannot decode ${name}`);
      if (code >= 0 || code === END_OF_FILE) refusals = 0;
      else {
        lastFailure = mediaErrorOf(code, `cannot decode a picture of ${name}`);
        damage.refused(coded);
        reportDamage(1, secondsOf(packet.pts), cut ? 'a packet cut or garbled' : 'a picture that cannot be decoded');
        if (!cut && ++refusals === MAX_STRICT_REFUSALS) checked(decoder.setOption('err_detect', LENIENT), `cannot decode ${name}`);
      }
    }
    stats.decodeMs += performance.now() - sentMs;
  }

  /** Takes one picture from the decoder, whole or not; false when it wants a packet or has no more. */
  async function receive(): Promise<boolean> {
    const startMs = performance.now();
    const frame = frames.take();
    const code = await decoder.receiveFrame(frame);
    stats.decodeMs += performance.now() - startMs;
    if (code >= 0) {
      stats.decodedCount += 1;
      const broken = frame.decodeErrorFlags !== 0 || frame.hasFlags(AV_FRAME_FLAG_CORRUPT);
      held.push({ frame, coded: damage.picture(frame.pts, broken) });
      return true;
    }
    frames.give(frame);
    if (code === END_OF_FILE) state = 'ended';
    else if (code === -constants.errno.ENOMEM) throw mediaErrorOf(code, `cannot decode ${name}`);
    else if (code !== TRY_AGAIN) {
      lastFailure = mediaErrorOf(code, `cannot decode a picture of ${name}`);
      damage.gap();
      reportDamage(1, undefined, 'a picture that cannot be decoded');
    }
    return false;
  }

  async function next(): Promise<Frame | undefined> {
    for (;;) {
      const head = held[0];
      if (head !== undefined && (keepAll || state === 'ended' || held.length > MAX_HELD || damage.isSettled(head.coded))) {
        held.shift();
        damage.settle(head.coded);
        const timeSec = secondsOf(head.frame.bestEffortTimestamp);
        // A garbled picture number sends a picture out of order; a larger step back is a clock that started again.
        const backSec = lastTimeSec === undefined || timeSec === undefined ? 0 : lastTimeSec - timeSec;
        const disordered = backSec > 0 && backSec < MAX_DISORDER_SEC;
        if (!disordered) lastTimeSec = timeSec;
        if ((damage.isWhole(head.coded) && !disordered) || keepAll) return head.frame;
        reportDamage(1, timeSec, disordered ? 'a picture out of order' : 'a damaged picture, or one predicted from it');
        frames.give(head.frame);
      } else if (state === 'ended') {
        return undefined;
      } else if (!(await receive()) && state === 'reading') {
        await feed();
      }
    }
  }

  function pictureOf(frame: Frame): DecodedPicture {
    const orientation = ownOrientationOf(frame) ?? streamOrientation;
    const geometry = geometryOf(frame.width, frame.height, orientation, options);
    const bytes = codedBytes.get(frame.pts);
    codedBytes.delete(frame.pts);
    return {
      codedBytes: bytes,
      timeSec: secondsOf(frame.bestEffortTimestamp),
      durationSec: frame.duration > 0n ? Number(frame.duration) * unitSec : undefined,
      pictureType: PICTURE_TYPES.get(frame.pictType) ?? 'unknown',
      async toRgb() {
        const startMs = performance.now();
        const picture = await converter.convert(frame, geometry);
        stats.convertMs += performance.now() - startMs;
        return picture;
      },
      motion() {
        const sideData = frame.getSideData(AV_FRAME_DATA_MOTION_VECTORS);
        return sideData === null ? undefined : motionVectorsOf(sideData, geometry);
      },
    };
  }

  // The first picture is decoded here and handed out by the first `read`.
  let first = await next();
  if (first === undefined) {
    throw noPictureError(name, stream, lastFailure);
  }
  const orientation = ownOrientationOf(first) ?? streamOrientation;
  const geometry = geometryOf(first.width, first.height, orientation, options);
  const turned = orientation.rotationDeg === 90 || orientation.rotationDeg === 270;
  const rate = stream.avgFrameRate;
  const info: MediaInfo = {
    container: packets.container,
    codec: avGetCodecName(stream.codecpar.codecId) ?? 'unknown',
    pixelFormat: avGetPixFmtName(first.format as AVPixelFormat) ?? 'unknown',
    widthPx: turned ? geometry.scaledHeightPx : geometry.scaledWidthPx,
    heightPx: turned ? geometry.scaledWidthPx : geometry.scaledHeightPx,
    codedWidthPx: first.width,
    codedHeightPx: first.height,
    orientation,
    averageFps: rate.num > 0 && rate.den > 0 ? rate.num / rate.den : undefined,
    durationSec: packets.durationSec,
    streamDurationSec: packets.streamDurationSec,
    startSec: packets.startSec,
  };
  const resources = stack.move();
  let current: Frame | undefined;

  return {
    info,
    stats: () => ({ ...stats }),
    async read() {
      const frame = first ?? (await next());
      first = undefined;
      if (current !== undefined) frames.give(current);
      current = frame;
      return frame === undefined ? undefined : pictureOf(frame);
    },
    async seek(timeSec) {
      if (!(await packets.seek(timeSec))) return false;
      decoder.flushBuffers();
      damage.reset();
      lastTimeSec = undefined;
      for (const { frame } of held.splice(0)) frames.give(frame);
      first = undefined;
      state = 'reading';
      return true;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function noPictureError(name: string, { codecpar }: Stream, cause: unknown): MediaError {
  const { width, height } = codecpar;
  // FFmpeg drops sizes it does not take before anyone sees them, so an unknown size may be one of those.
  const size = width * height === 0 ? ' of unknown size, or larger than 16384×16000,' : width * height > MAX_CODED_PIXELS * 0.97 ? ` of ${width}×${height}, larger than 16384×16000,` : '';
  return new MediaError('MEDIA_NOT_VIDEO', {
    what: `cannot open ${name}`,
    got: `no whole picture in its ${avGetCodecName(codecpar.codecId) ?? 'video'} stream${size}${cause === undefined ? '' : ` (${messageOf(cause)})`}`,
    todo: 'check that the file is a video and is whole',
    ...(cause === undefined ? {} : { cause }),
  });
}

const PICTURE_TYPES: ReadonlyMap<number, PictureType> = new Map<number, PictureType>([
  [AV_PICTURE_TYPE_I, 'I'],
  [AV_PICTURE_TYPE_SI, 'I'],
  [AV_PICTURE_TYPE_P, 'P'],
  [AV_PICTURE_TYPE_SP, 'P'],
  [AV_PICTURE_TYPE_S, 'P'],
  [AV_PICTURE_TYPE_B, 'B'],
  [AV_PICTURE_TYPE_BI, 'B'],
]);

/** A picture may turn by itself: EXIF in a JPEG, or a camera that was tilted. */
function ownOrientationOf(frame: Frame): Orientation | undefined {
  const matrix = frame.getSideData(AV_FRAME_DATA_DISPLAYMATRIX);
  return matrix === null ? undefined : orientationOf(matrix);
}

async function openDecoder(stream: Stream, options: MediaReaderOptions, name: string): Promise<CodecContext> {
  const { codecId } = stream.codecpar;
  // FFmpeg's own VP8 and VP9 decoders leave alpha out; libvpx reads it.
  const withAlpha = stream.metadata?.get('alpha_mode') === '1';
  const tag = stream.codecpar.codecTagString ?? '';
  if (codecId === AV_CODEC_ID_NONE && /^(\[0\])*$/.test(tag)) {
    throw new MediaError('MEDIA_NOT_VIDEO', { what: `cannot open ${name}`, got: 'a video stream that names no codec', todo: 'check that the file is whole: its header seems cut' });
  }
  const codec =
    (withAlpha && codecId === AV_CODEC_ID_VP8 && Codec.findDecoderByName(FF_DECODER_LIBVPX_VP8)) ||
    (withAlpha && codecId === AV_CODEC_ID_VP9 && Codec.findDecoderByName(FF_DECODER_LIBVPX_VP9)) ||
    Codec.findDecoder(codecId);
  if (codec === null) {
    throw new MediaError('MEDIA_UNSUPPORTED_CODEC', {
      what: `cannot decode ${name}`,
      got: `codec "${codecId === AV_CODEC_ID_NONE ? tag : avGetCodecName(codecId)}", for which there is no decoder`,
      expected: 'H.264, HEVC, VP9, AV1 or another common codec',
      todo: 'convert the video, for example to H.264',
    });
  }
  const decoder = new CodecContext();
  decoder.allocContext3(codec);
  try {
    checked(decoder.parametersToContext(stream.codecpar), `cannot decode ${name}`);
    decoder.pktTimebase = stream.timeBase;
    using dictionary = Dictionary.fromObject({
      threads: options.threads,
      err_detect: STRICT_CODECS.has(codecId) ? STRICT : LENIENT,
      max_pixels: MAX_CODED_PIXELS,
      ...(options.motionVectors ? { flags2: '+export_mvs' } : {}),
    });
    checked(await decoder.open2(codec, dictionary), `cannot decode ${name}`);
    return decoder;
  } catch (error) {
    decoder.freeContext();
    throw error;
  }
}
