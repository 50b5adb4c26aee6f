// dms: each head's trained logit says which tokens are to go, and they go once they are a window away (Dynamic Memory Sparsification).
import { z } from 'zod';
import { longestUnseenFirst } from '../frames.ts';
import { defineMemoryMethod } from '../method.ts';

const options = z.strictObject({
  /** Positions for which a token that is to go stays in sight. Default: what the adapter was trained with, else 256. */
  window: z.int().min(0).optional(),
  /** Logit above which a token is to go; 0 is what was trained, below it more goes. */
  threshold: z.number().min(-1e6).max(1e6).default(0),
});

export default defineMemoryMethod({
  summary: 'drops tokens that the trained model has marked, a window after they came, in every head for itself; needs a dms adapter',
  source:
    'Dynamic Memory Sparsification, arXiv 2506.05345: what is decided at a token concerns the one before it. Within a chunk each query sees just what it would if tokens came one by one. The opening stays, ' +
    'whatever was decided. The window counts positions of the stream, tokens that were not passed on included. Under a byte cap the slots whose frames were seen longest ago go, then the oldest turns of the dialogue',
  options,
  needs: [],
  adapter: 'dms',
  budget: { kind: 'adaptive', knob: 'threshold', full: 1e6, sweep: [-2, -1, 0, 1, 2], limit: () => ({}) },
  inline: 'evict',
  scope: 'head',
  positions: 'stream',
  scoreBias: 'none',
  open({ window, threshold }, { kvHeads, adapter }) {
    const delay = window ?? adapter?.window ?? 256;
    return {
      tune(value) {
        threshold = value;
      },
      evict(_slots, { count, decisions }, { kvHead }) {
        return { goes: Uint8Array.from({ length: count }, (_, t) => Number(decisions[t * kvHeads + kvHead]! > threshold)), delay };
      },
      room: longestUnseenFirst,
    };
  },
});
