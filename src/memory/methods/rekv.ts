// rekv: everything is stored; frames are read through a sliding window, and a question looks at the frames that are closest to it.
import { z } from 'zod';
import { FrameIndex } from '../frame-index.ts';
import { isDialogue, isOfFrame } from '../frames.ts';
import { defineMemoryMethod } from '../method.ts';
import { kindCode, type SlotView } from '../slots.ts';

const options = z.strictObject({
  /** Frames that a question looks at, in each layer. */
  frames: z.int().min(1).default(64),
  /** Latest slots that a new frame looks at, besides the opening. */
  window: z.int().min(1).default(15_000),
});

/** The slots that `stays` names; nothing where those are all. */
function picked(slots: SlotView, stays: (slot: number) => boolean): Int32Array | undefined {
  const list = new Int32Array(slots.length);
  let count = 0;
  for (let slot = 0; slot < slots.length; slot++) if (stays(slot)) list[count++] = slot;
  return count === slots.length ? undefined : list.subarray(0, count);
}

/** As many frames as fit, best first; text stays in any case. */
function fitting(slots: SlotView, ranked: readonly number[], most: number, room: number): ReadonlySet<number> {
  const sizes = new Map<number, number>();
  let left = room;
  for (let slot = 0; slot < slots.length; slot++) {
    if (isOfFrame(slots.kind[slot]!)) sizes.set(slots.source[slot]!, (sizes.get(slots.source[slot]!) ?? 0) + 1);
    else left--;
  }
  const chosen = new Set<number>();
  for (const frame of ranked) {
    left -= sizes.get(frame) ?? 0;
    if (chosen.size === most || left < 0) break;
    chosen.add(frame);
  }
  return chosen;
}

export default defineMemoryMethod({
  summary: 'stores everything; each question looks at the frames whose keys are closest to it, layer by layer',
  source:
    'ReKV, arXiv 2503.00540: a frame is represented in each layer by the mean of its visual keys before the rotary embedding, all heads together, a question by the mean of its queries; the closest frames by cosine ' +
    '(the released code takes the inner product) are seen at contiguous positions after the opening. Stored keys are in main memory already, so nothing is off-loaded and all of it counts as live. ' +
    'The dialogue stays in sight, where the paper answers each question alone; an answer looks at the frames of its question; a question longer than a chunk chooses anew in each',
  options,
  needs: [],
  inline: 'select',
  scope: 'layer',
  budget: { kind: 'fixed', knob: 'frames', full: 2 ** 30, sweep: [4, 8, 16, 32, 64], limit: ({ frames }) => ({ framesSeen: frames }) },
  positions: 'look',
  scoreBias: 'none',
  open({ frames, window }, context) {
    const index = new FrameIndex(context);
    /** Frames by layer, closest to the last question first. */
    const ranked: (readonly number[])[] = [];
    return {
      select(slots, chunk, { layer }) {
        const kinds = chunk.tokens.kind.subarray(0, chunk.count);
        const room = context.contextLength - chunk.count;
        if (kinds.includes(kindCode.question)) ranked[layer] = index.rank(layer, chunk);
        if (kinds.every(isDialogue) && ranked[layer]) {
          const chosen = fitting(slots, ranked[layer], frames, room);
          return picked(slots, (slot) => !isOfFrame(slots.kind[slot]!) || chosen.has(slots.source[slot]!));
        }
        index.learn(layer, chunk);
        const openings = slots.kind.subarray(0, slots.length).filter((kind) => kind === kindCode.opening).length;
        const first = slots.length - Math.min(window, room - openings);
        return picked(slots, (slot) => slot >= first || slots.kind[slot] === kindCode.opening);
      },
    };
  },
});
