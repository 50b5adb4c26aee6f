// router: a trained gate chooses, patch by patch, what is computed anew.
import { z } from 'zod';
import { featuresOfPatches, normalise, patchFeatureNames } from '../../gate/features.ts';
import { product } from '../../gate/noisy-top-k.ts';
import { builtInRouterWeights } from '../../gate/router-weights.ts';
import { defineVisionMethod } from '../method.ts';
import { selectTokens, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({
  ...tokenOptions,
  /** What computing a patch costs, in logits: 0 is the trade-off that was trained, above it less is computed. */
  price: z.number().min(-1e6).max(1e6).default(0),
});

/** The price at which everything is computed. */
const free = -1e6;

export default defineVisionMethod({
  summary: 'a trained gate chooses the patches that are computed anew; the same tokens go on as under the selecting methods',
  source:
    'noisy top-k gating, Shazeer et al. 2017, arXiv 1701.06538, between computing a patch and reusing it, over its difference, those around it, that of the frame, and its age. ' +
    'Trained with noise and both paths, used without noise and with the better one; a one-sided budget takes the place of the balancing loss. ' +
    'The weights come from `router.json` of the checkpoint, or with the program',
  options,
  needs: ['difference'],
  budget: { kind: 'adaptive', knob: 'price', full: free, sweep: [4, 0, -4, -8, -16] },
  runLengths: true,
  open(given, context) {
    const { price } = given;
    if (price === free) return {};
    const { patches: gate } = context.router ?? builtInRouterWeights();
    const width = patchFeatureNames.length;
    const logits = new Float32Array(gate.experts);
    return {
      patches({ columns, rows, difference, age }) {
        const features = normalise(featuresOfPatches({ columns, rows, difference: difference!, age }), gate);
        return Int32Array.from(age.keys()).filter((patch) => {
          product(features.subarray(patch * width, (patch + 1) * width), gate.gate, logits);
          return logits[0]! - price > logits[1]!;
        });
      },
      ...selectTokens(given, context),
    };
  },
});
