// Converts decoded pictures of any pixel format to upright RGB, in FFmpeg's threads.
import { Filter, FilterGraph, Frame, SoftwareScaleContext, avGetPixFmtName } from 'node-av';
import type { FilterContext } from 'node-av';
import {
  AVALPHA_MODE_PREMULTIPLIED,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_UNSPECIFIED,
  AV_BUFFERSRC_FLAG_PUSH,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_RGBA,
} from 'node-av/constants';
import type { AVPixelFormat } from 'node-av/constants';
import { MediaError } from '../core/errors.ts';
import { checked } from './media-ffmpeg.ts';
import type { PictureGeometry } from './media-motion.ts';
import type { Orientation } from './media-rotation.ts';

/** Limits of the pictures that come out; larger ones are scaled down, keeping their shape. */
export interface PictureLimits {
  readonly maxPixels: number;
  readonly maxSidePx: number;
}

/** uint8 [height, width, 3], rows from the top, no padding. */
export interface RgbPicture {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8Array<ArrayBuffer>;
}

// Without these flags libswscale reads chroma of the nearest pixel and truncates: 2 to 3 levels off on flat colours; with them at most 0.5.
const EXACT = 'accurate_rnd+full_chroma_int+full_chroma_inp';
const WITH_ALPHA = /^(yuva|uyva|vuya$|ayuv|rgba|bgra|argb|abgr|gbrap|ya8|ya16|yaf|pal8)/;
const CODED_AS_RGB = /^(0?rgb|0?bgr|gbr|argb|abgr|rgba|bgra|pal8|mono|gray|ya8|ya16|yaf|x2rgb|x2bgr|xyz|bayer)/;

/** The size a picture is scaled to, at least 1×1. */
export function scaledSizeOf(widthPx: number, heightPx: number, limits: PictureLimits): { readonly widthPx: number; readonly heightPx: number } {
  const ratio = Math.min(1, limits.maxSidePx / Math.max(widthPx, heightPx), Math.sqrt(limits.maxPixels / (widthPx * heightPx)));
  if (ratio === 1) return { widthPx, heightPx };
  return { widthPx: Math.max(1, Math.floor(widthPx * ratio)), heightPx: Math.max(1, Math.floor(heightPx * ratio)) };
}

export function geometryOf(widthPx: number, heightPx: number, orientation: Orientation, limits: PictureLimits): PictureGeometry {
  const scaled = scaledSizeOf(widthPx, heightPx, limits);
  return { codedWidthPx: widthPx, codedHeightPx: heightPx, scaledWidthPx: scaled.widthPx, scaledHeightPx: scaled.heightPx, orientation };
}

/** Owns the native scalers and filters of one stream; sizes and formats may change from picture to picture. */
export interface PictureConverter extends Disposable {
  convert(picture: Frame, geometry: PictureGeometry): Promise<RgbPicture>;
}

export function createPictureConverter(): PictureConverter {
  const bilinear = createScaler(`bilinear+${EXACT}`);
  const bicubic = createScaler(`bicubic+${EXACT}`);
  const blender = createScaler(`bicubic+${EXACT}`, { alphablend: 'uniform_color' });
  const turners = new Map<string, Turner>();

  async function toRgb(picture: Frame, widthPx: number, heightPx: number): Promise<Frame> {
    const name = avGetPixFmtName(picture.format as AVPixelFormat) ?? '';
    resolveColours(picture, name);
    // Downscaling needs a filter as wide as the step; upsampling of chroma alone does not.
    const scaler = widthPx === picture.width && heightPx === picture.height ? bilinear : bicubic;
    if (!WITH_ALPHA.test(name) || picture.alphaMode === AVALPHA_MODE_PREMULTIPLIED) return scale(scaler, picture, widthPx, heightPx, AV_PIX_FMT_RGB24);
    // Blending in limited-range YUV goes below black, so colours come first.
    if (name === 'rgba') return scale(blender, picture, widthPx, heightPx, AV_PIX_FMT_RGB24);
    const straight = await scale(bilinear, picture, picture.width, picture.height, AV_PIX_FMT_RGBA);
    try {
      return await scale(blender, straight, widthPx, heightPx, AV_PIX_FMT_RGB24);
    } finally {
      straight.free();
    }
  }

  return {
    async convert(picture, { scaledWidthPx, scaledHeightPx, orientation }) {
      let upright = await toRgb(picture, scaledWidthPx, scaledHeightPx);
      try {
        const filter = turnFilterOf(orientation);
        if (filter !== undefined) {
          const key = `${scaledWidthPx}x${scaledHeightPx} ${filter}`;
          let turner = turners.get(key);
          if (turner === undefined) {
            for (const old of turners.values()) old.free();
            turners.clear();
            turner = await createTurner(filter, scaledWidthPx, scaledHeightPx);
            turners.set(key, turner);
          }
          const turned = await turner.turn(upright);
          upright.free();
          upright = turned;
        }
        const { width, height } = upright;
        const bytes = upright.toBuffer();
        if (bytes.length !== width * height * 3) throw new MediaError('MEDIA_CONVERSION', { what: 'cannot copy a picture', got: `${bytes.length} bytes`, expected: `${width * height * 3}` });
        return { widthPx: width, heightPx: height, rgb: new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length) };
      } finally {
        upright.free();
      }
    },
    [Symbol.dispose]() {
      for (const scaler of [bilinear, bicubic, blender]) scaler.freeContext();
      for (const turner of turners.values()) turner.free();
      turners.clear();
    },
  };
}

