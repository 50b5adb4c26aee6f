// A checkpoint as a chain of steps: what is packed at a time, how numbers flow through it, and where channel factors can hide.
import type { PackedLinear, TensorRef } from '../../graph/linear.ts';
import type { Checkpoint, LinearSource, NormSource, WeightSource } from '../contract.ts';
import type { PackedNorm } from './contract.ts';
import { decoderSteps } from './steps-decoder.ts';
import { visionSteps } from './steps-vision.ts';

/** The packed weights of one step, by role. */
export interface StepParts {
  readonly linears: Readonly<Record<string, PackedLinear>>;
  readonly norms: Readonly<Record<string, PackedNorm>>;
  readonly tensors: Readonly<Record<string, TensorRef>>;
}

/** Linear layers that share an input, and what makes that input: its channels may be divided there and multiplied in the layers' columns. */
export interface Fold {
  readonly linears: readonly string[];
  /** A norm, or a layer whose outputs reach the input without being bent: values through attention, `up` of a gated perceptron. */
  readonly source: { readonly kind: 'norm'; readonly name: string } | { readonly kind: 'linear'; readonly name: string };
  /** int32 [in]: the source's channel of each input channel; the same number when absent. */
  readonly channels?: Int32Array;
}

/** What a step made of its input. */
export interface StepResult {
  /** float32: the next step's input. */
  readonly after: Float32Array;
  /** Inputs and outputs of each linear layer, float32 [rows, width]. */
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** A step ready to run. */
export interface OpenStep extends AsyncDisposable {
  /** @param noise added to the outputs of linear layers, float32 [rows, out] */
  run(input: Float32Array, noise: Readonly<Record<string, Float32Array>>): Promise<StepResult>;
}

export interface Step {
  /** Name of the unit in the pack. */
  readonly name: string;
  readonly linears: Readonly<Record<string, LinearSource>>;
  readonly norms: Readonly<Record<string, NormSource>>;
  /** Written as float32. */
  readonly tensors: Readonly<Record<string, WeightSource>>;
  readonly folds: readonly Fold[];
  /** Width of a row of its result. */
  readonly afterWidth: number;
  /** The unit's part of the manifest. */
  manifest(parts: StepParts): object;
  /** Input of the first step of a chain. `before` is what the last chain gave. */
  start?(before: Float32Array | undefined): Float32Array;
  open(parts: StepParts, threads: number): Promise<OpenStep>;
}

/** All steps in the order of computation. */
export function stepsOf(checkpoint: Checkpoint): readonly Step[] {
  return [...(checkpoint.vision ? visionSteps(checkpoint.vision) : []), ...decoderSteps(checkpoint)];
}
