// Frames in a memory: which there are, and plans that drop whole frames or the oldest turns of the dialogue.
import type { Incoming, Plan } from './method.ts';
import { kindCode, type SlotColumns, type SlotView } from './slots.ts';

/** A frame that has slots. */
export interface StoredFrame {
  readonly source: number;
  readonly timeSec: number;
}

/** Whether a number of the `kind` column is of what comes and goes with a frame. */
export const isOfFrame = (kind: number): boolean => kind === kindCode.visual || kind === kindCode.wrap;

/** Whether a number of the `kind` column is of a question or an answer. */
export const isDialogue = (kind: number): boolean => kind === kindCode.question || kind === kindCode.answer;

function isFrame(slots: SlotColumns, slot: number): boolean {
  return isOfFrame(slots.kind[slot]!);
}

/** How many slots are of such a kind. */
export function countOfKind(slots: SlotView, is: (kind: number) => boolean): number {
  let sum = 0;
  for (let slot = 0; slot < slots.length; slot++) if (is(slots.kind[slot]!)) sum++;
  return sum;
}

/** Indices of the `most` best of the scores; of equal ones the later. */
export function best(scores: ArrayLike<number>, most: number): Int32Array {
  return Int32Array.from({ length: scores.length }, (_, i) => i)
    .sort((a, b) => scores[b]! - scores[a]! || b - a)
    .subarray(0, Math.max(0, most));
}

/** Frames of the stored slots, oldest first. */
export function storedFrames(slots: SlotView): StoredFrame[] {
  const frames: StoredFrame[] = [];
  let last: number | undefined;
  for (let slot = 0; slot < slots.length; slot++) {
    if (!isFrame(slots, slot) || slots.source[slot] === last) continue;
    last = slots.source[slot]!;
    frames.push({ source: last, timeSec: slots.timeSec[slot]! });
  }
  return frames;
}

/** The number of the frame that came last; −1 where there is none. New slots are at the end, so that it is found at once. */
export function newestFrame(slots: SlotView): number {
  for (let slot = slots.length - 1; slot >= 0; slot--) if (isFrame(slots, slot)) return slots.source[slot]!;
  return -1;
}

/** Position of a frame's first visual token, whether that is here or was left out; nothing where no visual token of the frame is here. */
export function frameStart(slots: SlotView, source: number): number | undefined {
  for (let slot = slots.length - 1; slot >= 0; slot--) {
    if (slots.kind[slot] === kindCode.visual && slots.source[slot] === source) return slots.position[slot]! - slots.place[slot]!;
  }
  return undefined;
}

/** The frame that a chunk begins, if its first token opens a frame that has no slots yet. Chunks never hold tokens of two frames. */
export function newFrame(slots: SlotView, incoming: Incoming): StoredFrame | undefined {
  if (incoming.count === 0 || !isFrame(incoming, 0)) return undefined;
  const source = incoming.source[0]!;
  return newestFrame(slots) === source ? undefined : { source, timeSec: incoming.timeSec[0]! };
}

/** The plan that drops all slots of those frames. */
export function withoutFrames(slots: SlotView, dropped: ReadonlySet<number>): Plan {
  return keepWhere(slots, (slot) => !(isFrame(slots, slot) && dropped.has(slots.source[slot]!)));
}

export function keepWhere(slots: SlotView, stays: (slot: number) => boolean): Plan {
  const kept = new Int32Array(slots.length);
  let count = 0;
  for (let slot = 0; slot < slots.length; slot++) if (stays(slot)) kept[count++] = slot;
  return { kind: 'keep', slots: kept.subarray(0, count) };
}

/**
 * Makes room in `order`: frames one by one, then whole turns of the dialogue, oldest first, until at most `limit` slots are left.
 * The opening stays, and so does a frame whose tokens are still coming in.
 * @param order frames in the order in which they may go
 */
export function shrinkTo(slots: SlotView, incoming: Incoming, limit: number, order: readonly StoredFrame[]): Plan {
  const frameSizes = new Map<number, number>();
  const turnSizes = new Map<number, number>();
  for (let slot = 0; slot < slots.length; slot++) {
    const sizes = isFrame(slots, slot) ? frameSizes : slots.kind[slot] === kindCode.opening ? undefined : turnSizes;
    sizes?.set(slots.source[slot]!, (sizes.get(slots.source[slot]!) ?? 0) + 1);
  }
  let left = slots.length;
  const underWay = incoming.count > 0 ? incoming.source[0] : undefined;
  const take = (sizes: ReadonlyMap<number, number>, candidates: Iterable<number>, busy: number | undefined) => {
    const gone = new Set<number>();
    for (const source of candidates) {
      if (left <= limit) break;
      if (source === busy) continue;
      gone.add(source);
      left -= sizes.get(source)!;
    }
    return gone;
  };
  const frameComing = incoming.count > 0 && isFrame(incoming, 0);
  const frames = take(frameSizes, order.map(({ source }) => source), frameComing ? underWay : undefined);
  const turns = take(turnSizes, turnSizes.keys(), frameComing ? undefined : underWay);
  return keepWhere(slots, (slot) => !(isFrame(slots, slot) ? frames : turns).has(slots.source[slot]!) || slots.kind[slot] === kindCode.opening);
}

/**
 * Makes room for methods whose slots do not stand in the order of their frames: frames that were seen longest ago go first, a slot being of the frame that
 * fed it last.
 */
export function longestUnseenFirst(slots: SlotView, incoming: Incoming, limit: number): Plan {
  const frames = new Map<number, number>();
  for (let slot = 0; slot < slots.length; slot++) if (isFrame(slots, slot)) frames.set(slots.source[slot]!, slots.timeSec[slot]!);
  const order = [...frames].map(([source, timeSec]) => ({ source, timeSec })).sort((a, b) => a.source - b.source);
  return shrinkTo(slots, incoming, limit, order);
}
