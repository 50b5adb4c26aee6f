// From a frame's pixels to the encoder's patches, as the checkpoint's own processor prepares them.
import { UserError } from '../core/errors.ts';
import type { ImageSpec, VisionSpec } from '../models/contract.ts';
import { pixelKernels } from '../runtime/pixel-kernels.ts';
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
  /**
   * Patches of a picture that `resized` gave.
   * @throws UserError when the picture is smaller than the patches together
   */
  patchesOfResized(picture: Picture, target?: Float32Array): Float32Array;
  /**
   * Some patches of a picture that `resized` gave.
   * @param rows int32 [R]: numbers of the patches
   * @param target float32 [R, 3 · patch · patch]
   * @throws UserError when the picture is smaller than the patches together
   */
  patchesAt(picture: Picture, rows: Int32Array, target: Float32Array): void;
}

/** @param vision its patch size and grid; pixels beyond the last whole patch are not used, as with a convolution without padding */
export function createPreprocessor(image: ImageSpec, vision: Pick<VisionSpec, 'patchPx' | 'columns' | 'rows'>): Preprocessor {
  const { patchPx, columns, rows } = vision;
  const patchCount = rows * columns;
  const patchWidth = 3 * patchPx * patchPx;
  const resizer = createResizer(image.resample);
  // float32 [3, 256]: what each byte of each channel becomes.
  const tables = Float32Array.from({ length: 3 * 256 }, (_, i) => (Math.fround((i % 256) * image.rescale) - image.mean[i >> 8]!) / image.std[i >> 8]!);
  const allPatches = Int32Array.from({ length: patchCount }, (_, patch) => patch);
  let own: Float32Array | undefined;

  const resized = (frame: Picture): Picture => {
    const { rgb, widthPx, heightPx } = frame;
    if (!(widthPx >= 1 && heightPx >= 1) || rgb.length !== widthPx * heightPx * 3) {
      throw new UserError('PICTURE_INVALID', { what: 'the picture cannot be used', got: `${rgb.length} bytes for ${widthPx} × ${heightPx}`, expected: 'width · height · 3 bytes, at least one pixel' });
    }
    const { resize } = image;
    switch (resize.kind) {
      case 'square':
        return resizer.resize(frame, image.widthPx, image.heightPx);
      case 'longest-edge-then-square':
        return resizer.resizeThrough(frame, [edgeSize(widthPx, heightPx, resize.longestEdgePx), image]);
      default:
        return resize satisfies never;
    }
  };

  /** Neighbours in a row of patches are converted together. */
  const convert = ({ rgb, widthPx, heightPx }: Picture, chosen: Int32Array, out: Float32Array): void => {
    const stride = widthPx * 3;
    if (widthPx < columns * patchPx || rgb.length < rows * patchPx * stride) {
      throw new UserError('PICTURE_INVALID', { what: 'the picture does not hold the patches', got: `${widthPx} × ${heightPx}`, expected: `at least ${columns * patchPx} × ${rows * patchPx}` });
    }
    const target = tables.byteLength;
    const source = target + columns * patchWidth * 4;
    const kernels = pixelKernels(source + patchPx * stride);
    if (kernels.user !== tables) {
      kernels.bytes.set(new Uint8Array(tables.buffer), 0);
      kernels.user = tables;
    }
    const made = new Float32Array(kernels.bytes.buffer, target, columns * patchWidth);
    let band = -1;
    for (let at = 0; at < chosen.length; ) {
      const first = chosen[at]!;
      const row = Math.floor(first / columns);
      let end = at + 1;
      while (end < chosen.length && chosen[end] === chosen[end - 1]! + 1 && chosen[end]! < (row + 1) * columns) end++;
      if (row !== band) kernels.bytes.set(rgb.subarray(row * patchPx * stride, (row + 1) * patchPx * stride), source);
      band = row;
      kernels.patches(source + (first - row * columns) * patchPx * 3, stride, patchPx, end - at, 0, target);
      out.set(made.subarray(0, (end - at) * patchWidth), at * patchWidth);
      at = end;
    }
  };

  const patchesOfResized = (picture: Picture, buffer?: Float32Array): Float32Array => {
    const out = buffer ?? (own ??= new Float32Array(patchCount * patchWidth));
    if (out.length !== patchCount * patchWidth) {
      throw new UserError('BUFFER_MISSHAPEN', { what: 'the buffer for patches does not fit', got: `${out.length} values`, expected: `${patchCount} × ${patchWidth}` });
    }
    convert(picture, allPatches, out);
    return out;
  };

  return { patchCount, patchWidth, patches: (frame, target) => patchesOfResized(resized(frame), target), resized, patchesOfResized, patchesAt: convert };
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
