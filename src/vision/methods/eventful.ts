// eventful: patches whose features moved away from a reference inside the encoder are computed on, layer by layer.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { selectTokens, tokenOptions } from '../token-selection.ts';

const options = z.strictObject({
  ...tokenOptions,
  /** How far the vector that enters a layer has to be from the one that the layer last took, relative to its length, to be computed on. 0 computes everything. */
  threshold: z.number().min(0).default(0.15),
});

export default defineVisionMethod({
  summary: 'computes on, before each layer of the encoder, only patches whose features moved away from what the layer last saw of them',
  source:
    'Eventful Transformers, arXiv 2308.13494, with its threshold policy: a gate before each layer compares a token with the reference of its last update. ' +
    'The paper gates every token-wise operation, so that a token may stop and a deeper layer still update it; here a patch that stops at a layer keeps all that it has above it. ' +
    'Distances are relative to the reference, so that one threshold fits all layers. All patches are embedded in every frame',
  options,
  needs: [],
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.6, 0.3, 0.15, 0.075, 0.04] },
  runLengths: true,
  open(given, context) {
    const { threshold } = given;
    if (threshold === 0) return {};
    return {
      gate: (_layer, rows, distance) => Int32Array.from(rows.keys()).filter((row) => distance[row]! >= threshold),
      ...selectTokens(given, context),
    };
  },
});
