// budget: at most so many patches of a frame are computed, those that changed most.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { createPatchSelector, selectionOptions } from '../patch-selection.ts';
import { createTokenSelector, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({
  ...selectionOptions,
  ...tokenOptions,
  /** Share of the patches that a frame after the first may compute. 1 computes everything. */
  patchRatio: z.number().gt(0).max(1).default(0.125),
});

const most = (patchRatio: number, count: number) => Math.max(1, Math.floor(patchRatio * count + 1e-9));

export default defineVisionMethod({
  summary: 'computes at most a share of the patches of a frame, those that changed most; the others wait for their turn',
  source:
    'top-k by score, as the fixed-compute policy of Eventful Transformers (arXiv 2308.13494), with the change of pixels for a score. What waits is scored by its change times the frames that it has waited, ' +
    'so that nothing waits for ever; a cut is caught up on over the frames after it',
  options,
  needs: ['difference'],
  budget: { kind: 'fixed', knob: 'patchRatio', full: 1, sweep: [0.03, 0.0625, 0.125, 0.25, 0.5], limit: ({ patchRatio }, count) => most(patchRatio, count) },
  runLengths: true,
  open(given, context) {
    if (given.patchRatio === 1) return {};
    const selector = createPatchSelector(given, context);
    const limit = most(given.patchRatio, context.columns * context.rows);
    const waited = new Int32Array(context.columns * context.rows);
    return {
      patches(view) {
        const selection = selector.select(view);
        const { changed } = selection;
        const wanted = Int32Array.from(changed.keys()).filter((patch) => changed[patch] === 1);
        for (const patch of wanted) waited[patch]!++;
        const score = (patch: number) => view.change![patch]! * waited[patch]!;
        const left = wanted.toSorted((a, b) => score(b) - score(a) || a - b).subarray(limit);
        for (const patch of left) changed[patch] = 0;
        for (let patch = 0; patch < waited.length; patch++) if (changed[patch] === 1 || !wanted.includes(patch)) waited[patch] = 0;
        return selector.withRefresh({ ...selection, changedCount: wanted.length - left.length }, view, limit);
      },
      tokens: createTokenSelector(given, context),
    };
  },
});
