// motion-compensated: as `difference`, but a picture that moved a little as a whole is first moved back onto what was computed.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { createPatchSelector, selectionOptions } from '../patch-selection.ts';
import { selectTokens, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({
  ...selectionOptions,
  ...tokenOptions,
  /** The furthest that a picture is moved back, in pixels of the encoder's input, either way. A camera that moved further is looked at anew. */
  reachPx: z.int().min(1).max(64).default(8),
});

export default defineVisionMethod({
  summary: 'removes the motion of a shaking or slowly moving camera, then computes only patches that changed',
  source:
    'global motion compensation (MPEG-4 part 2) by the median of the vectors of the codec, or the shift of the sums of columns and rows where it gives none, both verified on the pixels. ' +
    'The encoder sees the picture where the last whole one was, at most `reachPx` away from its true place, so that all patches of a frame fit together. ' +
    'Moving stored outputs by whole patches instead would keep the positions that they learned at their old place',
  options,
  needs: ['difference'],
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.24, 0.12, 0.06, 0.03, 0.015] },
  runLengths: true,
  open(given, context) {
    if (given.threshold === 0) return {};
    const selector = createPatchSelector(given, context);
    return {
      steadyPx: given.reachPx,
      patches: (view) => selector.patches(view),
      ...selectTokens(given, context),
    };
  },
});
