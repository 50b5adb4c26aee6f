// tome: the most similar visual tokens of each frame are merged (token merging).
import { z } from 'zod';
import { matchTokens } from '../bipartite-matching.ts';
import { defineVisionMethod } from '../method.ts';

const options = z.strictObject({
  /** Share of a frame's tokens that is left. */
  keepRatio: z.number().gt(0).max(1).default(0.5),
});

const left = (keepRatio: number, count: number) => Math.max(1, Math.ceil(keepRatio * count - 1e-9));

export default defineVisionMethod({
  summary: "merges the most similar tokens of each frame by bipartite soft matching, until a share of them is left",
  source:
    'token merging, arXiv 2210.09461: bipartite soft matching, size-weighted means, and proportional attention, the log of the count on the score of a merged token. ' +
    "The paper merges r tokens in every layer of the encoder by the cosine of attention keys; here the projector's tokens are merged once, by their own cosine, in as many rounds as the share needs: " +
    'the projector wants whole squares of patches, and the work saved is that of the language model. A merged token takes the place of its first member',
  options,
  needs: [],
  budget: { kind: 'fixed', knob: 'keepRatio', full: 1, sweep: [0.125, 0.25, 0.5, 0.75], tokens: ({ keepRatio }, count) => left(keepRatio, count) },
  open: ({ keepRatio }, { layout: { count } }) => ({
    tokens({ tokens }) {
      const keep = left(keepRatio, count);
      return keep === count ? undefined : matchTokens(tokens, count, keep);
    },
  }),
});
