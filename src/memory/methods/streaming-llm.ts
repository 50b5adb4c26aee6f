// streaming-llm: the first tokens and a window of the latest, moved together.
import { z } from 'zod';
import { isDialogue, isOfFrame, keepWhere } from '../frames.ts';
import { defineMemoryMethod, type Plan } from '../method.ts';
import { kindCode, type SlotView } from '../slots.ts';

const options = z.strictObject({
  /** Tokens at the start of the stream that stay as attention sinks; the opening does in any case. */
  sinks: z.int().min(0).default(4),
  /** Latest tokens of frames that stay. What the opening has more than `sinks` is taken from them. */
  window: z.int().min(1).default(2044),
});

/** Keeps sinks, the latest `frames` tokens of frames and the latest `dialogue` tokens of the dialogue. Nothing where all stay. */
function latest(slots: SlotView, sinks: number, frames: number, dialogue: number): Plan | undefined {
  const stays = new Uint8Array(slots.length);
  let left = { frames: Math.max(0, frames), dialogue: Math.max(0, dialogue) };
  let kept = 0;
  for (let slot = slots.length - 1; slot >= 0; slot--) {
    const kind = slots.kind[slot]!;
    if (slot < sinks || kind === kindCode.opening) stays[slot] = 1;
    else if (isDialogue(kind) && left.dialogue > 0) [stays[slot], left] = [1, { ...left, dialogue: left.dialogue - 1 }];
    else if (!isDialogue(kind) && left.frames > 0) [stays[slot], left] = [1, { ...left, frames: left.frames - 1 }];
    kept += stays[slot]!;
  }
  return kept === slots.length ? undefined : keepWhere(slots, (slot) => stays[slot] === 1);
}

/** How many slots are sinks, and how many hold dialogue. */
function counted(slots: SlotView, sinks: number): { readonly sinks: number; readonly dialogue: number } {
  const count = { sinks: 0, dialogue: 0 };
  for (let slot = 0; slot < slots.length; slot++) {
    if (slot < sinks || slots.kind[slot] === kindCode.opening) count.sinks++;
    else if (isDialogue(slots.kind[slot]!)) count.dialogue++;
  }
  return count;
}

export default defineMemoryMethod({
  summary: 'keeps the first tokens as attention sinks and a window of the latest, at contiguous positions',
  source:
    "StreamingLLM, arXiv 2309.17453: sinks and window of a cache of 2,048 tokens, room made before tokens come, positions within the cache. The prompt's opening counts as sinks. " +
    'As in StreamingVLM (arXiv 2510.09608) the dialogue has a window of its own, here as long as memory and context allow; that model was trained for it, this is not. Under a byte cap the window shrinks, then the oldest dialogue goes',
  options,
  needs: [],
  scope: 'stream',
  budget: { kind: 'fixed', knob: 'window', full: 2 ** 30, sweep: [64, 128, 256, 512, 1024, 4096], limit: ({ sinks, window }) => ({ slotsPerHead: sinks + window }) },
  positions: 'contiguous',
  scoreBias: 'none',
  open({ sinks, window }) {
    const trim = (slots: SlotView, coming: number) => latest(slots, sinks, sinks + window - Math.max(sinks, counted(slots, sinks).sinks) - coming, Infinity);
    return {
      before(slots, incoming) {
        return trim(slots, incoming.kind.subarray(0, incoming.count).filter(isOfFrame).length);
      },
      // A chunk longer than the window.
      after: (slots) => trim(slots, 0),
      room(slots, _incoming, limit) {
        const has = counted(slots, sinks);
        const frames = Math.max(0, limit - has.sinks - has.dialogue);
        return latest(slots, sinks, frames, limit - has.sinks - frames) ?? keepWhere(slots, () => true);
      },
    };
  },
});
