// Rotary positions (RoFormer, arXiv 2104.09864): tables for new tokens, and turning stored keys to other positions.

/** Which channels turn together: `halves` i and i + D/2 (Hugging Face), `pairs` 2i and 2i + 1 (llama2.c). */
export type RotaryLayout = 'halves' | 'pairs';

export interface RotaryOptions {
  /** D, even. */
  readonly headWidth: number;
  readonly theta: number;
  readonly layout: RotaryLayout;
}

/** Distances whose angles are kept: those of a long memory's slots, a few MiB. */
const turnsKept = 8192;

/** Rotations of one decoder. Angles are computed in double precision, so that turning a key twice equals turning it once by the sum. */
export class Rotary {
  readonly headWidth: number;
  readonly layout: RotaryLayout;
  readonly #frequencies: Float64Array;
  /** Float64 [cosines D/2, sines D/2] by distance in positions: every head is turned by the same distances. */
  readonly #turns = new Map<number, Float64Array>();
  /** The distance of the last turn, mostly that of the next, and its angles. */
  #delta = 0;
  #angles: Float64Array = new Float64Array(0);

  constructor({ headWidth, theta, layout }: RotaryOptions) {
    this.headWidth = headWidth;
    this.layout = layout;
    const half = headWidth / 2;
    this.#frequencies = Float64Array.from({ length: half }, (_, i) => theta ** ((-2 * i) / headWidth));
  }

  /**
   * Cosines and sines of `count` positions that follow each other from `start`.
   * @param cos float32 [at least count, D/2]
   * @param sin float32 [at least count, D/2]
   */
  table(start: number, count: number, cos: Float32Array, sin: Float32Array): void {
    const frequencies = this.#frequencies;
    const half = frequencies.length;
    for (let t = 0, at = 0; t < count; t++) {
      for (let i = 0; i < half; i++, at++) {
        const angle = (start + t) * frequencies[i]!;
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
  }

  /**
   * Turns one key by `delta` positions, in place. A negative delta of its own position gives the key before rotation.
   * @param keys float32; the key lies at [offset, offset + D)
   */
  turn(keys: Float32Array, offset: number, delta: number): void {
    if (delta === 0) return;
    const half = this.#frequencies.length;
    if (delta !== this.#delta || this.#angles.length === 0) {
      this.#angles = this.#turn(delta);
      this.#delta = delta;
    }
    const turn = this.#angles;
    const halves = this.layout === 'halves';
    const stride = halves ? 1 : 2;
    const apart = halves ? half : 1;
    for (let i = 0, a = offset; i < half; i++, a += stride) {
      const x = keys[a]!;
      const y = keys[a + apart]!;
      keys[a] = x * turn[i]! - y * turn[half + i]!;
      keys[a + apart] = x * turn[half + i]! + y * turn[i]!;
    }
  }

  #turn(delta: number): Float64Array {
    let turn = this.#turns.get(delta);
    if (turn === undefined) {
      const half = this.#frequencies.length;
      turn = new Float64Array(2 * half);
      for (let i = 0; i < half; i++) {
        const angle = delta * this.#frequencies[i]!;
        turn[i] = Math.cos(angle);
        turn[half + i] = Math.sin(angle);
      }
      if (this.#turns.size >= turnsKept) this.#turns.clear();
      this.#turns.set(delta, turn);
    }
    return turn;
  }
}
