// dmc: each head's trained logit says whether a token joins the slot before it or opens one (Dynamic Memory Compression).
import { z } from 'zod';
import { longestUnseenFirst } from '../frames.ts';
import { defineMemoryMethod } from '../method.ts';

const options = z.strictObject({
  /** Most tokens that a slot averages; then the next opens one in any case. Default: what the adapter was trained with, else no limit. */
  mostTokens: z.int().min(1).optional(),
  /** Logit above which a token joins the slot; 0 is what was trained, below it more is merged. */
  threshold: z.number().min(-1e6).max(1e6).default(0),
});

/** Least importance, so that no slot has a weight of 0. */
const epsilon = 1e-6;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export default defineMemoryMethod({
  summary: 'merges each token into the slot before it where the trained model says so, in every head for itself; needs a dmc adapter',
  source:
    'Dynamic Memory Compression, arXiv 2403.09636. A whole chunk is pooled by one segmented scan, where the released code goes token by token; the decision channel is the last of a head, as there. ' +
    'The released code averages the last 12 tokens of a slot; here a limit is an option, and what exceeds it opens a slot. A slot that took in a token of the opening stays. ' +
    'Under a byte cap the slots whose frames were seen longest ago go, then the oldest turns of the dialogue',
  options,
  needs: ['raw-keys'],
  adapter: 'dmc',
  budget: { kind: 'adaptive', knob: 'threshold', full: 1e6, sweep: [-2, -1, 0, 1, 2], limit: () => ({}) },
  inline: 'pool',
  scope: 'head',
  positions: 'stream',
  scoreBias: 'none',
  open({ mostTokens, threshold }, { kvHeads, adapter }) {
    const most = mostTokens ?? adapter?.window ?? Infinity;
    return {
      tune(value) {
        threshold = value;
      },
      pool(slots, { count, decisions, importances, tokens }, { kvHead }) {
        const merge = new Uint8Array(count);
        const weight = new Float32Array(count);
        let held = slots.length > 0 ? slots.tokens[slots.length - 1]! : 0;
        for (let t = 0, at = kvHead; t < count; t++, at += kvHeads) {
          const more = tokens.tokens[t]!;
          merge[t] = Number(decisions[at]! > threshold && held + more <= most && (t > 0 || slots.length > 0));
          held = merge[t] === 1 ? held + more : more;
          weight[t] = sigmoid(importances[at]!) + epsilon;
        }
        return { merge, weight };
      },
      room: longestUnseenFirst,
    };
  },
});
