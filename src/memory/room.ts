// Room for tokens about to enter: what stays under the cap and in the context, by what methods drop.
import { CapacityError } from '../core/errors.ts';
import type { KvStore } from './kv-store.ts';
import type { MethodPart } from './part.ts';
import type { SlotStorage } from './slots.ts';

export interface RoomWanted {
  /** Tokens that are to fit into every head. */
  readonly count: number;
  /** Slots that a query may look at; Infinity where a look picks. */
  readonly context: number;
  /** Whether all heads hold the same slots. Then each has an equal part of the cap; else they share it as they need. */
  readonly shared: boolean;
  readonly methodName: string;
  /** Methods that may be asked to drop, the first first. None while a question is under way. */
  readonly evicting: readonly MethodPart[];
  /** Whether the method could drop at another time, for the message. */
  readonly drops: boolean;
}

/** Heads that cannot give their share, because what they hold is protected, leave it to the others: a few rounds settle it. */
const rounds = 6;

/**
 * @param ask has a method drop, in every head that is longer, what exceeds `most`
 * @throws CapacityError when what is protected leaves no room
 */
export function makeRoom(store: KvStore, { count, context, shared, methodName, evicting, drops }: RoomWanted, ask: (part: MethodPart, most: (head: SlotStorage) => number) => void): void {
  const { slotsPerHead } = store;
  const inContext = context - count;
  const limit = Math.min(slotsPerHead - count, inContext);
  const isOver = () => store.longestHead > (shared ? limit : inContext) || (!shared && store.slots > store.slotsBefore(count));
  if (!isOver()) return;
  if (limit >= 0) {
    for (let round = 0; round < (shared ? evicting.length : evicting.length && rounds) && isOver(); round++) {
      const factor = Math.min(1, store.slotsBefore(count) / store.slots) * (1 - 0.1 * round);
      ask(evicting[Math.min(round, evicting.length - 1)]!, ({ length }) => (shared ? limit : Math.max(0, Math.min(Math.floor(length * factor), inContext))));
    }
  }
  if (!isOver()) return;
  const byContext = store.longestHead > inContext && (shared ? context <= slotsPerHead : store.slots <= store.slotsBefore(count));
  throw new CapacityError(byContext ? 'CONTEXT_FULL' : 'MEMORY_FULL', {
    what: `${count} more tokens do not fit into the ${byContext ? "model's context" : 'memory'}`,
    got: `${store.longestHead} slots in the longest head under method ${methodName}`,
    expected: byContext ? `at most ${context} positions` : `at most ${slotsPerHead} slots a head (${store.capBytes} bytes)`,
    todo: drops ? 'raise memoryMiB or ask shorter: what is left is protected or under way' : 'choose a memory method that drops what is old (fifo, uniform), or raise memoryMiB',
  });
}
