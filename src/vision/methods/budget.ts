// budget: at most so many patches of a frame are computed, those that changed most.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { createPatchSelector, patchesOfShare, selectionOptions } from '../patch-selection.ts';
import { selectTokens, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({
  ...selectionOptions,
  ...tokenOptions,
  /** Share of the patches that a frame after the first may compute. 1 computes everything. */
  patchRatio: z.number().gt(0).max(1).default(0.125),
});

export default defineVisionMethod({
  summary: 'computes at most a share of the patches of a frame, those that changed most; the others wait for their turn',
  source:
    'top-k by score, as the fixed-compute policy of Eventful Transformers (arXiv 2308.13494), with the change of pixels for a score. What waits is scored by its change times the frames that it has waited, ' +
    'so that nothing waits for ever; a cut is caught up on over the frames after it',
  options,
  needs: ['difference'],
  budget: { kind: 'fixed', knob: 'patchRatio', full: 1, sweep: [0.03, 0.0625, 0.125, 0.25, 0.5], limit: ({ patchRatio }, count) => patchesOfShare(patchRatio, count) },
  runLengths: true,
  open(given, context) {
    if (given.patchRatio === 1) return {};
    const selector = createPatchSelector(given, context);
    const count = context.columns * context.rows;
    const limit = patchesOfShare(given.patchRatio, count);
    /** int32 [P]: frames that a patch has been wanted for without a break. */
    const waited = new Int32Array(count);
    return {
      patches(view) {
        const selection = selector.select(view);
        const { changed } = selection;
        for (let patch = 0; patch < count; patch++) waited[patch] = changed[patch] === 1 ? waited[patch]! + 1 : 0;
        const score = (patch: number) => view.change![patch]! * waited[patch]!;
        const wanted = Int32Array.from(changed.keys())
          .filter((patch) => changed[patch] === 1)
          .sort((a, b) => score(b) - score(a) || a - b);
        const taken = wanted.subarray(0, limit);
        for (const patch of wanted.subarray(limit)) changed[patch] = 0;
        for (const patch of taken) waited[patch] = 0;
        return selector.withRefresh({ ...selection, changedCount: taken.length }, view, limit);
      },
      ...selectTokens(given, context),
    };
  },
});
