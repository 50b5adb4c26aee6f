// What the vision encoder keeps for one stream: keys and values of every layer, and the last frame's outputs, in typed arrays.
import type { ProjectorSpec, VisionSpec } from '../models/contract.ts';
import { Tensor } from '../runtime/onnx.ts';
import type { TokenLayout } from './projector.ts';

/** The outputs of one step, in place. */
interface StepOutputs {
  /** float32 [R, E] each. */
  readonly residual: Tensor;
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Rows of those that are computed: from one up to another, which is not among them. */
export interface RowBlock {
  readonly from: number;
  readonly to: number;
}

/** Keys and values of one layer, as the attention takes them. */
interface LayerCache {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Caches of one stream. Made by `VisionEncoder.open()`; nothing is allocated after that but views. */
export class VisionState {
  /** Whether the caches hold a whole frame. */
  valid = false;
  /** float32 [P, E]. */
  readonly encoded: Float32Array;
  /** float32 [tokensPerFrame, tokenWidth] */
  readonly tokens: Float32Array;
  /** float32 [P, out]: patches after a perceptron projector; empty for others. */
  readonly projected: Float32Array;
  /** int32 [P]: 0, 1, 2, … */
  readonly allRows: Int32Array;

  readonly #width: number;
  readonly #heads: number;
  readonly #patchLength: number;
  readonly #layout: TokenLayout;
  /** float32 [P, E] a layer, in the order that `#turned` says: as the two tensors over them. */
  readonly #rowCaches: readonly LayerCache[];
  readonly #headCaches: readonly LayerCache[];
  /** Whether keys and values lie by heads [H, P, D] rather than by rows [P, H, D]. */
  #turned = false;
  /** float32 [P, E] a layer: what each row was when its layer last took it. Made when first gated. */
  #references: readonly Float32Array[] | undefined;
  #distance = new Float32Array();
  /** float32 [2, P, E] each, read and written in turn. */
  readonly #residual: readonly [Float32Array, Float32Array];
  readonly #query: readonly [Float32Array, Float32Array];
  /** float32 [P, E]: what attention gave. */
  readonly #mixed: Float32Array;
  /** float32 [P, E] each: new rows on their way into the caches. */
  readonly #key: Float32Array;
  readonly #value: Float32Array;
  readonly #patches: Float32Array;
  readonly #touched: Uint8Array;

  constructor(spec: VisionSpec, layout: TokenLayout, tokenNumbers: number, projector: ProjectorSpec) {
    const count = spec.columns * spec.rows;
    const matrix = () => new Float32Array(count * spec.width);
    const { width, heads } = spec;
    const arrays = Array.from({ length: spec.layers }, () => ({ keys: matrix(), values: matrix() }));
    const caches = (shape: readonly number[]) => arrays.map(({ keys, values }) => ({ keys: new Tensor('float32', keys, shape), values: new Tensor('float32', values, shape) }));
    this.#width = width;
    this.#heads = heads;
    this.#rowCaches = caches([1, count, width]);
    this.#headCaches = caches([1, heads, count, width / heads]);
    this.#patchLength = 3 * spec.patchPx ** 2;
    this.#layout = layout;
    this.encoded = matrix();
    this.tokens = new Float32Array(tokenNumbers);
    this.projected = new Float32Array(projector.kind === 'mlp-pooled' ? count * projector.outputWidth : 0);
    this.allRows = Int32Array.from({ length: count }, (_, row) => row);
    this.#residual = [matrix(), matrix()];
    this.#query = [matrix(), matrix()];
    this.#mixed = matrix();
    this.#key = matrix();
    this.#value = matrix();
    this.#patches = new Float32Array(count * this.#patchLength);
    this.#touched = new Uint8Array(layout.count);
  }

