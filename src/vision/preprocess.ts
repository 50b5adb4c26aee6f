// From a frame's pixels to the encoder's patches, as the checkpoint's own processor prepares them.
import { UserError } from '../core/errors.ts';
import type { ImageSpec, VisionSpec } from '../models/contract.ts';
import { createResizer } from './resample.ts';
import type { Picture } from './resample.ts';

/** Prepares frames for one encoder. Tables and buffers are kept between frames. */
export interface Preprocessor {
  /** P = rows · columns. */
  readonly patchCount: number;
  /** 3 · patch · patch. */
  readonly patchWidth: number;
  /**
   * @param target float32 [P, 3 · patch · patch] to write to; without it the result is overwritten by the next call
   * @returns float32 [P, 3 · patch · patch]: patches in rows from the top, each in the order of the patch convolution's weights (channel, row, column)
   * @throws UserError when the picture is empty or its pixels do not fit its size
   */
  patches(frame: Picture, target?: Float32Array): Float32Array;
  /** The resized picture alone, before it is rescaled: uint8 [height, width, 3] of `image.heightPx` × `image.widthPx`. Overwritten by the next call. */
  resized(frame: Picture): Picture;
  /** Patches of a picture that `resized` gave. */
  patchesOfResized(picture: Picture, target?: Float32Array): Float32Array;
}

/** @param vision its patch size and grid; pixels beyond the last whole patch are not used, as with a convolution without padding */
export function createPreprocessor(image: ImageSpec, vision: Pick<VisionSpec, 'patchPx' | 'columns' | 'rows'>): Preprocessor {
  const { patchPx, columns, rows } = vision;
  const patchCount = rows * columns;
  const patchWidth = 3 * patchPx * patchPx;
  const toEdge = createResizer(image.resample);
  const toSquare = createResizer(image.resample);
  const tables = [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, value) => (Math.fround(value * image.rescale) - image.mean[channel]!) / image.std[channel]!)) as [Float32Array, Float32Array, Float32Array];
  let own: Float32Array | undefined;

  const resized = (frame: Picture): Picture => {
    const { rgb, widthPx, heightPx } = frame;
    if (!(widthPx >= 1 && heightPx >= 1) || rgb.length !== widthPx * heightPx * 3) {
      throw new UserError('PICTURE_INVALID', { what: 'the picture cannot be used', got: `${rgb.length} bytes for ${widthPx} × ${heightPx}`, expected: 'width · height · 3 bytes, at least one pixel' });
    }
    const { resize } = image;
    switch (resize.kind) {
      case 'square':
        return toSquare.resize(frame, image.widthPx, image.heightPx);
      case 'longest-edge-then-square': {
        const edge = edgeSize(widthPx, heightPx, resize.longestEdgePx);
        return toSquare.resize(toEdge.resize(frame, edge.widthPx, edge.heightPx), image.widthPx, image.heightPx);
      }
      default:
        return resize satisfies never;
    }
  };

  const patchesOfResized = (picture: Picture, target?: Float32Array): Float32Array => {
    const out = target ?? (own ??= new Float32Array(patchCount * patchWidth));
    if (out.length !== patchCount * patchWidth) {
      throw new UserError('BUFFER_MISSHAPEN', { what: 'the buffer for patches does not fit', got: `${out.length} values`, expected: `${patchCount} × ${patchWidth}` });
    }
    const { rgb, widthPx } = picture;
    const [red, green, blue] = tables;
    const plane = patchPx * patchPx;
    for (let row = 0; row < rows; row++) {
      for (let inner = 0; inner < patchPx; inner++) {
        let from = (row * patchPx + inner) * widthPx * 3;
        for (let column = 0; column < columns; column++) {
          let to = (row * columns + column) * patchWidth + inner * patchPx;
          for (let x = 0; x < patchPx; x++) {
            out[to] = red[rgb[from]!]!;
            out[to + plane] = green[rgb[from + 1]!]!;
            out[to + 2 * plane] = blue[rgb[from + 2]!]!;
            from += 3;
            to++;
          }
        }
      }
    }
    return out;
  };

  return { patchCount, patchWidth, patches: (frame, target) => patchesOfResized(resized(frame), target), resized, patchesOfResized };
}

/**
 * The size with the longer edge at `longestEdgePx` and the other in proportion, made even, as Idefics3 and SmolVLM compute it
 * (`get_resize_output_image_size` of Transformers).
 */
export function edgeSize(widthPx: number, heightPx: number, longestEdgePx: number): { readonly widthPx: number; readonly heightPx: number } {
  const aspect = widthPx / heightPx;
  const even = (px: number) => Math.max(1, px + (px % 2));
  return widthPx >= heightPx
    ? { widthPx: longestEdgePx, heightPx: even(Math.trunc(longestEdgePx / aspect)) }
    : { widthPx: even(Math.trunc(longestEdgePx * aspect)), heightPx: longestEdgePx };
}
