// The contract of vision methods: which patches of a frame are recomputed and which visual tokens go on. A method decides; the stage moves the data.
import type { z } from 'zod';
import type { MethodInfo } from '../core/methods.ts';
import type { RouterWeights } from '../gate/router-weights.ts';
import type { RowGate } from './encoder.ts';
import type { TokenLayout } from './projector.ts';

/** Numbers that cost something to get, and that a method gets only when it says that it needs them. */
export type VisionNeed =
  /** Pixel differences of each patch to what it was last computed from. */
  'difference';

/** What a method sees of a frame before it is encoded. Patches are numbered row by row from the top. */
export interface PatchView {
  readonly columns: number;
  readonly rows: number;
  /** Media time of the frame in seconds. */
  readonly timeSec: number;
  /** int32 [P]: frames since each patch was last recomputed; 1 for the frame after. */
  readonly age: Int32Array;
  /** float32 [P]: mean absolute difference, in normalised pixels, to what the patch was last computed from. Absent unless needed. */
  readonly difference?: Float32Array;
  /** float32 [P]: the same as root mean square over cells of a few pixels, in which noise cancels out. Absent unless needed. */
  readonly change?: Float32Array;
  /** What the noise of the picture leaves of `change` where nothing changed. Absent unless needed. */
  readonly grain?: number;
}

/** What a method sees of a frame after it was encoded. Tokens are numbered row by row from the top. */
export interface TokenView {
  readonly columns: number;
  readonly rows: number;
  /** int32 [N], rising: tokens that depend on a recomputed patch. */
  readonly changed: Int32Array;
  /** float32 [tokens, width] */
  readonly tokens: Float32Array;
  /** Whether the frame was computed whole because there was nothing before it: the first, or the one after a failure. */
  readonly first: boolean;
  /** Tokens that the memory no longer holds: they go on whatever a plan says. */
  readonly lost: ReadonlySet<number>;
  /** float32 [P]: as `PatchView.difference`. Absent unless needed, and in a first frame. */
  readonly difference?: Float32Array;
}

/** One stream's decisions. All state of a method lives here. The first frame of a stream is computed whole without asking. */
export interface VisionMethodStream {
  /** A picture that moved as a whole, by up to so many pixels of the encoder either way, is moved back before it is compared and encoded. Default 0. */
  readonly steadyPx?: number;
  /** Whether a question is shown the tokens of the newest frame that did not go on: what stands is then seen to be there now. Default no. */
  readonly showsHeldBack?: boolean;
  /** int32 [R], rising: the patches to recompute. Nothing: all. */
  patches?(view: PatchView): Int32Array | undefined;
  /** Which of the rows that enter a layer go on, by how far they moved inside the encoder; see `RowGate`. A first frame is computed whole. */
  readonly gate?: RowGate;
  /** int32 [tokens]: token t goes on as number `to[t]`; −1 drops it, equal numbers merge (mean); new numbers come up in the order 0, 1, 2, … Nothing: all go on. */
  tokens?(view: TokenView): Int32Array | undefined;
}

/** How much a method computes and passes on. `fixed`: the knob is a number or a share; `adaptive`: a threshold. A benchmark sweeps the knob. */
export interface VisionBudget<O> {
  readonly kind: 'fixed' | 'adaptive';
  /** The option that the budget is set by. */
  readonly knob: keyof O & string;
  /** Value of the knob at which every patch is recomputed and every token goes on. */
  readonly full: number;
  /** Values worth comparing, tight to wide. */
  readonly sweep: readonly number[];
  /** The most patches that the options let a frame recompute, of `count`; adaptive methods promise none. */
  limit?(options: O, count: number): number;
  /** The most tokens that the options let a frame pass on, of `count`; adaptive methods promise none. */
  tokens?(options: O, count: number): number;
}

export interface VisionContext {
  /** Patches across and down. */
  readonly columns: number;
  readonly rows: number;
  /** Visual tokens, and the patches that each is made of. */
  readonly layout: TokenLayout;
  /** Weights of the learned router; absent: those that come with the program. */
  readonly router?: RouterWeights;
}

/** A vision method: the default export of a file in `methods/`. */
export interface VisionMethod<O extends object = Readonly<Record<string, unknown>>> extends MethodInfo {
  /** Options with their defaults; an empty object must parse. */
  readonly options: z.ZodType<O>;
  readonly needs: readonly VisionNeed[];
  /** Absent: computes everything. */
  readonly budget?: VisionBudget<O>;
  /** A dropped token is one that still shows what the last one from its place showed: the memory counts how long that one stands. */
  readonly runLengths?: true;
  open(options: O, context: VisionContext): VisionMethodStream;
}

/** Checks a method's types where it is written. */
export function defineVisionMethod<O extends object>(method: VisionMethod<O>): VisionMethod<O> {
  return method;
}
