// The contract of gate methods: which frames are encoded whole, encoded cheaply, or not at all. A method decides from cheap numbers; it sees no pixels.
import type { z } from 'zod';
import type { PictureType } from '../core/frame.ts';
import type { MethodInfo } from '../core/methods.ts';
import type { RouterWeights } from './router-weights.ts';

/** `full`: as the vision method decides. `cheap`: the same, but no more than `cheapRatio` of the patches. `skip`: neither encoder nor tokens. */
export const gatePaths = ['full', 'cheap', 'skip'] as const;
export type GatePath = (typeof gatePaths)[number];

/** Share of a frame's patches that the cheap path recomputes at most. */
export const cheapRatio = 0.25;

/** Work of each path as a share of the full one: what a budget counts. */
export const pathCost: Readonly<Record<GatePath, number>> = { full: 1, cheap: cheapRatio, skip: 0 };

/**
 * Why a frame goes its way: nothing came before it; the method takes all; enough changed, or too little; the scene was cut; too long ago was the
 * last one; the router's choice; no time left.
 */
export type GateReason = 'first' | 'every' | 'changed' | 'still' | 'cut' | 'refresh' | 'learned' | 'budget';

/** One frame's way. */
export interface GateDecision {
  readonly path: GatePath;
  readonly reason: GateReason;
  /** The number that the method compared with its threshold; finite, larger is more worth seeing. */
  readonly score: number;
}

/** How two pictures differ, in shares of the range of a channel (0 to 1), over a grid of cells. */
export interface Difference {
  /** Mean over the picture. */
  readonly mean: number;
  /** Mean of the cell that differs most. */
  readonly peak: number;
  /** Share of cells above the noise floor. */
  readonly share: number;
  /** |Mean| of the signed difference: a change of light. */
  readonly light: number;
}

/** Motion vectors of a frame in numbers. Lengths in widths of the picture. */
export interface MotionSummary {
  /** Length of the median vector: the camera's own motion. */
  readonly camera: number;
  /** Mean length of what is left after the median. */
  readonly residual: number;
  /** Share of the picture whose blocks move by more than half a pixel against the median. */
  readonly moving: number;
}

/** What a method sees of a frame. */
export interface GateView {
  readonly timeSec: number;
  readonly pictureType: PictureType;
  /** Bytes of the coded picture over the stream's running mean of that picture type; absent where there is no codec. */
  readonly bytesRatio?: number;
  /** Absent where the codec gives no vectors. */
  readonly motion?: MotionSummary;
  /** To what was encoded last, place by place. */
  readonly difference: Difference;
  /** To the frame before, encoded or not. */
  readonly step: Difference;
  /** Distance of the colour histograms of this frame and the one before: 0 the same, 1 nothing in common. */
  readonly histogram: number;
  /** Seconds since a frame was encoded on any path, and since one went the full path. */
  readonly sinceEncodedSec: number;
  readonly sinceFullSec: number;
  /** Frames skipped since one was encoded. */
  readonly skipped: number;
}

/** One stream's decisions. All state of a method lives here. The first frame goes the full path without asking. */
export interface GateMethodStream {
  decide(view: GateView): GateDecision;
  /** Moves the knob of the budget from the next frame on. */
  tune?(value: number): void;
}

/** How much a method lets through. `fixed`: the knob is a number or a share; `adaptive`: a threshold. A benchmark sweeps the knob, a controller moves it. */
export interface GateBudget<O> {
  readonly kind: 'fixed' | 'adaptive';
  /** The option that the budget is set by. */
  readonly knob: keyof O & string;
  /** Value of the knob at which every frame goes the full path. */
  readonly full: number;
  /** Values worth comparing, tight to wide. */
  readonly sweep: readonly number[];
}

export interface GateContext {
  /** Weights of the learned router: the checkpoint's own, or those that come with the program. */
  readonly router: RouterWeights;
}

/** A gate method: the default export of a file in `methods/`. */
export interface GateMethod<O extends object = Readonly<Record<string, unknown>>> extends MethodInfo {
  /** Options with their defaults; an empty object must parse. */
  readonly options: z.ZodType<O>;
  /** Absent: lets every frame through; the method is not asked. */
  readonly budget?: GateBudget<O>;
  /** A frame skipped as `still` shows what the last encoded one shows: the memory counts how long that one stands. */
  readonly runLengths?: true;
  open(options: O, context: GateContext): GateMethodStream;
}

/** Checks a method's types where it is written. */
export function defineGateMethod<O extends object>(method: GateMethod<O>): GateMethod<O> {
  return method;
}
