// fifo: the last N frames stay. Simple, and hard to beat.
import { z } from 'zod';
import { newFrame, shrinkTo, storedFrames, withoutFrames } from '../frames.ts';
import { defineMemoryMethod } from '../method.ts';

const options = z.strictObject({
  /** Frames that stay, the newest one included. */
  frames: z.int().min(1).default(16),
});

export default defineMemoryMethod({
  summary: 'keeps the last N frames; the opening and the dialogue stay',
  source: 'sliding window over whole frames; tokens keep their true positions (StreamingLLM renumbers them). Under a byte cap the oldest frames go first, then the oldest turns of the dialogue',
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
      if (newFrame(slots, incoming) === undefined) return undefined;
      const stored = storedFrames(slots);
      const surplus = stored.length + 1 - frames;
      return surplus > 0 ? withoutFrames(slots, new Set(stored.slice(0, surplus).map(({ source }) => source))) : undefined;
    },
    room: (slots, incoming, limit) => shrinkTo(slots, incoming, limit, storedFrames(slots)),
  }),
});
