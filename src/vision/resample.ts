// Resizes 8-bit RGB pictures exactly as Pillow does: fixed-point separable filters, across first, then down.
import { pixelKernels } from '../runtime/pixel-kernels.ts';
import { createPipeline, type Pipeline } from './resample-pipeline.ts';
import type { ResampleFilter } from './resample-taps.ts';

/** Width and height in pixels. */
export interface Size {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** A picture of three interleaved channels. */
export interface Picture extends Size {
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array;
}

/** A resizer of one filter, with its tables and buffers. */
export interface Resizer {
  /**
   * The picture resized. Its memory is the resizer's own, overwritten by the next call, so it cannot be that call's picture; a picture of the right
   * size is returned as it is.
   */
  resize(picture: Picture, widthPx: number, heightPx: number): Picture;
  /** Resized to each size in turn; what `resize` of each result gives, but no picture between exists as a whole. */
  resizeThrough(picture: Picture, sizes: readonly Size[]): Picture;
}

/** Pipelines kept per resizer: sources seldom change their size, but a folder of images may hold many. */
const maxPipelines = 16;

export function createResizer(filter: ResampleFilter): Resizer {
  const pipelines = new Map<string, Pipeline>();
  let result = new Uint8Array();

  const pipelineOf = (sizes: readonly Size[]): Pipeline => {
    const key = sizes.map(({ widthPx, heightPx }) => `${widthPx}×${heightPx}`).join('>');
    let found = pipelines.get(key);
    if (found === undefined) {
      const [oldest] = pipelines.keys();
      if (pipelines.size >= maxPipelines && oldest !== undefined) pipelines.delete(oldest);
      found = createPipeline(sizes, filter);
      pipelines.set(key, found);
    }
    return found;
  };

  const resizeThrough = (picture: Picture, sizes: readonly Size[]): Picture => {
    const chain: Size[] = [picture];
    let last: Size = picture;
    for (const size of sizes) {
      if (size.widthPx === last.widthPx && size.heightPx === last.heightPx) continue;
      last = size;
      chain.push(size);
    }
    if (chain.length === 1) return picture;
    const { widthPx, heightPx } = last;
    const length = widthPx * heightPx * 3;
    if (result.length < length) result = new Uint8Array(length);
    const rgb = result.subarray(0, length);
    const pipeline = pipelineOf(chain);
    pipeline.run(pixelKernels(pipeline.bytes), picture.rgb, rgb);
    return { rgb, widthPx, heightPx };
  };

  return { resize: (picture, widthPx, heightPx) => resizeThrough(picture, [{ widthPx, heightPx }]), resizeThrough };
}
