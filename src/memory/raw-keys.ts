// Keys as they were before the rotary embedding, worked out from stored ones: two tokens are then compared by what they say, not by when.
import type { OpenContext } from './method.ts';
import { Rotary } from './rotary.ts';
import type { SlotView } from './slots.ts';

/** Reads the keys of one decoder's slots. */
export class RawKeys {
  readonly width: number;
  readonly #rotary: Rotary;
  readonly #key: Float32Array;

  constructor({ headWidth, ropeTheta, ropeLayout }: Pick<OpenContext, 'headWidth' | 'ropeTheta' | 'ropeLayout'>) {
    this.width = headWidth;
    this.#rotary = new Rotary({ headWidth, theta: ropeTheta, layout: ropeLayout });
    this.#key = new Float32Array(headWidth);
  }

  /** float32 [D]: the key of a slot; valid until the next call. */
  of(slots: Pick<SlotView, 'keys' | 'position'>, slot: number): Float32Array {
    return this.turned(slots.keys, slot * this.width, -slots.position[slot]!);
  }

  /** float32 [D]: the key of a slot, scaled to length 1 unless it is all zeros; valid until the next call. */
  unit(slots: Pick<SlotView, 'keys' | 'position'>, slot: number): Float32Array {
    const key = this.of(slots, slot);
    const length = norm(key, 0, this.width) || 1;
    for (let d = 0; d < this.width; d++) key[d]! /= length;
    return key;
  }

  /** float32 [D]: what stands at an offset, turned by so many positions; valid until the next call. */
  turned(data: Float32Array, offset: number, delta: number): Float32Array {
    const key = this.#key;
    for (let d = 0; d < key.length; d++) key[d] = data[offset + d]!;
    this.#rotary.turn(key, 0, delta);
    return key;
  }

  /** Cosine of the keys of two slots before the rotary embedding: at most 1; 0 where one is all zeros. */
  cosine(slots: Pick<SlotView, 'keys' | 'position'>, a: number, b: number): number {
    // Only the distance matters: one is turned to the position of the other. Slots of two frames mostly have one distance, whose angles are known.
    const key = this.turned(slots.keys, a * this.width, slots.position[b]! - slots.position[a]!);
    let product = 0;
    let squareA = 0;
    let squareB = 0;
    for (let d = 0, at = b * this.width; d < this.width; d++, at++) {
      const [x, y] = [key[d]!, slots.keys[at]!];
      product += x * y;
      squareA += x * x;
      squareB += y * y;
    }
    return Math.min(1, product / (Math.sqrt(squareA * squareB) || 1));
  }
}

/** Length of one row of `data` float32 [rows, width]. */
export function norm(data: Float32Array, row: number, width: number): number {
  let square = 0;
  for (let i = row * width; i < (row + 1) * width; i++) square += data[i]! * data[i]!;
  return Math.sqrt(square);
}
