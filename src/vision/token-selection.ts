// Which visual tokens carry something new: what the selecting vision methods share.
import { z } from 'zod';
import type { TokenView, VisionContext } from './method.ts';

/** Options of every method that leaves out visual tokens that say nothing new. */
export const tokenOptions = {
  /** `new`: only tokens that carry something new go on, and the memory counts how long the others stand; `all`: every token of every frame. */
  tokens: z.enum(['new', 'all']).default('new'),
  /** 1 − cosine to the last token that went on from the same place, at which a recomputed token is new. 0: every recomputed token is. */
  tokenThreshold: z.number().min(0).max(2).default(0.01),
};

export type TokenOptions = z.output<z.ZodObject<typeof tokenOptions>>;

/** One stream's plans: see `VisionMethodStream.tokens`. */
export function createTokenSelector({ tokens: which, tokenThreshold }: TokenOptions, { layout }: Pick<VisionContext, 'layout'>): (view: TokenView) => Int32Array | undefined {
  const { count } = layout;
  /** float32 [tokens, width]: what last went on from each place. */
  let shown = new Float32Array();
  return ({ tokens, changed, first }) => {
    if (which === 'all') return undefined;
    const width = tokens.length / count;
    if (first || shown.length === 0) {
      shown = tokens.slice();
      return undefined;
    }
    const plan = new Int32Array(count).fill(-1);
    let kept = 0;
    for (const token of changed) {
      if (distance(tokens, shown, token * width, width) < tokenThreshold) continue;
      plan[token] = kept++;
      shown.set(tokens.subarray(token * width, (token + 1) * width), token * width);
    }
    return kept === count ? undefined : plan;
  };
}

/** 1 − cosine of one row of two matrices. */
function distance(a: Float32Array, b: Float32Array, from: number, width: number): number {
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = from; i < from + width; i++) {
    product += a[i]! * b[i]!;
    squareA += a[i]! * a[i]!;
    squareB += b[i]! * b[i]!;
  }
  return squareA === squareB && product === squareA ? 0 : 1 - product / (Math.sqrt(squareA * squareB) || 1);
}
