// uniform: k frames stay, evenly spaced over the stream so far.
import { z } from 'zod';
import { newFrame, shrinkTo, storedFrames, withoutFrames, type StoredFrame } from '../frames.ts';
import { defineMemoryMethod } from '../method.ts';

const options = z.strictObject({
  /** Frames that stay; the first and the newest always do. */
  frames: z.int().min(2).default(16),
});

/**
 * Frames in the order in which an online thinning drops them: each time the one whose neighbours are closest to each other in time, the older of two
 * such. Gaps stay within a factor of two of each other, however long the stream. The first and the last of the list never go.
 */
function thinning(frames: readonly StoredFrame[], count: number): StoredFrame[] {
  const left = [...frames];
  const dropped: StoredFrame[] = [];
  while (dropped.length < count && left.length > 2) {
    let best = 1;
    for (let i = 2; i < left.length - 1; i++) {
      if (left[i + 1]!.timeSec - left[i - 1]!.timeSec < left[best + 1]!.timeSec - left[best - 1]!.timeSec) best = i;
    }
    dropped.push(...left.splice(best, 1));
  }
  return dropped;
}

export default defineMemoryMethod({
  summary: 'keeps k frames evenly spaced over the stream so far; the opening and the dialogue stay',
  source: 'uniform frame sampling, done online: what was dropped cannot come back, so gaps differ by up to a factor of two. Under a byte cap frames are thinned further, then the oldest turns of the dialogue go',
  options,
  needs: [],
  scope: 'stream',
  budget: { kind: 'fixed', knob: 'frames', full: 2 ** 30, sweep: [4, 8, 16, 32, 64], limit: ({ frames }) => ({ frames }) },
  positions: 'stream',
  scoreBias: 'none',
  open: ({ frames }) => ({
    tune(value) {
      frames = value;
    },
    before(slots, incoming) {
      const coming = newFrame(slots, incoming);
      if (coming === undefined) return undefined;
      const all = [...storedFrames(slots), coming];
      const surplus = all.length - frames;
      return surplus > 0 ? withoutFrames(slots, new Set(thinning(all, surplus).map(({ source }) => source))) : undefined;
    },
    room(slots, incoming, limit) {
      const coming = newFrame(slots, incoming);
      const stored = storedFrames(slots);
      const all = coming ? [...stored, coming] : stored;
      const thinned = thinning(all, all.length);
      return shrinkTo(slots, incoming, limit, [...thinned, ...stored.filter((frame) => !thinned.includes(frame))]);
    },
  }),
});
