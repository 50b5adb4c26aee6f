// merge: a visual token joins the latest slot of its place when their keys are alike (training-free DMC).
import { z } from 'zod';
import { isOfFrame, longestUnseenFirst, newestFrame, newFrame } from '../frames.ts';
import { defineMemoryMethod, type Plan } from '../method.ts';
import { norm, RawKeys } from '../raw-keys.ts';
import { kindCode, type SlotView } from '../slots.ts';

const options = z.strictObject({
  /** Cosine of keys before the rotary embedding above which a token joins the slot. */
  threshold: z.number().min(-1).max(1).default(0.9),
});

const isVisual = (slots: SlotView, slot: number) => slots.kind[slot] === kindCode.visual;

/** The slot that each visual slot of a frame joins, −1 for none: int32 [length]. Nothing where none joins any. */
function joins(slots: SlotView, frame: number, threshold: number, raw: RawKeys): Int32Array | undefined {
  const latest: (number | undefined)[] = [];
  const into = new Int32Array(slots.length).fill(-1);
  let joined = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    if (!isVisual(slots, slot)) continue;
    const place = slots.place[slot]!;
    const before = latest[place];
    if (before !== undefined && slots.source[slot] === frame && raw.cosine(slots, slot, before) > threshold) {
      into[slot] = before;
      joined++;
    }
    // Slots that took in later tokens stand before slots of earlier ones.
    if (before === undefined || slots.position[slot]! > slots.position[before]!) latest[place] = slot;
  }
  return joined > 0 ? into : undefined;
}

/** Frames that no visual slot is of any more, the newest excepted: the text around them means nothing then. */
function emptied(slots: SlotView, into: Int32Array, newest: number): ReadonlySet<number> {
  const frames = new Map<number, boolean>();
  const replaced = new Set(into);
  for (let slot = 0; slot < slots.length; slot++) {
    const kind = slots.kind[slot]!;
    if (!isOfFrame(kind)) continue;
    const source = slots.source[slot]!;
    // A slot that was joined becomes one of the later frame.
    if (kind === kindCode.visual && !replaced.has(slot)) frames.set(source, true);
    else if (!frames.has(source)) frames.set(source, false);
  }
  return new Set([...frames].filter(([source, filled]) => !filled && source !== newest).map(([source]) => source));
}

export default defineMemoryMethod({
  summary: 'merges a visual token into the latest slot of its place when their keys are alike; slots weigh by their count',
  source:
    'training-free DMC, after Dynamic Memory Compression (arXiv 2403.09636) and token merging (arXiv 2210.09461). The decision is no learned logit but the cosine of keys before the rotary embedding; ' +
    'the candidate is the slot last fed from the same place, not the last slot of the head; importance is the norm of the value; a frozen model needs the log of the count on the scores. ' +
    'A frame is merged when the next one begins, so that it is whole while it is the newest. Under a byte cap the frames that were seen longest ago go, then the oldest turns of the dialogue',
  options,
  needs: [],
  scope: 'head',
  budget: { kind: 'adaptive', knob: 'threshold', full: 1, sweep: [0.6, 0.7, 0.8, 0.9, 0.95], limit: () => ({}) },
  positions: 'stream',
  scoreBias: 'log-count',
  open({ threshold }, context) {
    const raw = new RawKeys(context);
    return {
      tune(value) {
        threshold = value;
      },
      before(slots, incoming): Plan | undefined {
        if (newFrame(slots, incoming) === undefined) return undefined;
        const frame = newestFrame(slots);
        const into = joins(slots, frame, threshold, raw);
        if (!into) return undefined;
        const gone = emptied(slots, into, frame);
        const to = new Int32Array(slots.length);
        const weights = new Float32Array(slots.length);
        let kept = 0;
        for (let slot = 0; slot < slots.length; slot++) {
          if (into[slot] !== -1) to[slot] = to[into[slot]!]!;
          else to[slot] = slots.kind[slot] === kindCode.wrap && gone.has(slots.source[slot]!) ? -1 : kept++;
          // A slot that merged before has the sum of its tokens' importances.
          weights[slot] = slots.tokens[slot]! > 1 ? slots.weight[slot]! : norm(slots.values, slot, context.headWidth) + 1e-6;
        }
        return { kind: 'assign', to, weights };
      },
      room: longestUnseenFirst,
    };
  },
});
