// rlt: patches that still look as when they were last kept are neither computed nor passed on; the memory knows how long each token stands.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { keepTokens } from '../token-plan.ts';

const options = z.strictObject({
  /** Mean |difference| of normalised pixels to the last kept patch of the place, below which a patch stands still. */
  threshold: z.number().min(0).default(0.1),
});

export default defineVisionMethod({
  summary: 'computes and passes on only what changed since it was last kept, and counts how long each token stands',
  source:
    'run-length tokenization, arXiv 2411.05222, for a frozen model and a stream. The paper compares neighbouring frames; here a patch is compared with the last kept one, so that slow change adds up. ' +
    'Its encoder attends among the kept patches of a clip; here kept patches attend to the stored keys and values of all. ' +
    'Its learned embedding of the run length, known ahead, is replaced by the log of the run length so far on the attention score of the token, as if each repeat had a slot of its own',
  options,
  needs: ['difference'],
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.4, 0.2, 0.1, 0.05, 0.02] },
  runLengths: true,
  open: ({ threshold }, { layout }) => ({
    patches: ({ difference }) => Int32Array.from(difference!.keys()).filter((patch) => difference![patch]! >= threshold),
    tokens({ changed }) {
      const kept = new Set(changed);
      return keepTokens(layout.count, (token) => kept.has(token));
    },
  }),
});
