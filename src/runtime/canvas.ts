// Canvas: anti-aliased 2-D drawing in memory, and its pixels. The only importer of @napi-rs/canvas.
import { createCanvas } from '@napi-rs/canvas';
import type { Canvas, Image, SKRSContext2D } from '@napi-rs/canvas';
import { UserError } from '../core/errors.ts';

/** The drawing context, with the names of the HTML canvas. Text needs fonts of the machine: draw letters as shapes where results must repeat. */
export type Canvas2D = SKRSContext2D;

/** What can be drawn onto a surface. */
export type Drawable = Canvas | Image;

/** A picture in memory to draw on. */
export interface Surface {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly context: Canvas2D;
  /** To draw this surface onto another: `other.context.drawImage(surface.drawable, x, y)`. */
  readonly drawable: Drawable;
  /**
   * uint8 [height, width, 4], red, green, blue, alpha, premultiplied; a copy. Its memory goes back only while the event
   * loop turns: a loop that reads hundreds of pictures awaits something now and then, or grows by all of them.
   */
  readRgba(): Uint8Array;
  /** The picture as a PNG file. */
  toPng(): Uint8Array;
  /** The picture as a JPEG file, quality 0–100. */
  toJpeg(quality: number): Uint8Array;
  /** Gives the pixels back at once; the garbage collector does not see how much they weigh. Not to be drawn on or from afterwards. */
  release(): void;
}

/** A surface that shows a picture: uint8 [height, width, 3]. */
export function surfaceOf(rgb: Uint8Array, widthPx: number, heightPx: number): Surface {
  const surface = createSurface(widthPx, heightPx);
  const image = surface.context.createImageData(widthPx, heightPx);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    image.data[to] = rgb[from]!;
    image.data[to + 1] = rgb[from + 1]!;
    image.data[to + 2] = rgb[from + 2]!;
    image.data[to + 3] = 255;
  }
  surface.context.putImageData(image, 0, 0);
  return surface;
}

/** A transparent surface. @throws UserError `BAD_SIZE` where a side is not a positive integer */
export function createSurface(widthPx: number, heightPx: number): Surface {
  if (!Number.isInteger(widthPx) || !Number.isInteger(heightPx) || widthPx < 1 || heightPx < 1) {
    throw new UserError('BAD_SIZE', { what: 'cannot make a drawing surface', got: `${widthPx}×${heightPx}`, expected: 'two positive integers' });
  }
  const canvas = createCanvas(widthPx, heightPx);
  const context = canvas.getContext('2d');
  return {
    widthPx,
    heightPx,
    context,
    drawable: canvas,
    readRgba: () => canvas.data(),
    toPng: () => canvas.encodeSync('png'),
    toJpeg: (quality) => canvas.encodeSync('jpeg', quality),
    release() {
      canvas.width = 1;
      canvas.height = 1;
    },
  };
}
