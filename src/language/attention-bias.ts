// What is added to attention scores: the causal mask among a chunk's own tokens, and what merged slots ask for.
import type { Look } from '../memory/contract.ts';
import type { DecoderSpec } from '../models/contract.ts';
import { binding, type Binding } from '../runtime/onnx.ts';

interface Mask {
  /** Length that `own` is made for; −1 for none. */
  slots: number;
  data: Float32Array;
  own: Binding | undefined;
  /** Length and tensor that the head was given last. */
  usedSlots: number;
  used: Binding | undefined;
}

/** Makes the score biases of one decoder's chunks, one matrix for each length that the heads of a layer have. */
export class AttentionBias {
  readonly #group: number;
  readonly #nothing = binding(new Float32Array(1), [1, 1]);
  readonly #masks: readonly Mask[];
  #count = 0;

  constructor({ kvHeads, queryHeads }: DecoderSpec) {
    this.#group = queryHeads / kvHeads;
    this.#masks = Array.from({ length: kvHeads }, () => ({ slots: -1, data: new Float32Array(0), own: undefined, usedSlots: -1, used: undefined }));
  }

  /** A chunk of `count` tokens follows. */
  begin(count: number): void {
    this.#count = count;
    for (const mask of this.#masks) mask.slots = mask.usedSlots = -1;
  }

  /**
   * Bias of a head: float32 [T · Q/H, slots] or [1, slots], or a zero that stretches over all. Heads of a layer are asked for in order.
   * @param look what the queries see; the chunk's own tokens come last
   */
  of(kvHead: number, { slots: { length }, slotBias, merge, until }: Look): Binding {
    const mask = this.#masks[kvHead]!;
    if (slotBias || merge || until) {
      this.#build(mask, length, slotBias, merge, until);
      // Made for this head alone.
      mask.slots = mask.usedSlots = -1;
      return mask.own!;
    }
    if (this.#count === 1) return this.#nothing;
    // Heads mostly have the same length. Only heads before this one lend theirs: theirs do not change any more within the layer.
    const lender = this.#masks.slice(0, kvHead).find(({ usedSlots }) => usedSlots === length);
    if (!lender && mask.slots !== length) this.#build(mask, length);
    mask.usedSlots = length;
    mask.used = lender ? lender.used! : mask.own!;
    return mask.used;
  }

  #build(mask: Mask, slots: number, slotBias?: Float32Array, merge?: Uint8Array, until?: Int32Array): void {
    const rows = this.#count === 1 ? 1 : this.#count * this.#group;
    const repeats = rows / this.#count;
    if (mask.data.length < rows * slots) mask.data = new Float32Array(Math.ceil(rows * slots * 1.25));
    const { data } = mask;
    const past = slots - this.#count;
    for (let t = 0, at = 0; t < this.#count; t++) {
      for (let g = 0; g < repeats; g++, at += slots) {
        if (slotBias) data.set(slotBias.subarray(0, past + t + 1), at);
        else data.fill(0, at, at + past + t + 1);
        data.fill(-Infinity, at + past + t + 1, at + slots);
        if (until) for (let slot = 0; slot < past + t; slot++) if (until[slot]! < t) data[at + slot] = -Infinity;
        if (!merge) continue;
        // A state that a later token, up to this one, went on with is no slot of its own any more.
        for (let j = 0; j <= t; j++) if (merge[j] !== 0) data[at + past + j - 1] = -Infinity;
      }
    }
    mask.slots = slots;
    mask.own = binding(data.subarray(0, rows * slots), [rows, slots]);
  }
}
