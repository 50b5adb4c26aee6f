// difference: a frame that looks everywhere as the last encoded one is skipped.
import { z } from 'zod';
import { defineGateMethod } from '../method.ts';

const options = z.strictObject({
  /** Mean |difference| of one of 16 × 12 cells of the picture, in shares of a channel's range, from which on a frame has changed. */
  threshold: z.number().min(0).max(1).default(0.02),
  /** A still stream is encoded again after that long, so that slow change below the threshold is not lost. */
  refreshSec: z.number().positive().default(30),
});

export default defineGateMethod({
  summary: 'skips frames that look everywhere as the last encoded one does',
  source:
    'frame differencing against the last encoded frame, so that slow change adds up, and by the cell that differs most, so that something small in a still picture counts. ' +
    'As in run-length tokenization (arXiv 2411.05222), here for whole frames, what is skipped lets the last one stand longer',
  options,
  budget: { kind: 'adaptive', knob: 'threshold', full: 0, sweep: [0.2, 0.1, 0.05, 0.02, 0.01] },
  runLengths: true,
  open({ threshold: given, refreshSec }) {
    let threshold = given;
    return {
      decide({ difference: { peak }, sinceEncodedSec }) {
        if (peak >= threshold) return { path: 'full', reason: 'changed', score: peak };
        if (sinceEncodedSec >= refreshSec) return { path: 'full', reason: 'refresh', score: peak };
        return { path: 'skip', reason: 'still', score: peak };
      },
      tune(value) {
        threshold = value;
      },
    };
  },
});
