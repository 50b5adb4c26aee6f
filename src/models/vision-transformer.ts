// SigLIP vision transformers as Transformers stores them: configuration and weights, shared by the families.
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { count, option, positive } from './config.ts';
import type { VisionSpec, VisionWeights } from './contract.ts';
import type { WeightTable } from './weight-table.ts';

const side = z.union([count, z.tuple([count, count])]);

/** Defaults of `SiglipVisionConfig`; Idefics3 and SmolVLM have others. */
export interface VisionDefaults {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly image_size: number;
  readonly patch_size: number;
}

/** The schema of `vision_config`, absent fields as in Transformers' configuration class. */
export function visionConfigSchema(defaults: VisionDefaults) {
  return z.looseObject({
    hidden_size: count.default(defaults.hidden_size),
    intermediate_size: count.default(defaults.intermediate_size),
    num_hidden_layers: count.default(defaults.num_hidden_layers),
    num_attention_heads: count.default(defaults.num_attention_heads),
    num_channels: z.literal(3).default(3),
    image_size: side.default(defaults.image_size),
    patch_size: side.default(defaults.patch_size),
    hidden_act: option('vision activation', { gelu_pytorch_tanh: 'gelu-tanh', gelu_new: 'gelu-tanh', gelu: 'gelu' }).default('gelu-tanh'),
    layer_norm_eps: positive.default(1e-6),
  });
}

export type VisionConfig = z.output<ReturnType<typeof visionConfigSchema>>;

/** @param options.layers how many of the layers are run; the rest need not be stored */
export function visionSpec(config: VisionConfig, where: string, options: { readonly layers: number; readonly finalNorm: boolean }): VisionSpec & { readonly imagePx: number } {
  const square = (name: 'image_size' | 'patch_size') => {
    const value = config[name];
    if (typeof value === 'number') return value;
    if (value[0] === value[1]) return value[0];
    throw new ModelError('CONFIG_UNSUPPORTED', { what: `${where}: field vision_config.${name} is not supported`, got: `[${value.join(', ')}]`, expected: 'equal height and width' });
  };
  const imagePx = square('image_size');
  const patchPx = square('patch_size');
  const columns = Math.floor(imagePx / patchPx);
  if (columns === 0) throw new ModelError('CONFIG_INVALID', { what: `${where}: vision_config.patch_size is larger than the picture`, got: `${patchPx}`, expected: `at most image_size, ${imagePx}` });
  if (config.hidden_size % config.num_attention_heads !== 0) {
    throw new ModelError('CONFIG_INVALID', { what: `${where}: field vision_config.hidden_size is not what it should be`, got: `${config.hidden_size}`, expected: `a multiple of num_attention_heads, ${config.num_attention_heads}` });
  }
  return {
    imagePx,
    layers: options.layers,
    width: config.hidden_size,
    heads: config.num_attention_heads,
    mlpWidth: config.intermediate_size,
    patchPx,
    columns,
    rows: columns,
    activation: config.hidden_act,
    normEpsilon: config.layer_norm_eps,
    finalNorm: options.finalNorm,
  };
}

/** @param prefix what stands before `embeddings.` and `encoder.` */
export function visionWeights(table: WeightTable, prefix: string, spec: VisionSpec): VisionWeights {
  const { width, mlpWidth, patchPx } = spec;
  const bias = { bias: true };
  const patch = `${prefix}embeddings.patch_embedding`;
  return {
    patch: { weight: table.take(`${patch}.weight`, [width, 3, patchPx, patchPx]), bias: table.take(`${patch}.bias`, [width]) },
    positions: table.take(`${prefix}embeddings.position_embedding.weight`, [spec.columns * spec.rows, width]),
    layers: Array.from({ length: spec.layers }, (_, index) => {
      const layer = `${prefix}encoder.layers.${index}`;
      return {
        attentionNorm: table.norm(`${layer}.layer_norm1`, width, bias),
        query: table.linear(`${layer}.self_attn.q_proj`, width, width, bias),
        key: table.linear(`${layer}.self_attn.k_proj`, width, width, bias),
        value: table.linear(`${layer}.self_attn.v_proj`, width, width, bias),
        output: table.linear(`${layer}.self_attn.out_proj`, width, width, bias),
        mlpNorm: table.norm(`${layer}.layer_norm2`, width, bias),
        up: table.linear(`${layer}.mlp.fc1`, mlpWidth, width, bias),
        down: table.linear(`${layer}.mlp.fc2`, width, mlpWidth, bias),
      };
    }),
    ...(spec.finalNorm && { finalNorm: table.norm(`${prefix}post_layernorm`, width, bias) }),
  };
}
