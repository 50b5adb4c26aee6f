// dtd: tokens that equal the same place of the frame before are dropped (Differential Token Drop of TimeChat-Online).
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { cosineDistances, keepTokens, tokenMeans } from '../token-plan.ts';

const options = z.strictObject({
  /** What is compared with the frame before: pixels, or visual tokens as the projector makes them. */
  by: z.enum(['pixels', 'features']).default('pixels'),
  /** The smallest difference that counts: mean |difference| of normalised pixels over a token's patches, or 1 − cosine of the features. */
  threshold: z.number().min(0).default(0.1),
});

export default defineVisionMethod({
  summary: 'drops visual tokens that equal the same place of the previous frame, by pixels or by features',
  source:
    'TimeChat-Online, arXiv 2504.17343. Frames are compared one by one, not in pairs of a temporal patch; a feature threshold is given as 1 − cosine, so that for both kinds more is dropped as it rises. ' +
    'The paper keeps positions by three-axis rotary embeddings; with one axis a survivor keeps the very position that it has when nothing is dropped, as long as the stream is within the context',
  options,
  needs: ['difference'],
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.4, 0.2, 0.1, 0.05, 0.02] },
  open({ by, threshold }, { layout }) {
    const distance = new Float32Array(layout.count);
    let previous = new Float32Array(0);
    return {
      // All patches are computed anew, so that the difference to what a patch was computed from is that to the frame before.
      tokens({ tokens, first, difference }) {
        if (!first) {
          if (by === 'pixels') tokenMeans(difference!, layout, distance);
          else cosineDistances(tokens, previous, distance);
        }
        if (by === 'features') previous = tokens.slice();
        return first ? undefined : keepTokens(layout.count, (token) => distance[token]! >= threshold);
      },
    };
  },
});
