// Sizes of a SmolVLM-shaped model to train, and its parameters under the names of published checkpoints.
import { UserError } from '../core/errors.ts';
import type { ParameterSpec } from './parameters.ts';

/** SigLIP encoder, pixel shuffle and one matrix, Llama decoder with tied embeddings (Idefics3, arXiv 2408.12637). */
export interface VlmConfig {
  readonly imagePx: number;
  readonly patchPx: number;
  /** scale² patches side by side become one visual token. */
  readonly scale: number;
  readonly vision: { readonly width: number; readonly layers: number; readonly heads: number; readonly mlpWidth: number; readonly normEpsilon: number };
  readonly text: {
    readonly width: number;
    readonly layers: number;
    readonly queryHeads: number;
    readonly kvHeads: number;
    readonly mlpWidth: number;
    readonly vocabulary: number;
    readonly normEpsilon: number;
    readonly ropeTheta: number;
    readonly contextLength: number;
  };
  /** Heads on every visual token that learn from exact truth; left out of an export. */
  readonly auxiliary?: {
    /** Labels, each present or not: classes, colours, states. */
    readonly labels: number;
    /** Numbers to regress: boxes. */
    readonly numbers: number;
  };
}

/** Sizes that follow from a configuration. */
export function vlmSizes({ imagePx, patchPx, scale, vision, text }: VlmConfig) {
  const columns = imagePx / patchPx;
  const tokenColumns = columns / scale;
  for (const [what, value] of [['patches across', columns], ['visual tokens across', tokenColumns], ['vision head width', vision.width / vision.heads], ['decoder head width', text.width / text.queryHeads], ['query heads of a KV head', text.queryHeads / text.kvHeads]] as const) {
    if (!Number.isInteger(value)) throw new UserError('VLM_SIZES', { what: `the sizes of the model do not fit together: ${what}`, got: `${value}`, expected: 'a whole number' });
  }
  return { columns, patches: columns * columns, tokenColumns, tokensPerFrame: tokenColumns * tokenColumns, patchValues: 3 * patchPx * patchPx, headWidth: text.width / text.queryHeads, groups: text.queryHeads / text.kvHeads };
}

export const vlmNames = {
  patch: 'model.vision_model.embeddings.patch_embedding',
  patchPositions: 'model.vision_model.embeddings.position_embedding.weight',
  visionLayer: (layer: number) => `model.vision_model.encoder.layers.${layer}`,
  visionNorm: 'model.vision_model.post_layernorm',
  projection: 'model.connector.modality_projection.proj.weight',
  embedding: 'model.text_model.embed_tokens.weight',
  textLayer: (layer: number) => `model.text_model.layers.${layer}`,
  textNorm: 'model.text_model.norm.weight',
  auxiliary: 'auxiliary.head',
};

/** Groups: `matrix` is decayed; `vector` (norms, biases) and `embedding` (embeddings, positions) are not. */
export function vlmParameters(config: VlmConfig): ParameterSpec[] {
  const { vision, text, auxiliary } = config;
  const { patches, headWidth } = vlmSizes(config);
  const matrix = (name: string, shape: readonly number[], gain = 1): ParameterSpec => {
    const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
    return { name, shape, initialiser: { kind: 'normal', std: gain / Math.sqrt(2 * inputs) }, group: 'matrix' };
  };
  const vector = (name: string, size: number, value: number): ParameterSpec => ({ name, shape: [size], initialiser: { kind: 'constant', value }, group: 'vector' });
  const table = (name: string, shape: readonly number[], std: number): ParameterSpec => ({ name, shape, initialiser: { kind: 'normal', std }, group: 'embedding' });
  const linear = (name: string, out: number, inputs: number, gain = 1) => [matrix(`${name}.weight`, [out, inputs], gain), vector(`${name}.bias`, out, 0)];
  const norm = (name: string, width: number) => [vector(`${name}.weight`, width, 1), vector(`${name}.bias`, width, 0)];
  // What is added to the residual stream shrinks with depth, so that the sum starts with the variance of one layer (GPT-2).
  const visionGain = 1 / Math.sqrt(2 * vision.layers);
  const textGain = 1 / Math.sqrt(2 * text.layers);
  const keyWidth = text.kvHeads * headWidth;
  return [
    matrix(`${vlmNames.patch}.weight`, [vision.width, 3, config.patchPx, config.patchPx]),
    vector(`${vlmNames.patch}.bias`, vision.width, 0),
    table(vlmNames.patchPositions, [patches, vision.width], 0.1),
    ...Array.from({ length: vision.layers }, (_, i) => {
      const layer = vlmNames.visionLayer(i);
      return [
        ...norm(`${layer}.layer_norm1`, vision.width),
        ...['q_proj', 'k_proj', 'v_proj'].flatMap((name) => linear(`${layer}.self_attn.${name}`, vision.width, vision.width)),
        ...linear(`${layer}.self_attn.out_proj`, vision.width, vision.width, visionGain),
        ...norm(`${layer}.layer_norm2`, vision.width),
        ...linear(`${layer}.mlp.fc1`, vision.mlpWidth, vision.width),
        ...linear(`${layer}.mlp.fc2`, vision.width, vision.mlpWidth, visionGain),
      ];
    }).flat(),
    ...norm(vlmNames.visionNorm, vision.width),
    matrix(vlmNames.projection, [text.width, vision.width * config.scale ** 2]),
    table(vlmNames.embedding, [text.vocabulary, text.width], 1 / Math.sqrt(text.width)),
    ...Array.from({ length: text.layers }, (_, i) => {
      const layer = vlmNames.textLayer(i);
      return [
        vector(`${layer}.input_layernorm.weight`, text.width, 1),
        matrix(`${layer}.self_attn.q_proj.weight`, [text.width, text.width]),
        matrix(`${layer}.self_attn.k_proj.weight`, [keyWidth, text.width]),
        matrix(`${layer}.self_attn.v_proj.weight`, [keyWidth, text.width]),
        matrix(`${layer}.self_attn.o_proj.weight`, [text.width, text.width], textGain),
        vector(`${layer}.post_attention_layernorm.weight`, text.width, 1),
        matrix(`${layer}.mlp.gate_proj.weight`, [text.mlpWidth, text.width]),
        matrix(`${layer}.mlp.up_proj.weight`, [text.mlpWidth, text.width]),
        matrix(`${layer}.mlp.down_proj.weight`, [text.width, text.mlpWidth], textGain),
      ];
    }).flat(),
    vector(vlmNames.textNorm, text.width, 1),
    ...(auxiliary ? linear(vlmNames.auxiliary, auxiliary.labels + auxiliary.numbers, text.width) : []),
  ];
}
