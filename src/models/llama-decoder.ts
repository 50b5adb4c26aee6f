// Llama-shaped decoders (Llama, Qwen2) as Transformers stores them: configuration and weights, shared by the families.
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { count, option, positive, refuseOptions, ropeFields, ropeTheta } from './config.ts';
import type { DecoderSpec, DecoderWeights } from './contract.ts';
import type { WeightTable } from './weight-table.ts';

const shared = {
  num_hidden_layers: count.default(32),
  num_attention_heads: count.default(32),
  hidden_size: count.default(4096),
  head_dim: count.nullish(),
  hidden_act: option('decoder activation', { silu: 'silu', swish: 'silu' }).default('silu'),
  rms_norm_eps: positive.default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  layer_types: z.array(z.string()).nullish(),
  ...ropeFields,
};

/** `text_config` of a Llama; absent fields as in `LlamaConfig`. */
export const llamaConfigSchema = z.looseObject({
  ...shared,
  model_type: z.literal('llama', 'a supported decoder: "llama"').default('llama'),
  vocab_size: count.default(32000),
  intermediate_size: count.default(11008),
  num_key_value_heads: count.nullish(),
  max_position_embeddings: count.default(2048),
  attention_bias: z.boolean().default(false),
});

/** `text_config` of a Qwen2; absent fields as in `Qwen2Config`. */
export const qwen2ConfigSchema = z.looseObject({
  ...shared,
  model_type: z.literal('qwen2', 'a supported decoder: "qwen2"').default('qwen2'),
  vocab_size: count.default(151936),
  intermediate_size: count.default(22016),
  num_key_value_heads: count.nullish().default(32),
  max_position_embeddings: count.default(32768),
});

type TextConfig = z.output<typeof llamaConfigSchema> | z.output<typeof qwen2ConfigSchema>;

/** @param options.tiedEmbeddings whether the output matrix is the embedding, by the whole configuration */
export function decoderSpec(config: TextConfig, where: string, options: { readonly tiedEmbeddings: boolean }): DecoderSpec {
  refuseOptions(config, where, {
    mlp_bias: [false],
    rope_interleaved: [false],
    qk_layer_norms: [false],
    use_resampler: [false],
    use_sliding_window: [false],
    quantization_config: [],
    partial_rotary_factor: [1],
  });
  for (const type of config.layer_types ?? []) {
    if (type !== 'full_attention') throw new ModelError('CONFIG_UNSUPPORTED', { what: `${where}: field text_config.layer_types is not supported`, got: JSON.stringify(type), expected: '"full_attention" in every layer' });
  }
  const queryHeads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? queryHeads;
  const mustDivide = (field: string, value: number, by: string, divisor: number) => {
    if (value % divisor !== 0) throw new ModelError('CONFIG_INVALID', { what: `${where}: field text_config.${field} is not what it should be`, got: `${value}`, expected: `a multiple of ${by}, ${divisor}` });
  };
  mustDivide('num_attention_heads', queryHeads, 'num_key_value_heads', kvHeads);
  if (typeof config.head_dim !== 'number') mustDivide('hidden_size', config.hidden_size, 'num_attention_heads', queryHeads);
  const headWidth = config.head_dim ?? config.hidden_size / queryHeads;
  mustDivide('head_dim', headWidth, 'two (channels turn in pairs)', 2);
  return {
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    queryHeads,
    kvHeads,
    headWidth,
    mlpWidth: config.intermediate_size,
    vocabulary: config.vocab_size,
    normEpsilon: config.rms_norm_eps,
    attentionBias: config.model_type === 'qwen2' || config.attention_bias,
    ropeTheta: ropeTheta(config, where, 10000),
    ropeLayout: 'halves',
    contextLength: config.max_position_embeddings,
    tiedEmbeddings: options.tiedEmbeddings,
  };
}

/**
 * @param prefix what stands before `embed_tokens`, `layers` and `norm`
 * @param head name of the output matrix, used when embeddings are not tied
 * @param options.outputBias Llama's `attention_bias` gives the output projection one too, Qwen2's layers have none there
 */
export function decoderWeights(table: WeightTable, prefix: string, head: string, spec: DecoderSpec, options: { readonly outputBias: boolean }): DecoderWeights {
  const { width, mlpWidth, headWidth } = spec;
  const queryWidth = spec.queryHeads * headWidth;
  const kvWidth = spec.kvHeads * headWidth;
  const bias = { bias: spec.attentionBias };
  const none = { bias: false };
  const embedding = table.take(`${prefix}embed_tokens.weight`, [spec.vocabulary, width]);
  return {
    embedding,
    layers: Array.from({ length: spec.layers }, (_, index) => {
      const layer = `${prefix}layers.${index}`;
      return {
        attentionNorm: table.norm(`${layer}.input_layernorm`, width, none),
        query: table.linear(`${layer}.self_attn.q_proj`, queryWidth, width, bias),
        key: table.linear(`${layer}.self_attn.k_proj`, kvWidth, width, bias),
        value: table.linear(`${layer}.self_attn.v_proj`, kvWidth, width, bias),
        output: table.linear(`${layer}.self_attn.o_proj`, width, queryWidth, { bias: options.outputBias }),
        mlpNorm: table.norm(`${layer}.post_attention_layernorm`, width, none),
        gate: table.linear(`${layer}.mlp.gate_proj`, mlpWidth, width, none),
        up: table.linear(`${layer}.mlp.up_proj`, mlpWidth, width, none),
        down: table.linear(`${layer}.mlp.down_proj`, width, mlpWidth, none),
      };
    }),
    finalNorm: table.norm(`${prefix}norm`, width, none),
    head: { weight: spec.tiedEmbeddings ? embedding : table.take(`${head}.weight`, [spec.vocabulary, width]) },
  };
}
