// The contract of memory methods: which slots of the KV cache stay, merge or go. A method decides; the stage moves the data.
import type { z } from 'zod';
import type { MethodInfo } from '../core/methods.ts';
import type { TrainedMemory } from './contract.ts';
import type { RotaryLayout } from './rotary.ts';
import type { SlotColumns, SlotView } from './slots.ts';

/** Numbers that cost something to get, and that a method gets only when it says that it needs them. */
export type MemoryNeed =
  /** Attention that each slot received from the chunk's queries. */
  | 'attention'
  /** Keys of new tokens before the rotary embedding. */
  | 'raw-keys';

/**
 * What happens to the slots of one head. Slots are numbered as they stand: old ones first, then, once a chunk has been attended, its tokens.
 * - `keep`: these stay, in ascending order; the others are dropped.
 * - `assign`: slot s becomes slot `to[s]`; −1 drops it, equal numbers merge. New numbers come up in the order 0, 1, 2, …
 *   A merge averages keys (before the rotary embedding) and values by `weights`, or by the slots' `weight` column where absent;
 *   weights and token counts add up, and the rest is that of the latest token.
 */
export type Plan = { readonly kind: 'keep'; readonly slots: Int32Array } | { readonly kind: 'assign'; readonly to: Int32Array; readonly weights?: Float32Array };

/** Which head a question is about. Methods of scope `stream` are asked once, with the first head of the first layer. */
export interface HeadPlace {
  readonly layer: number;
  readonly kvHead: number;
}

/** Tokens about to enter, [count] valid entries. */
export interface Incoming extends SlotColumns {
  readonly count: number;
}

/** A chunk that has been attended: its tokens are the last `count` slots of the view. */
export interface Attended {
  readonly count: number;
  /** float32 [length]: attention received, summed over the chunk's queries and the head's group. Absent unless needed. */
  readonly attention?: Float32Array;
}

/** A chunk between projection and attention, in one head. Token t of `keys`, `rawKeys` and `values` is at [offset + t · stride, … + D). */
export interface Projected {
  readonly count: number;
  /** float32: rotated. */
  readonly keys: Float32Array;
  /** float32: before the rotary embedding. Empty unless needed. */
  readonly rawKeys: Float32Array;
  /** float32. */
  readonly values: Float32Array;
  readonly offset: number;
  readonly stride: number;
  /** float32: decision and importance logits of a memory adapter, token t of this head at [kvHead + t · H]. Empty without one. */
  readonly decisions: Float32Array;
  readonly importances: Float32Array;
  /** float32 [H, T, Q/H, D]: rotated queries, those of a KV head together. */
  readonly queries: Float32Array;
  /** What is known of the chunk's tokens; the first `count` entries are valid. */
  readonly tokens: SlotColumns;
  /** [H]: slots of all heads of the layer. In scopes `stream` and `layer` none holds the chunk yet. */
  readonly heads: readonly SlotView[];
}

/** Inline pooling of a chunk: `merge[t]` 1 joins token t to the slot before it; the first slot of a head is never joined to nothing. */
export interface PoolPlan {
  /** uint8 [T]. */
  readonly merge: Uint8Array;
  /** float32 [T]: importance of each token, above 0. */
  readonly weight: Float32Array;
}

/** Which tokens are to go. */
export interface EvictPlan {
  /** uint8 [T]: what token t decides on the token before it; 1 lets that go. */
  readonly goes: Uint8Array;
  /** Positions for which it stays in sight. */
  readonly delay: number;
}

