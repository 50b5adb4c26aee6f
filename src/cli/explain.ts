// `--explain`: the watched video with the patches that the encoder computed and the visual tokens that went on drawn on it.
import type { Frame } from '../core/frame.ts';
import { surfaceOf, type Canvas2D } from '../runtime/canvas.ts';
import { openVideoWriter, type VideoWriter } from '../runtime/media-writer.ts';
import type { FrameReport } from '../session/contract.ts';
import type { Picture, Size } from '../vision/resample.ts';
import { clock } from './format.ts';

/** Writes a video of the frames of a session, and of what became of each. */
export interface Explainer extends AsyncDisposable {
  /** Takes a frame before the model does; waits while too many wait to be written. */
  frame(frame: Frame): Promise<void>;
  /** Draws that frame. Reports come in the order of frames. */
  report(report: FrameReport): void;
  /** Waits for what is under way and writes the end of the file. @throws MediaError when the video could not be written */
  close(): Promise<void>;
}

/** Frames that may wait to be written. */
const mostWaiting = 8;

/** @param fps frames a second that the model sees */
export function createExplainer(path: string, fps: number): Explainer {
  /** Pictures whose reports have not come; the model takes the session's away. */
  const pictures = new Map<number, Picture>();
  let writer: VideoWriter | undefined;
  let size = { widthPx: 0, heightPx: 0 };
  let firstSec = 0;
  let waiting = 0;
  let writing: Promise<void> = Promise.resolve();
  let closed: Promise<void> | undefined;

  async function write(picture: Picture, report: FrameReport): Promise<void> {
    if (!writer) {
      // H.264 wants even sides.
      size = { widthPx: picture.widthPx & ~1, heightPx: picture.heightPx & ~1 };
      firstSec = report.timeSec;
      writer = await openVideoWriter({ path, ...size, fps, pixels: 'rgba' });
    }
    // A camera may change its size; the video keeps that of its first frame.
    if ((picture.widthPx & ~1) !== size.widthPx || (picture.heightPx & ~1) !== size.heightPx) return;
    await writer.write(drawReport(picture, size, report), report.timeSec - firstSec);
  }

  const close = () => (closed ??= writing.finally(() => writer?.close()));

  return {
    async frame({ index, rgb, widthPx, heightPx }) {
      if (waiting >= mostWaiting) await writing.catch(() => undefined); // A failure is told by `close`.
      pictures.set(index, { rgb: rgb.slice(), widthPx, heightPx });
    },
    report(report) {
      const picture = pictures.get(report.index);
      for (const index of pictures.keys()) if (index <= report.index) pictures.delete(index);
      if (!picture || closed) return;
      waiting++;
      writing = writing.then(() => write(picture, report)).finally(() => waiting--);
      writing.catch(() => undefined);
    },
    close,
    [Symbol.asyncDispose]: () => close().catch(() => undefined),
  };
}

/**
 * The picture with what was not computed in shade, computed patches framed in orange, the tokens that went on in cyan, and the two shares as bars.
 * @returns uint8 [height, width, 4]
 */
export function drawReport({ rgb, widthPx }: Picture, size: Size, report: FrameReport): Uint8Array {
  const surface = surfaceOf(cropped(rgb, widthPx, size), size.widthPx, size.heightPx);
  try {
    const { context } = surface;
    const { explained } = report;
    const computed = new Set(explained?.patches);
    context.fillStyle = 'rgba(0, 0, 0, 0.45)';
    if (!explained) context.fillRect(0, 0, size.widthPx, size.heightPx);
    else if (computed.size < report.patches) {
      eachCell(size, explained.patchColumns, explained.patchRows, explained.covered, (cell, x, y, width, height) => {
        if (!computed.has(cell)) context.fillRect(x, y, width, height);
      });
      context.strokeStyle = '#ff9d2e';
      context.lineWidth = 1;
      eachCell(size, explained.patchColumns, explained.patchRows, explained.covered, (cell, x, y, width, height) => {
        if (computed.has(cell)) context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
      });
    }
    if (explained) {
      const kept = new Set(explained.tokens);
      context.strokeStyle = '#35d6ff';
      context.lineWidth = 2;
      eachCell(size, explained.tokenColumns, explained.tokenRows, explained.covered, (cell, x, y, width, height) => {
        if (kept.has(cell)) context.strokeRect(x + 1, y + 1, width - 2, height - 2);
      });
    }
    const tokens = explained ? explained.tokenColumns * explained.tokenRows : 0;
    bars(context, size, [
      { colour: '#ff9d2e', share: report.patchesRecomputed / report.patches, text: `${clock(report.timeSec)}  patches ${report.patchesRecomputed} of ${report.patches}` },
      { colour: '#35d6ff', share: tokens && report.visualTokens / tokens, text: tokens ? `tokens ${report.visualTokens} of ${tokens}` : `skipped: ${report.gate.reason}` },
    ]);
    return surface.readRgba();
  } finally {
    surface.release();
  }
}

function cropped(rgb: Uint8Array, widthPx: number, size: Size): Uint8Array {
  if (widthPx === size.widthPx) return rgb.subarray(0, size.widthPx * size.heightPx * 3);
  const out = new Uint8Array(size.widthPx * size.heightPx * 3);
  for (let y = 0; y < size.heightPx; y++) out.set(rgb.subarray(y * widthPx * 3, (y * widthPx + size.widthPx) * 3), y * size.widthPx * 3);
  return out;
}

/** Calls back with the place of each cell of a grid over the part of the picture that it covers, to whole pixels, without gaps. */
function eachCell(size: Size, columns: number, rows: number, covered: { readonly width: number; readonly height: number }, use: (cell: number, x: number, y: number, width: number, height: number) => void): void {
  const edge = (at: number, count: number, lengthPx: number) => Math.round((at / count) * lengthPx);
  const [width, height] = [size.widthPx * covered.width, size.heightPx * covered.height];
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = [edge(row, rows, height), edge(row + 1, rows, height)];
    for (let column = 0; column < columns; column++) {
      const [left, right] = [edge(column, columns, width), edge(column + 1, columns, width)];
      use(row * columns + column, left, top, right - left, bottom - top);
    }
  }
}

/** Bars along the lower edge, each with its text above it where the machine has a font. */
function bars(context: Canvas2D, { widthPx, heightPx }: Size, list: readonly { readonly colour: string; readonly share: number; readonly text: string }[]): void {
  const textPx = Math.max(10, Math.round(heightPx / 32));
  const barPx = Math.max(2, Math.round(heightPx / 120));
  const blockPx = textPx + barPx + 4;
  const top = heightPx - list.length * blockPx - 4;
  context.fillStyle = 'rgba(0, 0, 0, 0.6)';
  context.fillRect(0, top, widthPx, heightPx - top);
  context.font = `${textPx}px sans-serif`;
  context.textBaseline = 'top';
  for (const [row, { colour, share, text }] of list.entries()) {
    const y = top + 2 + row * blockPx;
    context.fillStyle = colour;
    context.fillText(text, 6, y);
    context.fillRect(0, y + textPx + 1, Math.round(widthPx * share), barPx);
  }
}
