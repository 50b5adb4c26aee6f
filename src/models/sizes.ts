// Sizes of checkpoints by name: the published ones that random weights stand in for, and small ones for tests.

/** Everything that fixes the shapes of a checkpoint. */
export interface CheckpointSize {
  /** `model_type` of config.json. */
  readonly modelType: 'idefics3' | 'smolvlm' | 'llava_onevision';
  readonly vision: { readonly layers: number; readonly width: number; readonly heads: number; readonly mlpWidth: number; readonly imagePx: number; readonly patchPx: number };
  readonly text: { readonly layers: number; readonly width: number; readonly queryHeads: number; readonly kvHeads: number; readonly headWidth: number; readonly mlpWidth: number; readonly ropeTheta: number; readonly contextLength: number };
  /** Side of the squares of patches that become one token; LLaVA-OneVision pools instead. */
  readonly pixelShuffle?: number;
  /** Rows of the embedding. */
  readonly vocabulary: number;
  /** Tokens of the learned vocabulary; the family's special tokens follow. */
  readonly learnedTokens: number;
  readonly tiedEmbeddings: boolean;
}

const siglipBase512 = { layers: 12, width: 768, heads: 12, mlpWidth: 3072, imagePx: 512, patchPx: 16 };
const smollm = { headWidth: 64, ropeTheta: 100000, contextLength: 8192 };
const tinyVision = { layers: 2, width: 48, heads: 2, mlpWidth: 96, imagePx: 64, patchPx: 8 };
const tinyText = { layers: 2, width: 64, queryHeads: 4, kvHeads: 2, headWidth: 16, mlpWidth: 128, ropeTheta: 10000, contextLength: 8192 };

/** By name. The published sizes are those of the files on the Hugging Face Hub. */
export const checkpointSizes = {
  'smolvlm-256m': {
    modelType: 'idefics3',
    vision: siglipBase512,
    text: { ...smollm, layers: 30, width: 576, queryHeads: 9, kvHeads: 3, mlpWidth: 1536 },
    pixelShuffle: 4,
    vocabulary: 49280,
    learnedTokens: 49152,
    tiedEmbeddings: false,
  },
  'smolvlm-500m': {
    modelType: 'idefics3',
    vision: siglipBase512,
    text: { ...smollm, layers: 32, width: 960, queryHeads: 15, kvHeads: 5, mlpWidth: 2560 },
    pixelShuffle: 4,
    vocabulary: 49280,
    learnedTokens: 49152,
    tiedEmbeddings: false,
  },
  'smolvlm-2.2b': {
    modelType: 'idefics3',
    vision: { layers: 27, width: 1152, heads: 16, mlpWidth: 4304, imagePx: 384, patchPx: 14 },
    text: { layers: 24, width: 2048, queryHeads: 32, kvHeads: 32, headWidth: 64, mlpWidth: 8192, ropeTheta: 273768, contextLength: 16384 },
    pixelShuffle: 3,
    vocabulary: 49155,
    learnedTokens: 49152,
    tiedEmbeddings: false,
  },
  'llava-onevision-0.5b': {
    modelType: 'llava_onevision',
    vision: { layers: 26, width: 1152, heads: 16, mlpWidth: 4304, imagePx: 384, patchPx: 14 },
    text: { layers: 24, width: 896, queryHeads: 14, kvHeads: 2, headWidth: 64, mlpWidth: 4864, ropeTheta: 1000000, contextLength: 32768 },
    vocabulary: 152000,
    learnedTokens: 151643,
    tiedEmbeddings: true,
  },
  'smolvlm-tiny': { modelType: 'idefics3', vision: tinyVision, text: tinyText, pixelShuffle: 4, vocabulary: 1088, learnedTokens: 1024, tiedEmbeddings: false },
  'smolvlm2-tiny': { modelType: 'smolvlm', vision: tinyVision, text: tinyText, pixelShuffle: 4, vocabulary: 1088, learnedTokens: 1024, tiedEmbeddings: false },
  'llava-onevision-tiny': { modelType: 'llava_onevision', vision: { ...tinyVision, imagePx: 60 }, text: tinyText, vocabulary: 1040, learnedTokens: 1024, tiedEmbeddings: true },
} as const satisfies Readonly<Record<string, CheckpointSize>>;

/** Name of a size in `checkpointSizes`. */
export type CheckpointSizeName = keyof typeof checkpointSizes;
