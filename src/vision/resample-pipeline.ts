// Resizing as a stream of row bands: each size's rows are made as soon as their inputs are there, so what lies between stays in the cache.
import type { PixelKernels } from '../runtime/pixel-kernels.ts';
import type { Size } from './resample.ts';
import { computeTaps, type ResampleFilter, type Taps } from './resample-taps.ts';

/** A chain of resizes of one input size, laid out in the memory of the pixel kernels. */
export interface Pipeline {
  /** Memory that the kernels must have. */
  readonly bytes: number;
  /**
   * @param source uint8 [height, width, 3] of the first size
   * @param target uint8 [height, width, 3] of the last
   */
  run(kernels: PixelKernels, source: Uint8Array, target: Uint8Array): void;
}

/** Rows that go through a pass across together: the bytes of a vector, because columns are filtered as rows of the transposed band. */
const bandRows = 16;
/** A pixel of a transposed band: its three channels in `bandRows` rows. */
const pixelBytes = 3 * bandRows;

/** The weights of one axis as the kernels read them. */
interface Table {
  readonly taps: Taps;
  readonly outputs: number;
  readonly pairStride: number;
  readonly words: Int32Array;
  readonly address: number;
}

/** Takes rows from `address` on, `stride` bytes apart. */
type Sink = (address: number, stride: number, rows: number) => void;

/** @param sizes of the input and of every step, neighbours different */
export function createPipeline(sizes: readonly Size[], filter: ResampleFilter): Pipeline {
  let bytes = 0;
  /** Rows are touched up to a vector behind their end, which the gap allows for. */
  const take = (length: number): number => {
    const address = bytes;
    bytes += Math.ceil(length / 64) * 64 + 64;
    return address;
  };
  const tables: Table[] = [];
  const tableOf = (inputs: number, outputs: number): Table | undefined => {
    if (inputs === outputs) return undefined;
    const taps = computeTaps(inputs, outputs, filter);
    const table = { taps, outputs, ...packWeights(taps) };
    const placed = { ...table, address: take(table.words.byteLength) };
    tables.push(placed);
    return placed;
  };
  const [input, ...steps] = sizes as [Size, ...Size[]];
  const inputStride = input.widthPx * 3;
  const inputAddress = take(bandRows * inputStride);
  let from = input;
  const stages = steps.map((to) => {
    const stage = createStage(from, to, tableOf(from.widthPx, to.widthPx), tableOf(from.heightPx, to.heightPx), take);
    from = to;
    return stage;
  });

  return {
    bytes,
    run(kernels, source, target) {
      if (kernels.user !== tables) {
        for (const { words, address } of tables) kernels.bytes.set(new Uint8Array(words.buffer), address);
        kernels.user = tables;
      }
      const rowBytes = from.widthPx * 3;
      let written = 0;
      let sink: Sink = (address, stride, rows) => {
        if (stride === rowBytes) {
          target.set(kernels.bytes.subarray(address, address + rows * rowBytes), written);
          written += rows * rowBytes;
        } else {
          for (let row = 0; row < rows; row++, written += rowBytes) target.set(kernels.bytes.subarray(address + row * stride, address + row * stride + rowBytes), written);
        }
      };
      for (const open of stages.toReversed()) sink = open(kernels, sink);
      for (let row = 0; row < input.heightPx; row += bandRows) {
        const rows = Math.min(bandRows, input.heightPx - row);
        kernels.bytes.set(source.subarray(row * inputStride, (row + rows) * inputStride), inputAddress);
        sink(inputAddress, inputStride, rows);
      }
    },
  };
}

