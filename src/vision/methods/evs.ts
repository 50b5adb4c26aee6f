// evs: of the tokens of the last frames, those below a quantile of the difference to the frame before are pruned (Efficient Video Sampling).
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';
import { cosineDistances, keepTokens } from '../token-plan.ts';

const options = z.strictObject({
  /** Share of the tokens of a pruning window that is dropped. */
  dropRatio: z.number().min(0).lt(1).default(0.75),
  /** Frames that a pruning window looks back on, the newest one included. */
  windowFrames: z.int().min(1).default(16),
});

/** Which of the newest tokens are among the `keep` largest of the window; of equal ones the older are, as in a stable sort. */
function amongLargest(window: readonly Float32Array[], keep: number): (token: number) => boolean {
  const sorted = Float32Array.from(window.flatMap((frame) => [...frame])).sort();
  const threshold = keep > 0 ? sorted[sorted.length - keep]! : Infinity;
  const newest = window.at(-1)!;
  let places = keep;
  for (const frame of window) for (const value of frame) if (value > threshold) places--;
  for (const frame of window.slice(0, -1)) for (const value of frame) if (value === threshold) places--;
  const kept = newest.map((value) => Number(value > threshold || (value === threshold && places-- > 0)));
  return (token) => kept[token] === 1;
}

export default defineVisionMethod({
  summary: 'drops the tokens whose difference to the previous frame is below a quantile over a window of frames',
  source:
    'Efficient Video Sampling, arXiv 2510.14624: 1 − cosine of projected tokens at the same place of neighbouring frames, the first frame whole. ' +
    "The paper ranks all tokens of a finished video; a stream's frames are ranked as they come, among those of a window that looks back, and the whole first frame is not charged to it",
  options,
  needs: [],
  budget: { kind: 'fixed', knob: 'dropRatio', full: 0, sweep: [0.9, 0.75, 0.5, 0.25] },
  open({ dropRatio, windowFrames }, { layout }) {
    let window: Float32Array[] = [];
    let previous = new Float32Array(0);
    return {
      tokens({ tokens, first }) {
        const before = previous;
        previous = tokens.slice();
        if (first) {
          window = [];
          return undefined;
        }
        window = [...window, cosineDistances(tokens, before, new Float32Array(layout.count))].slice(-windowFrames);
        // The small term keeps 10 · (1 − 0.9) from becoming 0.
        const keep = Math.floor(window.length * layout.count * (1 - dropRatio) + 1e-9);
        return keepTokens(layout.count, amongLargest(window, keep));
      },
    };
  },
});
