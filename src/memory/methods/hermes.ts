// hermes: when full, shallow layers keep what is recent and deep ones what text attends to; what goes is averaged into one slot.
import { z } from 'zod';
import { FrameSizes } from '../frame-sizes.ts';
import { best, countOfKind, isDialogue, shrinkTo, storedFrames } from '../frames.ts';
import { defineMemoryMethod, type HeadPlace, type Plan, type Projected } from '../method.ts';
import { RawKeys } from '../raw-keys.ts';
import { kindCode, type SlotView } from '../slots.ts';

const options = z.strictObject({
  /** Slots of a head at which the memory is full: opening and frames; the dialogue is not counted. Nine tenths of the model's context at most. */
  slots: z.int().min(8).default(4096),
  /** Share of them that a compression leaves. */
  targetRatio: z.number().gt(0).lt(1).default(0.75),
  /** Share of the target that is for the latest slots in every layer. */
  recentRatio: z.number().min(0).lt(1).default(0.25),
  /** Whether what goes is averaged into one slot. */
  summary: z.boolean().default(true),
});

/** Latest tokens of the text whose mean query attention is measured by. */
const guideTokens = 8;

const savedState = z.object({ guides: z.array(z.tuple([z.number(), z.instanceof(Float32Array)])), sizes: z.unknown() });

export default defineMemoryMethod({
  summary: 'when full, keeps the recent in shallow layers and what text attends to in deep ones; the rest becomes one slot',
  source:
    'after HERMES, arXiv 2601.14724: importance goes from recency in the first layer to attention in the last. The paper attends from a fixed question written for it; here the queries are those of the text that passed last, ' +
    'the opening until a question was asked, so that no pass of the model is spent. Each head decides for itself. What goes in one compression becomes one slot, at the position of its latest; such slots are judged like others, and go into the next',
  options,
  needs: [],
  scope: 'head',
  budget: { kind: 'fixed', knob: 'slots', full: 2 ** 30, sweep: [64, 128, 256, 512, 1024, 4096], limit: ({ slots }) => ({ slotsPerHead: slots }) },
  positions: 'stream',
  scoreBias: 'none',
  open({ slots: most, targetRatio, recentRatio, summary }, context) {
    const { layers, kvHeads, queryHeads, headWidth, contextLength } = context;
    const group = queryHeads / kvHeads;
    let full = Math.min(most, Math.floor(0.9 * contextLength));
    const raw = new RawKeys(context);
    const saved = context.saved === undefined ? undefined : savedState.parse(context.saved);
    const guides = new Map<number, Float32Array>(saved?.guides);
    const sizes = new FrameSizes(saved?.sizes);

    /** Keeps the mean query of the end of a text: float32 [D], before the rotary embedding. */
    function learn({ count, queries, tokens }: Projected, { layer, kvHead }: HeadPlace): void {
      const last = tokens.kind[count - 1];
      if (last !== kindCode.opening && last !== kindCode.question) return;
      const mean = new Float32Array(headWidth);
      for (let t = Math.max(0, count - guideTokens); t < count; t++) {
        for (let g = 0; g < group; g++) {
          const query = raw.turned(queries, ((kvHead * count + t) * group + g) * headWidth, -tokens.position[t]!);
          for (let d = 0; d < headWidth; d++) mean[d]! += query[d]! / (group * Math.min(count, guideTokens));
        }
      }
      guides.set(layer * kvHeads + kvHead, mean);
    }

    /** What each slot scores with the guide at the end of the stream: float32 [length]. Only the order matters. */
    function attention({ keys, length, position }: SlotView, { layer, kvHead }: HeadPlace): Float32Array {
      const scores = new Float32Array(length);
      const guide = guides.get(layer * kvHeads + kvHead);
      if (guide === undefined) return scores;
      const query = raw.turned(guide, 0, position[length - 1]! + 1);
      for (let slot = 0, at = 0; slot < length; slot++) for (let d = 0; d < headWidth; d++, at++) scores[slot]! += query[d]! * keys[at]!;
      return scores;
    }

    /** Leaves at most `target` slots, dialogue not counted. Nothing where there are no more. */
    function compress(slots: SlotView, target: number, place: HeadPlace): Plan | undefined {
      const candidates: number[] = [];
      let left = target;
      for (let slot = 0; slot < slots.length; slot++) {
        if (slots.kind[slot] === kindCode.opening) left--;
        else if (!isDialogue(slots.kind[slot]!)) candidates.push(slot);
      }
      if (candidates.length <= left) return undefined;
      left = Math.max(0, left - Number(summary));
      const depth = layers === 1 ? 0.5 : place.layer / (layers - 1);
      const attended = attention(slots, place);
      const byAttention = Float32Array.from(candidates, (slot) => attended[slot]!).sort();
      const rank = (value: number) => lowerBound(byAttention, value) / candidates.length;
      const score = candidates.map((slot, order) => (order >= candidates.length - recentRatio * left ? 2 : (1 - depth) * (order / candidates.length) + depth * rank(attended[slot]!)));
      const goes = new Set(candidates);
      for (const order of best(score, left)) goes.delete(candidates[order]!);
      let kept = 0;
      let summarised = -1;
      const to = Int32Array.from({ length: slots.length }, (_, slot) => {
        if (!goes.has(slot)) return kept++;
        if (!summary || target < 2) return -1;
        if (summarised < 0) summarised = kept++;
        return summarised;
      });
      return { kind: 'assign', to, weights: slots.tokens.slice(0, slots.length) };
    }

    const dialogue = (slots: SlotView) => countOfKind(slots, isDialogue);
    return {
      tune(value) {
        full = Math.min(value, Math.floor(0.9 * contextLength));
      },
      watch: learn,
      before(slots, incoming, place) {
        const begins = sizes.note(slots, incoming, place);
        if (!begins || slots.length - dialogue(slots) + sizes.largest <= full) return undefined;
        return compress(slots, Math.min(Math.floor(targetRatio * full), full - sizes.largest), place);
      },
      // A frame larger than any before it.
      after: (slots, _chunk, place) => (slots.length - dialogue(slots) > full ? compress(slots, full, place) : undefined),
      room(slots, incoming, limit, place) {
        const target = limit - dialogue(slots);
        return (target > 0 ? compress(slots, target, place) : undefined) ?? shrinkTo(slots, incoming, limit, storedFrames(slots));
      },
      save: () => ({ guides: [...guides], sizes: sizes.save() }),
    };
  },
});

/** How many of the ascending values are below. */
function lowerBound(values: Float32Array, value: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