/** Streams that do not say their matrix mean what players take it for: BT.709 for high definition, BT.601 below. */
function resolveColours(picture: Frame, formatName: string): void {
  if (CODED_AS_RGB.test(formatName) || picture.colorSpace === AVCOL_SPC_RGB || picture.colorSpace !== AVCOL_SPC_UNSPECIFIED) return;
  picture.colorSpace = picture.width >= 1280 || picture.height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
}

function createScaler(flags: string, options: Readonly<Record<string, string>> = {}): SoftwareScaleContext {
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  for (const [name, value] of Object.entries({ sws_flags: flags, ...options })) checked(scaler.setOption(name, value), 'cannot set up colour conversion');
  return scaler;
}

async function scale(scaler: SoftwareScaleContext, source: Frame, width: number, height: number, format: AVPixelFormat): Promise<Frame> {
  const target = new Frame();
  target.alloc();
  try {
    // Same primaries and transfer as the source: libswscale would otherwise map gamuts through tables that take seconds to make. Decoders that
    // models were trained with do not map either.
    const { colorPrimaries, colorTrc } = source;
    Object.assign(target, { width, height, format, colorSpace: AVCOL_SPC_RGB, colorRange: AVCOL_RANGE_JPEG, colorPrimaries, colorTrc });
    checked(target.getBuffer(), 'cannot allocate a picture');
    checked(await scaler.scaleFrame(target, source), 'cannot convert a picture to RGB');
    return target;
  } catch (error) {
    target.free();
    throw error;
  }
}

/** The libavfilter chain for an orientation; undefined where there is nothing to do. */
function turnFilterOf({ rotationDeg, mirrored }: Orientation): string | undefined {
  const chain = [...(mirrored ? ['hflip'] : []), ...{ 0: [], 90: ['transpose=dir=clock'], 180: ['hflip', 'vflip'], 270: ['transpose=dir=cclock'] }[rotationDeg]];
  return chain.length === 0 ? undefined : chain.join(',');
}

interface Turner {
  turn(picture: Frame): Promise<Frame>;
  free(): void;
}

async function createTurner(filters: string, width: number, height: number): Promise<Turner> {
  const graph = new FilterGraph();
  graph.alloc();
  const make = (filter: string, name: string, args: string | null): FilterContext => {
    const found = Filter.getByName(filter);
    const context = found === null ? null : graph.createFilter(found, name, args);
    if (context === null) throw new MediaError('MEDIA_CONVERSION', { what: `cannot set up the filter "${filter}"` });
    return context;
  };
  try {
    const source = make('buffer', 'in', `video_size=${width}x${height}:pix_fmt=rgb24:time_base=1/1:pixel_aspect=1/1:colorspace=gbr:range=pc`);
    let last = source;
    for (const [index, step] of filters.split(',').entries()) {
      const [name = '', args = null] = step.split(/=(.*)/s);
      const next = make(name, `f${index}`, args);
      checked(last.link(0, next, 0), 'cannot link filters');
      last = next;
    }
    const sink = make('buffersink', 'out', null);
    checked(last.link(0, sink, 0), 'cannot link filters');
    checked(await graph.config(), 'cannot set up the rotation');
    return {
      async turn(picture) {
        checked(await source.buffersrcAddFrame(picture, AV_BUFFERSRC_FLAG_PUSH), 'cannot turn a picture');
        const turned = new Frame();
        turned.alloc();
        const code = await sink.buffersinkGetFrame(turned);
        if (code < 0) turned.free();
        checked(code, 'cannot turn a picture');
        return turned;
      },
      free: () => graph.free(),
    };
  } catch (error) {
    graph.free();
    throw error;
  }
}
