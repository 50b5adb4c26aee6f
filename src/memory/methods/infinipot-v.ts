// infinipot-v: when the memory is full, tokens that recent frames repeat go, and of the others those of small values; each head for itself.
import { z } from 'zod';
import { FrameSizes } from '../frame-sizes.ts';
import { best, countOfKind, isDialogue, isOfFrame, shrinkTo, storedFrames } from '../frames.ts';
import { defineMemoryMethod, type Plan } from '../method.ts';
import { norm, RawKeys } from '../raw-keys.ts';
import { kindCode, type SlotView } from '../slots.ts';

const options = z.strictObject({
  /** Slots of a head at which the memory is full: opening and frames; the dialogue is not counted. Nine tenths of the model's context at most. */
  slots: z.int().min(8).default(6144),
  /** Share of them that a compression leaves. */
  targetRatio: z.number().gt(0).lt(1).default(0.75),
  /** Share of the target that temporal redundancy decides on; the rest goes by the norm of the values. */
  redundancyRatio: z.number().min(0).max(1).default(0.5),
  /** Share of the visual slots that counts as recent: whole frames, which stay. */
  recentRatio: z.number().gt(0).lt(1).default(0.25),
});

/** The newest frames that together have at most so many slots, and the newest of all in any case. */
function recentFrames(slots: SlotView, most: number): ReadonlySet<number> {
  const sizes = new Map<number, number>();
  for (let slot = 0; slot < slots.length; slot++) if (isOfFrame(slots.kind[slot]!)) sizes.set(slots.source[slot]!, (sizes.get(slots.source[slot]!) ?? 0) + 1);
  const recent = new Set<number>();
  let left = most;
  for (const [source, size] of [...sizes].sort(([a], [b]) => b - a)) {
    left -= size;
    if (left < 0 && recent.size > 0) break;
    recent.add(source);
  }
  return recent;
}

/**
 * How little recent frames repeat a slot: minus the mean cosine with their keys at its place, float32 [length]. Where no recent frame has the place, its
 * newest slot is compared with instead, and is itself repeated by nothing: 1, as are the recent.
 */
function novelty(slots: SlotView, recent: ReadonlySet<number>, raw: RawKeys): Float32Array {
  const peers: ({ readonly newest: number; readonly units: Float32Array; count: number } | undefined)[] = [];
  for (let slot = slots.length - 1; slot >= 0; slot--) {
    if (slots.kind[slot] !== kindCode.visual) continue;
    const at = (peers[slots.place[slot]!] ??= { newest: slot, units: new Float32Array(raw.width), count: 0 });
    if (at.newest !== slot && !recent.has(slots.source[slot]!)) continue;
    const unit = raw.unit(slots, slot);
    for (let d = 0; d < unit.length; d++) at.units[d]! += unit[d]!;
    at.count++;
  }
  const score = new Float32Array(slots.length).fill(1);
  for (let slot = 0; slot < slots.length; slot++) {
    const at = slots.kind[slot] === kindCode.visual ? peers[slots.place[slot]!]! : undefined;
    if (at === undefined || at.newest === slot || recent.has(slots.source[slot]!)) continue;
    // The mean of cosines is the product with the mean of unit vectors.
    const unit = raw.unit(slots, slot);
    let product = 0;
    for (let d = 0; d < unit.length; d++) product += unit[d]! * at.units[d]!;
    score[slot] = -product / at.count;
  }
  return score;
}

/** The `most` best of the candidates; of equal ones the newer. */
function bestOf(candidates: readonly number[], score: (slot: number) => number, most: number): readonly number[] {
  return Array.from(best(Float32Array.from(candidates, score), most), (at) => candidates[at]!);
}

export default defineMemoryMethod({
  summary: 'when full, keeps what recent frames do not repeat at the same place, and tokens of large values, in each head',
  source:
    'InfiniPot-V, arXiv 2506.15745: TaR, then VaN for the rest of the target, without the pooling of value norms by layer. Keys are compared before the rotary embedding, and by their true place in the frame: ' +
    'the released code goes by order, which after a compression is no longer the place. The text around a frame goes when the frame is no longer recent. ' +
    'Recent frames stay even if they are more than redundancy may keep',
  options,
  needs: [],
  scope: 'head',
  budget: { kind: 'fixed', knob: 'slots', full: 2 ** 30, sweep: [64, 128, 256, 512, 1024, 4096], limit: ({ slots }) => ({ slotsPerHead: slots }) },
  positions: 'stream',
  scoreBias: 'none',
  open({ slots: most, targetRatio, redundancyRatio, recentRatio }, context) {
    const full = Math.min(most, Math.floor(0.9 * context.contextLength));
    const raw = new RawKeys(context);
    const sizes = new FrameSizes(context.saved);

    /** Leaves at most `target` slots, dialogue not counted. */
    function compress(slots: SlotView, target: number): Plan {
      const kept = new Uint8Array(slots.length);
      const candidates: number[] = [];
      const recent = recentFrames(slots, Math.min(target - countOfKind(slots, (kind) => kind === kindCode.opening), recentRatio * countOfKind(slots, (kind) => kind === kindCode.visual)));
      let left = target;
      for (let slot = 0; slot < slots.length; slot++) {
        const kind = slots.kind[slot]!;
        if (kind === kindCode.opening || isDialogue(kind) || recent.has(slots.source[slot]!)) kept[slot] = 1;
        else if (kind === kindCode.visual) candidates.push(slot);
        left -= Number(kept[slot] === 1 && !isDialogue(kind));
      }
      const score = novelty(slots, recent, raw);
      const unseen = bestOf(candidates, (slot) => score[slot]!, Math.min(left, Math.round(redundancyRatio * target) - (target - left)));
      for (const slot of unseen) kept[slot] = 1;
      const rest = candidates.filter((slot) => kept[slot] === 0);
      for (const slot of bestOf(rest, (at) => norm(slots.values, at, context.headWidth), left - unseen.length)) kept[slot] = 1;
      return { kind: 'keep', slots: Int32Array.from(kept.keys()).filter((slot) => kept[slot] === 1) };
    }

    return {
      before(slots, incoming, place) {
        const begins = sizes.note(slots, incoming, place);
        if (!begins || slots.length - countOfKind(slots, isDialogue) + sizes.largest <= full) return undefined;
        return compress(slots, Math.min(Math.floor(targetRatio * full), full - sizes.largest));
      },
      save: () => sizes.save(),
      // A frame larger than any before it.
      after: (slots) => (slots.length - countOfKind(slots, isDialogue) > full ? compress(slots, full) : undefined),
      room(slots, incoming, limit) {
        const target = limit - countOfKind(slots, isDialogue);
        const plan = compress(slots, Math.max(0, target));
        return plan.kind === 'keep' && plan.slots.length <= limit ? plan : shrinkTo(slots, incoming, limit, storedFrames(slots));
      },
    };
  },
});
