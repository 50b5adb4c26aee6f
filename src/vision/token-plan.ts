// What several vision methods share: differences of visual tokens from frame to frame, and the plan that keeps some of them.
import type { TokenLayout } from './projector.ts';

/**
 * Means over the patches of each token.
 * @param perPatch float32 [P]
 * @param into float32 [tokens]
 */
export function tokenMeans(perPatch: Float32Array, { count, sources, patches, shares }: TokenLayout, into: Float32Array): Float32Array {
  for (let token = 0, at = 0; token < count; token++) {
    let sum = 0;
    for (let i = 0; i < sources; i++, at++) sum += perPatch[patches[at]!]! * (shares ? shares[at]! : 1 / sources);
    into[token] = sum;
  }
  return into;
}

/**
 * 1 − cosine of row t of `a` and row t of `b`, for all rows; 0 to 2. A row of zeros is 0 from another and 1 from anything else.
 * @param a float32 [tokens, width]
 * @param b float32 [tokens, width]
 * @param into float32 [tokens]
 */
export function cosineDistances(a: Float32Array, b: Float32Array, into: Float32Array): Float32Array {
  const width = a.length / into.length;
  for (let token = 0, at = 0; token < into.length; token++) {
    let product = 0;
    let squareA = 0;
    let squareB = 0;
    for (let i = 0; i < width; i++, at++) {
      product += a[at]! * b[at]!;
      squareA += a[at]! * a[at]!;
      squareB += b[at]! * b[at]!;
    }
    // Equal rows are at 0 exactly, whatever rounding makes of the root.
    into[token] = squareA === squareB && product === squareA ? 0 : 1 - product / (Math.sqrt(squareA * squareB) || 1);
  }
  return into;
}

/** The plan under which the tokens that `stays` names go on and the others are dropped; nothing where all go on. */
export function keepTokens(count: number, stays: (token: number) => boolean): Int32Array | undefined {
  const to = new Int32Array(count);
  let kept = 0;
  for (let token = 0; token < count; token++) to[token] = stays(token) ? kept++ : -1;
  return kept === count ? undefined : to;
}
