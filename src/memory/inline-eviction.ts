// Inline eviction of a chunk in one head (DMS): slots that are to go stay in sight for a while, each query seeing those that are near enough.
import type { EvictPlan } from './method.ts';
import { kindCode, type SlotStorage } from './slots.ts';

/** Marks in the `score` column. The latest token of a head has none yet: the one after it decides. */
const staysMark = 1;
const goesMark = -1;

/** A chunk's decisions in one head, until they are carried out. */
export interface Eviction extends EvictPlan {
  readonly count: number;
}

/** Whether the token after slot `slot` let it go; a chunk's own decisions are looked up in its plan. */
function isToGo(head: SlotStorage, slot: number, { goes, count }: Eviction): boolean {
  const past = head.length - count;
  const decides = slot - past + 1;
  if (head.kind[slot] === kindCode.opening || decides >= count) return false;
  // A slot before the chunk that was decided on keeps its mark, also where what followed it has been dropped since.
  if (decides < 0 || (decides === 0 && head.score[slot] !== 0)) return head.score[slot] === goesMark;
  return goes[decides] !== 0;
}

/**
 * The last query of the chunk that sees each slot: int32 [length]; nothing where all see all.
 * @param head with the chunk at its end
 */
export function lastQueries(head: SlotStorage, eviction: Eviction): Int32Array | undefined {
  const { count, delay } = eviction;
  const { position, length } = head;
  const past = length - count;
  const until = new Int32Array(length).fill(count - 1);
  let hidden = 0;
  for (let slot = 0; slot < length; slot++) {
    if (position[length - 1]! - position[slot]! <= delay || !isToGo(head, slot, eviction)) continue;
    let t = count - 1;
    while (t >= 0 && position[past + t]! - position[slot]! > delay) t--;
    until[slot] = t;
    hidden++;
  }
  return hidden > 0 ? until : undefined;
}

/** Writes the chunk's decisions down. */
export function markDecisions(head: SlotStorage, eviction: Eviction): void {
  const past = head.length - eviction.count;
  for (let slot = Math.max(0, past - 1); slot < head.length - 1; slot++) if (head.score[slot] === 0) head.score[slot] = isToGo(head, slot, eviction) ? goesMark : staysMark;
}

/**
 * Slots that stay: those that are not to go, and those that a query at `position` still sees.
 * @returns nothing where all stay
 */
export function slotsInSight(head: SlotStorage, delay: number, position: number): Int32Array | undefined {
  const kept = new Int32Array(head.length);
  let count = 0;
  for (let slot = 0; slot < head.length; slot++) if (head.score[slot] !== goesMark || position - head.position[slot]! <= delay) kept[count++] = slot;
  return count === head.length ? undefined : kept.subarray(0, count);
}
