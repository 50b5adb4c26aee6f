// The contract between what makes training clips and what trains on them: pictures at the model's size, questions as text, exact truth.
import type { VlmConfig } from './vlm-config.ts';

/** A question and its answer, as text. */
export interface TextTurn {
  readonly timeSec: number;
  readonly question: string;
  readonly answer: string;
  /** Kind of question, for figures of its own. */
  readonly label: string;
  /** The earliest moment that must have been seen to know the answer. */
  readonly evidenceSec: number;
}

/** One clip, made. */
export interface MadeClip {
  /** In time order; as many as frames. */
  readonly timesSec: readonly number[];
  /** Each uint8 [imagePx, imagePx, 3], through the preprocessing that the model has when it watches. */
  readonly frames: readonly Uint8Array[];
  /** Dialogues: the turns of one follow one another, and see no others. */
  readonly threads: readonly (readonly TextTurn[])[];
  /** float32 [frames · tokensPerFrame, labels + numbers] both, where the configuration has auxiliary heads. */
  readonly auxiliary?: { readonly targets: Float32Array; readonly weights: Float32Array };
}

/** Makes the clips of a training set, numbered from 0: the same number gives the same clip, in any order, in any process. */
export interface ClipMaker {
  make(index: number): Promise<MadeClip>;
}

/**
 * Default export of a maker module, loaded inside a worker thread.
 * @param options plain data, as given to the recipe
 */
export type OpenClipMaker = (config: VlmConfig, options: unknown) => Promise<ClipMaker> | ClipMaker;
