// What a checkpoint family says of its model: sizes, weights and prompt, in one form for all families.

/** Axis letters, once for all: L layers, H KV heads, Q query heads, T tokens, D head width, E model width, P patches, V vocabulary. */

/** How pixels become patches. */
export interface ImageSpec {
  /** What a picture is resized to before the encoder, in pixels. */
  readonly resize: { readonly kind: 'longest-edge-then-square'; readonly longestEdgePx: number } | { readonly kind: 'square' };
  readonly widthPx: number;
  readonly heightPx: number;
  readonly resample: 'nearest' | 'lanczos' | 'bilinear' | 'bicubic';
  readonly rescale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** A SigLIP vision transformer (arXiv 2303.15343): pre-norm, learned positions, full attention. */
export interface VisionSpec {
  readonly layers: number;
  /** E. */
  readonly width: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly patchPx: number;
  /** Patches across and down of the position table. */
  readonly columns: number;
  readonly rows: number;
  readonly activation: 'gelu-tanh' | 'gelu';
  readonly normEpsilon: number;
  readonly finalNorm: boolean;
}

/** From patches to visual tokens. */
export type ProjectorSpec =
  /** Idefics3: s×s patches side by side become one token, then one matrix without bias. */
  | { readonly kind: 'pixel-shuffle'; readonly scale: number; readonly inputWidth: number; readonly outputWidth: number }
  /** LLaVA-OneVision: two matrices with a gelu between, then (video) bilinear pooling to ⌈rows/2⌉ × ⌈columns/2⌉. */
  | { readonly kind: 'mlp-pooled'; readonly inputWidth: number; readonly outputWidth: number; readonly activation: 'gelu-tanh' | 'gelu'; readonly newlineToken: boolean };

/** A Llama-shaped decoder: pre-norm (RMS), rotary positions, grouped KV heads, gated MLP. */
export interface DecoderSpec {
  /** L. */
  readonly layers: number;
  /** E. */
  readonly width: number;
  /** Q. */
  readonly queryHeads: number;
  /** H. */
  readonly kvHeads: number;
  /** D. */
  readonly headWidth: number;
  readonly mlpWidth: number;
  /** V. */
  readonly vocabulary: number;
  readonly normEpsilon: number;
  readonly attentionBias: boolean;
  readonly ropeTheta: number;
  /** Which channels turn together: `halves` i and i + D/2 (Hugging Face), `pairs` 2i and 2i + 1 (llama2.c). */
  readonly ropeLayout: 'halves' | 'pairs';
  /** Positions that the model was trained on. */
  readonly contextLength: number;
  readonly tiedEmbeddings: boolean;
}

/** A weight by its role; `read` gives float32 whatever the file holds. */
export interface WeightSource {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
  /** Where the bytes lie, for reference in place. */
  readonly file: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** float32 [shape]; reads the file at each call. */
  read(): Promise<Float32Array>;
}

export interface LinearSource {
  /** [out, in], as PyTorch stores it. */
  readonly weight: WeightSource;
  /** [out]. */
  readonly bias?: WeightSource;
}

export interface NormSource {
  readonly scale: WeightSource;
  readonly bias?: WeightSource;
}

export interface VisionWeights {
  /** [E, 3, patch, patch] as a convolution. */
  readonly patch: LinearSource;
  /** [rows · columns, E]. */
  readonly positions: WeightSource;
  readonly layers: readonly {
    readonly attentionNorm: NormSource;
    readonly query: LinearSource;
    readonly key: LinearSource;
    readonly value: LinearSource;
    readonly output: LinearSource;
    readonly mlpNorm: NormSource;
    readonly up: LinearSource;
    readonly down: LinearSource;
  }[];
  readonly finalNorm?: NormSource;
}

export interface ProjectorWeights {
  /** One matrix (pixel shuffle) or two. */
  readonly linears: readonly LinearSource[];
  /** [E]; LLaVA-OneVision. */
  readonly newline?: WeightSource;
}

export interface DecoderWeights {
  /** [V, E]. */
  readonly embedding: WeightSource;
  readonly layers: readonly {
    readonly attentionNorm: NormSource;
    readonly query: LinearSource;
    readonly key: LinearSource;
    readonly value: LinearSource;
    readonly output: LinearSource;
    readonly mlpNorm: NormSource;
    readonly gate: LinearSource;
    readonly up: LinearSource;
    readonly down: LinearSource;
  }[];
  readonly finalNorm: NormSource;
  /** [V, E]; the embedding itself where tied. */
  readonly head: LinearSource;
}

/** Defaults of the checkpoint for writing text (`generation_config.json`). */
export interface GenerationDefaults {
  readonly stopTokens: readonly number[];
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly repetitionPenalty?: number;
  readonly sample: boolean;
}

/** What a turn shows or says, in order. A video is the frames of one stretch of a stream, in time order. */
export type TurnPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image' }
  | {
      readonly kind: 'video';
      /** Media time of each frame; SmolVLM2 writes it before the frame. */
      readonly frameTimesSec: readonly number[];
      /** Length of the whole video. Absent for a live stream: then SmolVLM2's introduction, which states it, is left out. */
      readonly durationSec?: number;
    };

/** One turn of a dialogue. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly parts: readonly TurnPart[];
}

/**
 * A stretch of a prompt: token ids, the place of one picture's visual tokens, or the place of the learned newline embedding
 * (`ProjectorWeights.newline`) that ends a video in LLaVA-OneVision.
 */
export type PromptPart = { readonly kind: 'text'; readonly ids: Int32Array } | { readonly kind: 'frame' } | { readonly kind: 'newline' };

/** Where in a live dialogue something stands. */
export interface StreamPlace {
  /** The turn of the user, from 0: how many questions were answered before. */
  readonly turn: number;
  /** Frames that this turn has shown before. */
  readonly framesBefore: number;
}

/**
 * The pieces that a live stream needs, so that frames may come one by one and questions at any moment:
 * `opening` (`frame.before` · picture · `frame.after`)… `question` · answer · `answerEnd` (frames…) `question` · answer · `answerEnd` …
 * Together they are what `render` gives for the same dialogue.
 */
export interface StreamFormat {
  readonly opening: Int32Array;
  frame(place: StreamPlace & { readonly timeSec: number }): { readonly before: Int32Array; readonly after: Int32Array };
  /** From the last frame (or the opening, or `answerEnd`) to where the answer begins. Holds no frame. */
  question(text: string, place: StreamPlace): readonly PromptPart[];
  /** An answer as the model would have written it, to bring a past dialogue back. */
  answer(text: string): Int32Array;
  /** What follows an answer; it begins with the stop token. */
  readonly answerEnd: Int32Array;
}

/** Text to ids and back, and the family's way of laying out a dialogue with pictures. */
export interface PromptFormat {
  encode(text: string): Int32Array;
  /** Text of the ids, special tokens left out. */
  decode(ids: readonly number[] | Int32Array): string;
  /** The dialogue by the checkpoint's chat template; `generate` opens the assistant's turn. Pieces in order. */
  render(turns: readonly Turn[], options: { readonly generate: boolean }): readonly PromptPart[];
  /** The rendered template as text, before tokenisation, for inspection. */
  renderText(turns: readonly Turn[], options: { readonly generate: boolean }): string;
  readonly stream: StreamFormat;
}

/** A memory adapter that a checkpoint was opened with; its replacements stand among the weights. */
export interface Adapter {
  readonly name: string;
  readonly folder: string;
  readonly kind: 'dmc' | 'dms';
  /** Tokens for each slot, as trained for. */
  readonly ratio: number;
  /** DMS: tokens for which a token that is to go stays. DMC: the most tokens that a slot averages. */
  readonly window?: number;
  /** Notes of the training. */
  readonly trained: Readonly<Record<string, unknown>>;
  readonly decisions:
    | { readonly kind: 'dmc'; readonly channel: number; readonly offset: number }
    /** [L]: norm [E], projection [H, E] with a bias. */
    | { readonly kind: 'dms'; readonly offset: number; readonly layers: readonly { readonly norm: NormSource; readonly project: LinearSource }[] };
}

/** A checkpoint, checked and described, its weights not yet read. */
export interface Checkpoint {
  /** The name of the file in `models/` that understood it: `smolvlm`, `llava-onevision`, `llama2c`. */
  readonly family: string;
  readonly folder: string;
  /** Absent for a model of text alone. */
  readonly vision?: { readonly image: ImageSpec; readonly spec: VisionSpec; readonly weights: VisionWeights; readonly projector: ProjectorSpec; readonly projectorWeights: ProjectorWeights };
  readonly decoder: { readonly spec: DecoderSpec; readonly weights: DecoderWeights };
  readonly prompt: PromptFormat;
  readonly generation: GenerationDefaults;
  /** Visual tokens that one frame becomes. */
  readonly tokensPerFrame: number;
  readonly parameters: number;
  readonly adapter?: Adapter;
}