/** One stream's decisions. All state of a method lives here. */
export interface MemoryStream {
  /** Before a chunk enters: what stays of the old slots. Nothing: all. */
  before?(slots: SlotView, incoming: Incoming, place: HeadPlace): Plan | undefined;
  /** The cap or the context leaves room for `limit` old slots only: what stays of them. Without it the stage ends with a CapacityError. */
  room?(slots: SlotView, incoming: Incoming, limit: number, place: HeadPlace): Plan;
  /**
   * Between projection and attention, for methods that merge inline (DMC): a query sees its own running state and every closed slot.
   * Needs `raw-keys`; excludes `after` and `select`.
   */
  pool?(slots: SlotView, chunk: Projected, place: HeadPlace): PoolPlan;
  /** Between projection and attention: a look at what came, in every head, questions that are undone included. Asked in scope `head`. */
  watch?(chunk: Projected, place: HeadPlace): void;
  /**
   * Between projection and attention, for methods that let tokens go after a delay (DMS): the stage hides them from queries that are past it, and drops
   * them when no query can see them any more. The opening stays. Excludes `pool` and `select`.
   */
  evict?(slots: SlotView, chunk: Projected, place: HeadPlace): EvictPlan;
  /** Old slots that this chunk looks at, ascending; the others stay in the memory unseen. Nothing: all. Asked in the method's scope. */
  select?(slots: SlotView, chunk: Projected, place: HeadPlace): Int32Array | undefined;
  /** After a chunk was attended: what stays of old slots and tokens. Nothing: all. */
  after?(slots: SlotView, chunk: Attended, place: HeadPlace): Plan | undefined;
  /** Moves the knob of the budget from the next chunk on. */
  tune?(value: number): void;
  /** Plain data from which `open` resumes. */
  save?(): unknown;
}

/** How much a method keeps. `fixed`: the knob is a number of things; `adaptive`: a threshold. A benchmark sweeps the knob. */
export interface Budget<O> {
  readonly kind: 'fixed' | 'adaptive';
  /** The option that the budget is set by. */
  readonly knob: keyof O & string;
  /** Value of the knob at which everything is kept. */
  readonly full: number;
  /** Values worth comparing, tight to wide. */
  readonly sweep: readonly number[];
  /** What the stated options promise never to exceed, for a memory without dialogue. */
  limit(options: O): {
    readonly frames?: number;
    readonly slotsPerHead?: number;
    /** Frames that a question looks at, for methods that store more. */
    readonly framesSeen?: number;
  };
}

export interface OpenContext {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  readonly queryHeads: number;
  readonly contextLength: number;
  readonly ropeTheta: number;
  readonly ropeLayout: RotaryLayout;
  /** What the model's adapter was trained for. */
  readonly adapter?: TrainedMemory;
  /** What `save` gave, when a memory is restored. */
  readonly saved?: unknown;
}

/** A memory method: the default export of a file in `methods/`. */
export interface MemoryMethod<O extends object = Readonly<Record<string, unknown>>> extends MethodInfo {
  /** Options with their defaults; an empty object must parse. */
  readonly options: z.ZodType<O>;
  readonly needs: readonly MemoryNeed[];
  /** The kind of trained adapter that the model must have been opened with. */
  readonly adapter?: 'dmc' | 'dms';
  /** Of methods that act while a chunk comes in: how. Such a method can only be the first of two. */
  readonly inline?: 'pool' | 'select' | 'evict';
  /** `stream`: one decision for all layers and heads, whose slots are the same. `layer`: one for all heads of a layer. `head`: each its own. */
  readonly scope: 'stream' | 'layer' | 'head';
  /** Absent: keeps everything. */
  readonly budget?: Budget<O>;
  /**
   * `stream` keeps each token's true place while the context allows. `contiguous` closes the gaps that dropped slots leave (StreamingLLM).
   * `look` closes them for one look alone: what `select` picks stands right before the chunk, so that more may be stored than the context holds (ReKV).
   */
  readonly positions: 'stream' | 'contiguous' | 'look';
  /**
   * What slots that the method merged add to their scores: `log-count` for models that were not trained with merging (token merging, arXiv 2210.09461).
   * Tokens that were merged before they came here always add it.
   */
  readonly scoreBias: 'none' | 'log-count';
  open(options: O, context: OpenContext): MemoryStream;
  /** Of methods that were combined: these, in the order in which they act. */
  readonly parts?: readonly MemoryMethod[];
}

/** Checks a method's types where it is written. */
export function defineMemoryMethod<O extends object>(method: MemoryMethod<O>): MemoryMethod<O> {
  return method;
}
