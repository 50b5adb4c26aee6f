// router: a trained gate sends each frame to the full path, the cheap one, or none.
import { z } from 'zod';
import { featuresOfFrame, normalise } from '../features.ts';
import { defineGateMethod, gatePaths, pathCost } from '../method.ts';
import { best, product } from '../noisy-top-k.ts';

const options = z.strictObject({
  /** What the work of a full frame costs, in logits: 0 is the trade-off that was trained, above it less is computed. */
  price: z.number().min(-1e6).max(1e6).default(0),
  /** A still stream is encoded again after that long. */
  refreshSec: z.number().positive().default(30),
});

export default defineGateMethod({
  summary: 'a trained gate sends each frame to the full path, the cheap one, or none',
  source:
    'noisy top-k gating, Shazeer et al. 2017, arXiv 1701.06538, over differences, motion, picture type, bytes and time instead of hidden states. Trained with noise and k = 2 of 3, used without noise and with k = 1. ' +
    'Balance is not wanted, since a still scene should skip everything: a one-sided budget, as in Dynamic Memory Compression (arXiv 2403.09636), takes the place of the balancing loss. ' +
    'The weights come from `router.json` of the checkpoint, or with the program',
  options,
  budget: { kind: 'adaptive', knob: 'price', full: -1e6, sweep: [4, 0, -4, -8, -16] },
  runLengths: true,
  open({ price: given, refreshSec }, { router: { frames } }) {
    let price = given;
    const logits = new Float32Array(frames.experts);
    return {
      decide(view) {
        product(normalise(featuresOfFrame(view), frames), frames.gate, logits);
        const gain = logits[0]! - logits[2]!;
        gatePaths.forEach((path, e) => (logits[e]! -= price * pathCost[path]));
        const path = gatePaths[best(logits)]!;
        if (path === 'skip' && view.sinceEncodedSec >= refreshSec) return { path: 'full', reason: 'refresh', score: gain };
        return { path, reason: path === 'skip' ? 'still' : 'learned', score: gain };
      },
      tune(value) {
        price = value;
      },
    };
  },
});
