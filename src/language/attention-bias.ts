// What is added to attention scores: the causal mask among a chunk's own tokens; nothing for a single token.
import type { DecoderSpec } from '../models/contract.ts';
import { Tensor } from '../runtime/onnx.ts';

interface Mask {
  /** Length that `own` is made for; −1 for none. */
  slots: number;
  data: Float32Array;
  own: Tensor | undefined;
  /** Length and tensor that the head was given last. */
  usedSlots: number;
  used: Tensor | undefined;
}

/** Makes the score biases of one decoder's chunks, one matrix for each length that the heads of a layer have. */
export class AttentionBias {
  readonly #group: number;
  readonly #nothing = new Tensor('float32', new Float32Array(1), [1, 1]);
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
   * Bias of a head: float32 [T · Q/H, slots], or a zero that stretches over all. Heads of a layer are asked for in order.
   * @param slots the chunk's own tokens included, which come last
   */
  of(kvHead: number, slots: number): Tensor {
    if (this.#count === 1) return this.#nothing;
    const mask = this.#masks[kvHead]!;
    // Heads mostly have the same length. Only heads before this one lend theirs: theirs do not change any more within the layer.
    const lender = this.#masks.slice(0, kvHead).find(({ usedSlots }) => usedSlots === slots);
    if (!lender && mask.slots !== slots) this.#build(mask, slots);
    mask.usedSlots = slots;
    mask.used = lender ? lender.used! : mask.own!;
    return mask.used;
  }

  #build(mask: Mask, slots: number): void {
    const rows = this.#count * this.#group;
    if (mask.data.length < rows * slots) mask.data = new Float32Array(Math.ceil(rows * slots * 1.25));
    const { data } = mask;
    const past = slots - this.#count;
    for (let t = 0, at = 0; t < this.#count; t++) {
      for (let g = 0; g < this.#group; g++, at += slots) {
        data.fill(0, at, at + past + t + 1);
        data.fill(-Infinity, at + past + t + 1, at + slots);
      }
    }
    mask.slots = slots;
    mask.own = new Tensor('float32', data.subarray(0, rows * slots), [rows, slots]);
  }
}