  /** Bytes that the state holds. */
  get bytes(): number {
    const arrays = this.#rowCaches.flatMap(({ keys, values }) => [keys.data as Float32Array, values.data as Float32Array]);
    return [...arrays, ...(this.#references ?? []), this.encoded, this.tokens, this.projected, this.allRows, ...this.#residual, ...this.#query, this.#mixed, this.#key, this.#value, this.#patches, this.#touched].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** float32 [count, 3·patch²]: room for the pixels of chosen patches. */
  chosenPatches(count: number): Float32Array {
    return this.#patches.subarray(0, count * this.#patchLength);
  }

  /** What step `step` wrote for those rows and attention made of it, for the next step. */
  from(step: number, block: RowBlock): { readonly incoming: Tensor; readonly mixed: Tensor } {
    return { incoming: matrixOf(this.#residual[step & 1]!, block, this.#width), mixed: batchOf(this.#mixed, block, this.#width) };
  }

  /** Where step `step` writes those rows. A whole frame's keys and values go straight into the caches, by rows. */
  into(step: number, block: RowBlock, whole: boolean): StepOutputs {
    const { keys, values } = this.#rowCaches[step]!;
    const matrix = (array: Float32Array) => matrixOf(array, block, this.#width);
    return {
      // Residual and query alternate between two buffers: a step reads one and writes the other.
      residual: matrix(this.#residual[step & 1]!),
      query: matrix(this.#query[step & 1]!),
      key: matrix(whole ? (keys.data as Float32Array) : this.#key),
      value: matrix(whole ? (values.data as Float32Array) : this.#value),
    };
  }

  /** Queries that step `step` wrote: float32 [1, R, E]. */
  queries(step: number, count: number): Tensor {
    return batchOf(this.#query[step & 1]!, { from: 0, to: count }, this.#width);
  }

  /** Readies the caches for a whole frame, by rows, or for some rows, by heads. */
  arrange(whole: boolean): void {
    if (!whole && !this.#turned) {
      // The scratch is free between frames.
      for (const { keys, values } of this.#headCaches) for (const { data } of [keys, values]) this.#turn(data as Float32Array);
    }
    this.#turned = !whole;
  }

  /** Keys and values of a layer as they lie now. */
  cache(layer: number): LayerCache {
    return (this.#turned ? this.#headCaches : this.#rowCaches)[layer]!;
  }

  mixedInto(count: number): Tensor {
    return batchOf(this.#mixed, { from: 0, to: count }, this.#width);
  }

  encodedInto(block: RowBlock, whole: boolean): Tensor {
    return matrixOf(whole ? this.encoded : this.#key, block, this.#width);
  }

  /** Moves new keys and values of a layer to their rows in its caches, by heads. */
  scatterLayer(layer: number, rows: Int32Array): void {
    const { keys, values } = this.#headCaches[layer]!;
    this.#scatterHeads(this.#key, rows, keys.data as Float32Array);
    this.#scatterHeads(this.#value, rows, values.data as Float32Array);
  }

  /**
   * How far each row that enters a layer is from what it was when the layer last took it, relative to that: ‖x − reference‖ / ‖reference‖.
   * @param rows int32 [R]
   * @returns float32 [R], overwritten by the next call
   */
  distances(layer: number, rows: Int32Array): Float32Array {
    const x = this.#residual[layer & 1]!;
    const reference = this.#referenceOf(layer);
    const width = this.#width;
    if (this.#distance.length < rows.length) this.#distance = new Float32Array(this.allRows.length);
    for (let r = 0, from = 0; r < rows.length; r++) {
      let [moved, size] = [0, 0];
      for (let at = rows[r]! * width, end = at + width; at < end; at++, from++) {
        const was = reference[at]!;
        moved += (x[from]! - was) ** 2;
        size += was * was;
      }
      this.#distance[r] = Math.sqrt(moved / (size || 1));
    }
    return this.#distance.subarray(0, rows.length);
  }

  /** What enters a layer now is its reference from now on, for those rows. */
  refer(layer: number, rows: Int32Array): void {
    scatter(this.#residual[layer & 1]!, rows, this.#referenceOf(layer), this.#width);
  }

  /** Closes up the rows numbered `kept` of what step `step` wrote; the others go no further. */
  narrow(step: number, kept: Int32Array): void {
    const width = this.#width;
    for (const array of [this.#residual[step & 1]!, this.#query[step & 1]!]) {
      for (let r = 0; r < kept.length; r++) array.copyWithin(r * width, kept[r]! * width, (kept[r]! + 1) * width);
    }
  }

  scatterEncoded(rows: Int32Array): void {
    scatter(this.#key, rows, this.encoded, this.#width);
  }

  /** int32 [N], rising: the visual tokens that any of the patches goes into. */
  tokensOf(rows: Int32Array): Int32Array {
    const { count, sources, patches, shares } = this.#layout;
    if (rows.length === this.allRows.length) return this.allRows.subarray(0, count);
    const isRecomputed = new Uint8Array(this.allRows.length);
    for (const row of rows) isRecomputed[row] = 1;
    this.#touched.fill(0);
    for (let i = 0; i < patches.length; i++) {
      if (isRecomputed[patches[i]!] === 1 && shares?.[i] !== 0) this.#touched[Math.floor(i / sources)] = 1;
    }
    return this.allRows.subarray(0, count).filter((token) => this.#touched[token] === 1);
  }

  #referenceOf(layer: number): Float32Array {
    this.#references ??= this.#rowCaches.map(() => new Float32Array(this.encoded.length));
    return this.#references[layer]!;
  }

  /** [P, H, D] becomes [H, P, D], in place. */
  #turn(array: Float32Array): void {
    this.#key.set(array);
    this.#scatterHeads(this.#key, this.allRows, array);
  }

  /** Copies row i of `from` [R, H, D] to row `rows[i]` of `to` [H, P, D]. Rows are too short for `set` to pay. */
  #scatterHeads(from: Float32Array, rows: Int32Array, to: Float32Array): void {
    const headWidth = this.#width / this.#heads;
    const plane = this.allRows.length * headWidth;
    for (let r = 0, at = 0; r < rows.length; r++) {
      let start = rows[r]! * headWidth;
      for (let head = 0; head < this.#heads; head++, start += plane) {
        for (let i = 0; i < headWidth; i++) to[start + i] = from[at++]!;
      }
    }
  }
}

/** float32 [R, width]: a block of rows, in place. */
export function matrixOf(array: Float32Array, { from, to }: RowBlock, width: number): Tensor {
  return new Tensor('float32', array.subarray(from * width, to * width), [to - from, width]);
}

/** float32 [1, R, width]: the same, as attention takes and gives it. */
function batchOf(array: Float32Array, { from, to }: RowBlock, width: number): Tensor {
  return new Tensor('float32', array.subarray(from * width, to * width), [1, to - from, width]);
}

/** Copies row i of `from` to row `rows[i]` of `to`. */
export function scatter(from: Float32Array, rows: Int32Array, to: Float32Array, width: number): void {
  for (let r = 0; r < rows.length; r++) to.set(from.subarray(r * width, (r + 1) * width), rows[r]! * width);
}
