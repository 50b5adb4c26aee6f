// An index of frames by their keys: what a question is compared with to find the frames that it is about (ReKV, arXiv 2503.00540).
import { isOfFrame } from './frames.ts';
import type { OpenContext, Projected } from './method.ts';
import { RawKeys } from './raw-keys.ts';
import { kindCode, type SlotView } from './slots.ts';

/** Means of the visual keys of each stored frame, layer by layer, before the rotary embedding. */
export class FrameIndex {
  readonly #raw: RawKeys;
  readonly #queryHeads: number;
  readonly #kvHeads: number;
  /** By layer: frame → float32 [H, D]. */
  readonly #means: Map<number, Float32Array>[];

  constructor(context: OpenContext) {
    this.#raw = new RawKeys(context);
    this.#queryHeads = context.queryHeads;
    this.#kvHeads = context.kvHeads;
    this.#means = Array.from({ length: context.layers }, () => new Map<number, Float32Array>());
  }

  /** Takes in the stored frames that are new, but for the one that the chunk goes on with. */
  learn(layer: number, { heads, tokens }: Projected): void {
    const means = this.#means[layer]!;
    const underWay = isOfFrame(tokens.kind[0]!) ? tokens.source[0] : undefined;
    const slots = heads[0]!;
    for (let end = slots.length; end > 0; ) {
      let start = end - 1;
      const frame = slots.source[start]!;
      while (start > 0 && slots.source[start - 1] === frame && slots.kind[start - 1] === slots.kind[end - 1]) start--;
      if (slots.kind[start] === kindCode.visual && frame !== underWay) {
        // All before it was taken in when this one was.
        if (means.has(frame)) break;
        means.set(frame, this.#meanKeys(heads, start, end));
      }
      end = start;
    }
  }

  /** Stored frames of a layer, those first whose mean key has the largest cosine with the mean query of the chunk's question; of equal ones the newer. */
  rank(layer: number, chunk: Projected): number[] {
    this.learn(layer, chunk);
    const query = this.#meanQuery(chunk);
    const cosines = [...this.#means[layer]!].map(([frame, mean]) => {
      let product = 0;
      let square = 0;
      for (let i = 0; i < mean.length; i++) {
        product += mean[i]! * query[i]!;
        square += mean[i]! * mean[i]!;
      }
      // The length of the query is that of all.
      return { frame, cosine: product / (Math.sqrt(square) || 1) };
    });
    return cosines.sort((a, b) => b.cosine - a.cosine || b.frame - a.frame).map(({ frame }) => frame);
  }

  #meanKeys(heads: readonly SlotView[], start: number, end: number): Float32Array {
    const { width } = this.#raw;
    const mean = new Float32Array(heads.length * width);
    for (const [h, slots] of heads.entries()) {
      for (let slot = start; slot < end; slot++) {
        const key = this.#raw.of(slots, slot);
        for (let d = 0; d < width; d++) mean[h * width + d]! += key[d]! / (end - start);
      }
    }
    return mean;
  }

  /** float32 [H, D]: queries of the question's tokens, summed over the query heads of each KV head: the product with a key repeated for each of them. */
  #meanQuery({ count, queries, tokens }: Projected): Float32Array {
    const { width } = this.#raw;
    const group = this.#queryHeads / this.#kvHeads;
    const sum = new Float32Array(this.#kvHeads * width);
    for (let t = 0; t < count; t++) {
      if (tokens.kind[t] !== kindCode.question) continue;
      for (let h = 0; h < this.#kvHeads; h++) {
        for (let g = 0; g < group; g++) {
          const query = this.#raw.turned(queries, ((h * count + t) * group + g) * width, -tokens.position[t]!);
          for (let d = 0; d < width; d++) sum[h * width + d]! += query[d]!;
        }
      }
    }
    return sum;
  }
}
