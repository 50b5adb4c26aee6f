// Which visual tokens carry something new: what the selecting vision methods share.
import { z } from 'zod';
import type { VisionContext, VisionMethodStream } from './method.ts';

/** Options of every method that leaves out visual tokens that say nothing new. */
export const tokenOptions = {
  /** `new`: only tokens that carry something new go on, and the memory counts how long the others stand; `all`: every token of every frame. */
  tokens: z.enum(['new', 'all']).default('new'),
  /** 1 − cosine to the last token that went on from the same place, at which a recomputed token is new. 0: every recomputed token is. */
  tokenThreshold: z.number().min(0).max(2).default(0.01),
  /** `shown`: a question also sees what the newest frame held back, and the memory forgets it again with the answer; `hidden`: only what went on. */
  heldBack: z.enum(['shown', 'hidden']).default('hidden'),
};

export type TokenOptions = z.output<z.ZodObject<typeof tokenOptions>>;

/** One stream's selection of tokens. */
export function selectTokens({ tokens: which, tokenThreshold, heldBack }: TokenOptions, { layout }: Pick<VisionContext, 'layout'>): Pick<VisionMethodStream, 'tokens' | 'showsHeldBack'> {
  if (which === 'all') return {};
  const { count } = layout;
  /** float32 [tokens, width]: what last went on from each place. */
  let shown = new Float32Array();
  const plan: VisionMethodStream['tokens'] = ({ tokens, changed, first, lost }) => {
    const width = tokens.length / count;
    if (first || shown.length === 0) {
      shown = tokens.slice();
      return undefined;
    }
    const to = new Int32Array(count).fill(-1);
    const isNew = (token: number) => tokenThreshold === 0 || distance(tokens, shown, token * width, width) >= tokenThreshold;
    let kept = 0;
    for (const token of Int32Array.from(new Set([...changed.filter(isNew), ...lost])).sort()) {
      to[token] = kept++;
      shown.set(tokens.subarray(token * width, (token + 1) * width), token * width);
    }
    return kept === count ? undefined : to;
  };
  return { tokens: plan, showsHeldBack: heldBack === 'shown' };
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
