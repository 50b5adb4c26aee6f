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

/** Caches of one stream. Made by `VisionEncoder.open()`; nothing is allocated after that but views. */
export class VisionState {
  /** Whether the caches hold a whole frame. */
  valid = false;
  /** float32 [1, P, E] a layer. */
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
  /** float32 [P, E]. */
  readonly encoded: Float32Array;
  /** float32 [tokensPerFrame, tokenWidth] */
  readonly tokens: Float32Array;
  /** float32 [P, out]: patches after a perceptron projector; empty for others. */
  readonly projected: Float32Array;
  /** int32 [P]: 0, 1, 2, … */
  readonly allRows: Int32Array;

  readonly #width: number;
  readonly #patchLength: number;
  readonly #layout: TokenLayout;
  /** float32 [2, P, E] each, read and written in turn. */
  readonly #residual: readonly [Float32Array, Float32Array];
  readonly #query: readonly [Float32Array, Float32Array];
  /** float32 [P, ·] each: new rows on their way into the caches. */
  readonly #key: Float32Array;
  readonly #value: Float32Array;
  readonly #patches: Float32Array;
  readonly #touched: Uint8Array;

  constructor(spec: VisionSpec, layout: TokenLayout, tokenNumbers: number, projector: ProjectorSpec) {
    const count = spec.columns * spec.rows;
    const matrix = () => new Float32Array(count * spec.width);
    const cache = () => Array.from({ length: spec.layers }, () => new Tensor('float32', matrix(), [1, count, spec.width]));
    this.#width = spec.width;
    this.#patchLength = 3 * spec.patchPx ** 2;
    this.#layout = layout;
    this.keys = cache();
    this.values = cache();
    this.encoded = matrix();
    this.tokens = new Float32Array(tokenNumbers);
    this.projected = new Float32Array(projector.kind === 'mlp-pooled' ? count * projector.outputWidth : 0);
    this.allRows = Int32Array.from({ length: count }, (_, row) => row);
    this.#residual = [matrix(), matrix()];
    this.#query = [matrix(), matrix()];
    this.#key = matrix();
    this.#value = matrix();
    this.#patches = new Float32Array(count * this.#patchLength);
    this.#touched = new Uint8Array(layout.count);
  }

  /** Bytes that the state holds. */
  get bytes(): number {
    const arrays = [...this.keys, ...this.values].map(({ data }) => data as Float32Array);
    return [...arrays, this.encoded, this.tokens, this.projected, this.allRows, ...this.#residual, ...this.#query, this.#key, this.#value, this.#patches, this.#touched].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** float32 [R, 3·patch²]: those rows of `patches`. */
  gatherPatches(patches: Float32Array, rows: Int32Array): Float32Array {
    const length = this.#patchLength;
    for (let r = 0; r < rows.length; r++) this.#patches.set(patches.subarray(rows[r]! * length, (rows[r]! + 1) * length), r * length);
    return this.#patches.subarray(0, rows.length * length);
  }

  /** Where step `step` writes: with all rows, keys and values go straight into the caches. */
  into(step: number, count: number): StepOutputs {
    const dense = count === this.allRows.length;
    const matrix = (array: Float32Array) => new Tensor('float32', array.subarray(0, count * this.#width), [count, this.#width]);
    return {
      residual: matrix(this.#residual[step & 1]!),
      query: matrix(this.#query[step & 1]!),
      key: matrix(dense ? (this.keys[step]!.data as Float32Array) : this.#key),
      value: matrix(dense ? (this.values[step]!.data as Float32Array) : this.#value),
    };
  }

  encodedInto(count: number): Tensor {
    const array = count === this.allRows.length ? this.encoded : this.#key;
    return new Tensor('float32', array.subarray(0, count * this.#width), [count, this.#width]);
  }

  /** Moves new keys and values of a layer to their rows in its caches. */
  scatterLayer(layer: number, rows: Int32Array): void {
    scatter(this.#key, rows, this.keys[layer]!.data as Float32Array, this.#width);
    scatter(this.#value, rows, this.values[layer]!.data as Float32Array, this.#width);
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
}

/** Copies row i of `from` to row `rows[i]` of `to`. */
export function scatter(from: Float32Array, rows: Int32Array, to: Float32Array, width: number): void {
  for (let r = 0; r < rows.length; r++) to.set(from.subarray(r * width, (r + 1) * width), rows[r]! * width);
}
