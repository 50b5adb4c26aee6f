// What the memory stage takes and gives: origins of tokens, what a layer made of a chunk, what its queries see, reports and snapshots.
import type { KvSnapshot } from './kv-store.ts';
import type { SlotFormat, SlotKind, SlotView } from './slots.ts';

/** Where tokens that follow each other come from. */
export interface TokenOrigin {
  readonly kind: SlotKind;
  /** Frame number (`visual`, `wrap`) or turn number (`question`, `answer`); −1 for the opening. */
  readonly source: number;
  /** Media time in seconds. */
  readonly timeSec: number;
  /** Number of the first token within its frame, for `visual`. Default 0. */
  readonly firstPlace?: number;
  /** Positions left free before the first token: those of tokens that were not passed on. Below 0 for tokens that take such positions later. Default 0. */
  readonly gap?: number;
  /** float32 [count]: tokens that each token stands for, where some were merged on their way here. Default 1 each. */
  readonly tokens?: Float32Array;
}

/** Tokens of one origin within a chunk. */
export interface Stretch {
  readonly count: number;
  readonly origin: TokenOrigin;
}

/** What a memory adapter was trained for. */
export interface TrainedMemory {
  readonly kind: 'dmc' | 'dms';
  /** DMS: tokens for which a token that is to go stays. DMC: the most tokens that a slot averages. */
  readonly window?: number;
}

export interface MemoryOptions {
  /** Name of a file in `methods/`, or of two that work together: `dmc+fifo`. */
  readonly method: string;
  /** The method's own options; `slotFormat` for any: `float32` (default) or `int8`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Hard cap on allocated bytes. Default: none. */
  readonly capBytes?: number;
  /** What the model's memory adapter was trained for, where it has one: defaults of the method's options. */
  readonly adapter?: TrainedMemory;
}

export interface MemoryReport {
  readonly liveBytes: number;
  readonly allocatedBytes: number;
  readonly capBytes: number;
  /** Slots in use over all layers and heads. */
  readonly slots: number;
  /** Tokens that went in since the stream opened. */
  readonly tokensSeen: number;
  readonly longestHead: number;
  /** Bytes of one slot of one head: keys, values and what is known of it. */
  readonly bytesPerSlot: number;
  readonly slotFormat: SlotFormat;
}

/** What the projection of a layer made of a chunk. */
export interface LayerChunk {
  /** float32 [T, H, D], rotated. */
  readonly keys: Float32Array;
  /** float32 [T, H, D]. */
  readonly values: Float32Array;
  /** float32 [T, H, D], before the rotary embedding; where the method needs it. */
  readonly rawKeys?: Float32Array;
  /** float32 [T, H], logits of a memory adapter: above 0 a token is to be merged (DMC) or to go (DMS). */
  readonly decisions?: Float32Array;
  /** float32 [T, H], logits of a DMC adapter: how much a token weighs in its slot. */
  readonly importances?: Float32Array;
  /** float32 [H, T, Q/H, D]: rotated queries, those of a KV head together. */
  readonly queries: Float32Array;
}

/** What a chunk's queries see in one head: slots, the chunk's own last. */
export interface Look {
  readonly slots: SlotView;
  /** float32 [length]: added to every query's scores. */
  readonly slotBias?: Float32Array;
  /** int32 [length], for slots that go with a delay: the last of the chunk's queries that sees each. */
  readonly until?: Int32Array;
  /** uint8 [T], for chunks pooled inline: 1 where a token continues the slot before it, which later queries then do not see. */
  readonly merge?: Uint8Array;
}

/** A point to return to with `undo`. */
export interface MemoryMark {
  readonly tokensSeen: number;
}

/** A memory as plain data, for a file. */
export interface MemorySnapshot {
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly position: number;
  readonly tokensSeen: number;
  /** Whether tokens came that stand for several, so that counts add to scores. */
  readonly countsCame: boolean;
  readonly store: KvSnapshot;
  /** By method and head, what its `save` gave. */
  readonly state: readonly (readonly unknown[])[];
}
