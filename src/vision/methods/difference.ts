// difference: only patches that changed since they were last computed are computed anew, and only visual tokens that say something new go on.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { createPatchSelector, selectionOptions } from '../patch-selection.ts';
import { selectTokens, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({ ...selectionOptions, ...tokenOptions });

export default defineVisionMethod({
  summary: 'computes only patches that changed, in every layer, and passes on only tokens that are new; the memory counts how long the others stand',
  source:
    'conditional replenishment of video coders (ITU-T H.261: blocks are sent anew where they changed, and each one now and then), applied to the patches of a vision transformer. ' +
    'Change is measured over cells of a few pixels against the picture that a patch was computed from, so that noise cancels out and slow change adds up',
  options,
  needs: ['difference'],
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.24, 0.12, 0.06, 0.03, 0.015] },
  runLengths: true,
  open(given, context) {
    if (given.threshold === 0) return {};
    const selector = createPatchSelector(given, context);
    return {
      patches: (view) => selector.patches(view),
      ...selectTokens(given, context),
    };
  },
});
