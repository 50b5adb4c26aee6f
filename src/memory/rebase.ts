// Re-basing: slots move to the lowest positions, order kept, so that an endless stream stays within the trained context.
import type { Rotary } from './rotary.ts';
import type { SlotStorage } from './slots.ts';

/**
 * Gives slots the positions 0, 1, 2 … in the order of their old ones and turns their keys there. Equal positions stay equal.
 * @param alike whether all heads hold the same positions
 * @param room positions there are. Heads that differ may have more distinct ones together; then the latest half keeps its steps of one, and of what is
 * older neighbours come to share one
 * @returns where a position that comes after some slots is now: the first place after those slots
 */
export function renumber(heads: readonly SlotStorage[], alike: boolean, rotary: Rotary, room: number): (position: number) => number {
  const distinct = new Set<number>();
  for (const head of alike ? heads.slice(0, 1) : heads) for (let slot = 0; slot < head.length; slot++) distinct.add(head.position[slot]!);
  const order = Int32Array.from(distinct).sort();
  const surplus = Math.max(0, order.length - room);
  const exact = surplus === 0 ? order.length : room >> 1;
  const older = order.length - exact;
  const numberOf = (rank: number) => (rank >= older ? rank - surplus : Math.floor((rank * (older - surplus)) / older));
  const renumbered = new Map<number, number>();
  order.forEach((position, rank) => renumbered.set(position, numberOf(rank)));
  for (const head of heads) {
    for (let slot = 0; slot < head.length; slot++) {
      head.reposition(slot, renumbered.get(head.position[slot]!)!, rotary);
    }
  }
  return (position) => {
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : numberOf(low - 1) + 1;
  };
}

/** Moves the first `past` slots to the positions right before the others, without gaps. */
export function closeUp(slots: SlotStorage, past: number, rotary: Rotary): void {
  const first = slots.position[past]! - past;
  for (let slot = 0; slot < past; slot++) {
    slots.reposition(slot, first + slot, rotary);
  }
}
