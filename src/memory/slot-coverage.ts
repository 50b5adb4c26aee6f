// What each slot of a memory covers in time: from the first of its tokens to the latest.
import type { KvStore } from './kv-store.ts';
import { slotKinds, type SlotKind } from './slots.ts';

/** What one slot stands for. */
export interface SlotCoverage {
  readonly kind: SlotKind;
  /** Media time of the first and the latest of its tokens. */
  readonly sinceSec: number;
  readonly timeSec: number;
  /** Tokens that it stands for. */
  readonly tokens: number;
}

/** The slots of one KV head of one layer. */
export interface HeadCoverage {
  readonly layer: number;
  readonly kvHead: number;
  /** In the order of the memory. */
  readonly slots: readonly SlotCoverage[];
}

/** By layer and head. */
export function slotCoverage({ heads, shape: { kvHeads } }: KvStore): readonly HeadCoverage[] {
  return heads.map((head, i) => ({
    layer: Math.floor(i / kvHeads),
    kvHead: i % kvHeads,
    slots: Array.from({ length: head.length }, (_, slot) => ({ kind: slotKinds[head.kind[slot]!]!, sinceSec: head.sinceSec[slot]!, timeSec: head.timeSec[slot]!, tokens: head.tokens[slot]! })),
  }));
}
