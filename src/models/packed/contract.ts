// Packed weights: the tensors of a checkpoint in the formats that graphs use, by role.
import type { PackedLinear, TensorRef } from '../../graph/linear.ts';

/**
 * What the weights of linear layers are stored as. `float32`: as they are. `w8`, `w4`: 8- or 4-bit blocks of 32 (activations quantised in the same
 * blocks as they come). `w8a8`: 8-bit weights and activations, the fastest with many rows; layers that lose too much by it fall back to `w8` or float32.
 */
export type Precision = 'float32' | 'w8a8' | 'w8' | 'w4';

export interface PackedNorm {
  /** float32 [E]. */
  readonly scale: TensorRef;
  /** float32 [E]. */
  readonly bias?: TensorRef;
}

/** A vision transformer and its projector. */
export interface PackedVision {
  /** [E, 3 · patch²]: channel, then row, then column of the patch. */
  readonly patch: PackedLinear;
  /** float32 [rows · columns, E]. */
  readonly positions: TensorRef;
  readonly layers: readonly {
    readonly attentionNorm: PackedNorm;
    readonly query: PackedLinear;
    readonly key: PackedLinear;
    readonly value: PackedLinear;
    readonly output: PackedLinear;
    readonly mlpNorm: PackedNorm;
    readonly up: PackedLinear;
    readonly down: PackedLinear;
  }[];
  readonly finalNorm?: PackedNorm;
  readonly projector: {
    /** One matrix (pixel shuffle) or two (multi-layer perceptron). */
    readonly linears: readonly PackedLinear[];
    /** float32 [E]. */
    readonly newline?: TensorRef;
  };
}

/** Rows of the embedding table, read as they are asked for: the table never stands in memory. */
export interface EmbeddingTable extends Disposable {
  readonly vocabulary: number;
  readonly width: number;
  /**
   * @param into float32 [T, E]; allocated when absent
   * @returns float32 [T, E]
   * @throws ModelError for an id outside of the table
   */
  rows(ids: ArrayLike<number>, into?: Float32Array): Float32Array;
}

/**
 * What a trained memory adapter gives a decoder besides its weights. `dmc` (arXiv 2403.09636): a channel of keys and queries before the rotary
 * embedding carries decisions and importances, and is zero in attention. `dms` (arXiv 2506.05345): a small network on each layer's input decides.
 */
export type PackedDecisions =
  | {
      readonly kind: 'dmc';
      /** Channel of each head, 0 to D − 1. */
      readonly channel: number;
      /** Taken from decision logits and added to importances. */
      readonly offset: number;
    }
  | {
      readonly kind: 'dms';
      /** Taken from decision logits. */
      readonly offset: number;
      /** [L]: `project` is float32 [H, E] with a bias. */
      readonly layers: readonly { readonly norm: PackedNorm; readonly project: PackedLinear }[];
    };

export interface PackedDecoder {
  /** Of a model that was opened with a memory adapter. */
  readonly decisions?: PackedDecisions;
  readonly embedding: EmbeddingTable;
  readonly layers: readonly {
    readonly attentionNorm: PackedNorm;
    readonly query: PackedLinear;
    readonly key: PackedLinear;
    readonly value: PackedLinear;
    readonly output: PackedLinear;
    readonly mlpNorm: PackedNorm;
    readonly gate: PackedLinear;
    readonly up: PackedLinear;
    readonly down: PackedLinear;
  }[];
  readonly finalNorm: PackedNorm;
  /** [V, E]. */
  readonly head: PackedLinear;
}

/** A checkpoint's weights, ready for graphs. */
export interface PackedModel extends Disposable {
  readonly precision: Precision;
  readonly vision?: PackedVision;
  readonly decoder: PackedDecoder;
  /** Bytes of all packed tensors. */
  readonly bytes: number;
}
