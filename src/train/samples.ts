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
  /** Share in the loss beside other turns; default 1. */
  readonly weight?: number;
  readonly evidence?: Evidence;
}

/** Where the answer is to be seen. */
export interface Evidence {
  /** From and to, in seconds of the clip. */
  readonly spansSec: readonly (readonly [number, number])[];
  /** Names in `ClipTruth.squares` of what question and answer are about; none: the whole picture. */
  readonly subjects: readonly string[];
}

/** Dialogues: the turns of one follow one another, and see no others. */
export type TextThread = readonly TextTurn[];

/** The costly part of a clip: drawn, coded, decoded and resized. */
export interface ClipPictures {
  /** In time order; as many as frames, equally far apart. */
  readonly timesSec: readonly number[];
  /** Each uint8 [imagePx, imagePx, 3], through the preprocessing that the model has when it watches. */
  readonly frames: readonly Uint8Array[];
}

/** What is known of a clip. */
export interface ClipTruth {
  readonly threads: readonly TextThread[];
  /** float32 [frames · tokensPerFrame, labels + numbers] both, where the configuration has auxiliary heads. */
  readonly auxiliary?: { readonly targets: Float32Array; readonly weights: Float32Array };
  /** For each thing that evidence names, and each picture: the visual tokens in whose squares it shows. */
  readonly squares?: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/** Makes the clips of a training set, numbered from 0: the same number gives the same clip, in any order, in any process. */
export interface ClipMaker {
  pictures(index: number): Promise<ClipPictures>;
  truth(index: number): Promise<ClipTruth> | ClipTruth;
}

/**
 * Default export of a maker module, loaded inside a worker thread.
 * @param options plain data, as given to the recipe
 */
export type OpenClipMaker = (config: VlmConfig, options: unknown) => Promise<ClipMaker> | ClipMaker;