/** Weights split into two digits and put in pairs; see wasm/pixels.as.ts. */
function packWeights({ first, count, weights, stride }: Taps): Pick<Table, 'pairStride' | 'words'> {
  const outputs = first.length;
  const pairStride = Math.ceil(count.reduce((most, each) => Math.max(most, each), 0) / 2);
  const words = new Int32Array(outputs * 2 * (1 + pairStride));
  for (let output = 0; output < outputs; output++) {
    const pairs = Math.ceil(count[output]! / 2);
    words[output * 2] = first[output]!;
    words[output * 2 + 1] = pairs;
    for (let pair = 0; pair < pairs; pair++) {
      const at = output * stride + pair * 2;
      const even = weights[at]!;
      const odd = pair * 2 + 1 < count[output]! ? weights[at + 1]! : 0;
      const to = (outputs + output * pairStride + pair) * 2;
      words[to] = ((even >> 12) & 0xffff) | ((odd >> 12) << 16);
      words[to + 1] = (even & 0xfff) | ((odd & 0xfff) << 16);
    }
  }
  return { pairStride, words };
}

/** One resize. What it returns opens a run: it takes the rows of one picture in bands, from the top, and gives the resized rows to `sink` in bands. */
function createStage(from: Size, to: Size, across: Table | undefined, down: Table | undefined, take: (bytes: number) => number): (kernels: PixelKernels, sink: Sink) => Sink {
  const vectors = (widthPx: number) => Math.ceil((widthPx * 3) / 16);
  const rowBytes = vectors(to.widthPx) * 16;
  // One pixel, and below one row, more than there are: an odd count of weights is filled up with a 0.
  const columns = across && take((vectors(from.widthPx) + 3) * 16 * bandRows);
  const outputColumns = across && take(vectors(to.widthPx) * 16 * bandRows);
  const reach = down ? down.taps.count.reduce((most, each) => Math.max(most, each), 0) : 0;
  // Twice the reach of the filter, so that rows move seldom; the whole picture where that is less.
  const windowRows = down ? Math.min(from.heightPx + bandRows, 2 * reach + 3 * bandRows) : bandRows;
  const window = take((windowRows + 1) * rowBytes);
  const band = down && take(bandRows * rowBytes);

  /** Rows of the input's width, as rows of the output's, to `target`. Whole bands are written. */
  const filterAcross = (kernels: PixelKernels, address: number, stride: number, rows: number, target: number): void => {
    if (across === undefined || columns === undefined || outputColumns === undefined) {
      for (let row = 0; row < rows; row++) kernels.bytes.copyWithin(target + row * rowBytes, address + row * stride, address + row * stride + to.widthPx * 3);
      return;
    }
    kernels.transpose(address, stride, 16, columns, 16, 256, vectors(from.widthPx));
    kernels.weigh(columns, pixelBytes, 0, pixelBytes, outputColumns, pixelBytes, across.address, across.outputs, across.pairStride, 0, across.outputs);
    kernels.transpose(outputColumns, 16, 256, target, rowBytes, 16, vectors(to.widthPx));
  };

  return (kernels, sink) => {
    if (down === undefined || band === undefined) {
      return (address, stride, rows) => {
        filterAcross(kernels, address, stride, rows, window);
        sink(window, rowBytes, rows);
      };
    }
    const { first, count } = down.taps;
    let top = 0; // the row that the window begins with
    let filled = 0; // rows taken so far
    let next = 0; // the next row to make
    let banded = 0; // rows in the band
    return (address, stride, rows) => {
      if (filled - top + bandRows > windowRows) {
        const needed = Math.min(filled, next < down.outputs ? first[next]! : filled);
        kernels.bytes.copyWithin(window, window + (needed - top) * rowBytes, window + (filled - top) * rowBytes);
        top = needed;
      }
      filterAcross(kernels, address, stride, rows, window + (filled - top) * rowBytes);
      filled += rows;
      while (next < down.outputs) {
        let end = next;
        while (end < down.outputs && end - next < bandRows - banded && first[end]! + count[end]! <= filled) end++;
        if (end === next) break;
        kernels.weigh(window, rowBytes, top, rowBytes, band + banded * rowBytes, rowBytes, down.address, down.outputs, down.pairStride, next, end);
        banded += end - next;
        next = end;
        if (banded === bandRows || next === down.outputs) {
          sink(band, rowBytes, banded);
          banded = 0;
        }
      }
    };
  };
}
