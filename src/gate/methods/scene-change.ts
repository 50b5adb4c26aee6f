// scene-change: one frame of each scene, and one every few seconds within it.
import { z } from 'zod';
import { defineGateMethod } from '../method.ts';

const options = z.strictObject({
  /** Distance of the colour histograms of neighbouring frames from which on the scene has changed, if their pixels differ as well. */
  cut: z.number().min(0).max(1).default(0.25),
  /** Mean |difference| of the pixels of neighbouring frames that a cut has at least: a change of light has less. */
  step: z.number().min(0).max(1).default(0.06),
  /** Within a scene a frame is taken after that long. */
  everySec: z.number().min(0).default(5),
});

export default defineGateMethod({
  summary: 'takes the first frame of each scene and one every few seconds after it',
  source:
    'key frames by shot boundary detection: histogram and pixel difference of neighbouring frames together, as reviewed in Smeaton, Over and Doherty 2010 (TRECVID shot boundary detection). ' +
    'The frame of the cut itself is taken; blends are found as a sum only by the frames taken on the way',
  options,
  budget: { kind: 'fixed', knob: 'everySec', full: 0, sweep: [20, 10, 5, 2, 1] },
  open({ cut, step: leastStep, everySec: given }) {
    let everySec = given;
    return {
      decide({ histogram, step, sinceFullSec }) {
        if (histogram >= cut && step.mean >= leastStep) return { path: 'full', reason: 'cut', score: histogram };
        // Times of frames are sums of their durations: a little short is in time.
        if (sinceFullSec >= everySec - 1e-6) return { path: 'full', reason: 'refresh', score: histogram };
        return { path: 'skip', reason: 'still', score: histogram };
      },
      tune(value) {
        everySec = value;
      },
    };
  },
});
