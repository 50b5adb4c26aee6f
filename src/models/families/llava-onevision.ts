// LLaVA-OneVision: SigLIP encoder, two-layer projector with pooling for video, Qwen2 decoder; frames are shown as video.
import path from 'node:path';
import { z } from 'zod';
import { ModelError } from '../../core/errors.ts';
import { openChatTemplate } from '../chat-template.ts';
import { option, refuseOptions } from '../config.ts';
import type { ProjectorSpec } from '../contract.ts';
import type { CheckpointFamily } from '../family.ts';
import { openGeneration } from '../generation.ts';
import { openImageSpec } from '../image-processor.ts';
import { parseWith } from '../json.ts';
import { decoderSpec, decoderWeights, qwen2ConfigSchema } from '../llama-decoder.ts';
import { llavaLayout } from '../llava-prompt.ts';
import { createPromptFormat } from '../prompt-format.ts';
import { openTensors } from '../tensors.ts';
import { openTokenizer } from '../tokenizer.ts';
import { visionConfigSchema, visionSpec, visionWeights } from '../vision-transformer.ts';
import { savedBuffers, WeightTable } from '../weight-table.ts';

// Absent fields are as in `LlavaOnevisionConfig`; within a given `vision_config`, as in `SiglipVisionConfig`.
const schema = z.looseObject({
  model_type: z.literal('llava_onevision'),
  projector_hidden_act: option('projector activation', { gelu: 'gelu', gelu_pytorch_tanh: 'gelu-tanh', gelu_new: 'gelu-tanh' }).default('gelu'),
  vision_feature_select_strategy: z.literal('full', '"full": every patch is used').default('full'),
  vision_feature_layer: z.int('one layer: a whole number').default(-1),
  multimodal_projector_bias: z.boolean().default(true),
  image_token_index: z.int().min(0).default(151646),
  video_token_index: z.int().min(0).default(151647),
  tie_word_embeddings: z.boolean().default(false),
  text_config: qwen2ConfigSchema.prefault({}),
  vision_config: visionConfigSchema({ hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12, image_size: 224, patch_size: 16 })
    .extend({ model_type: z.literal('siglip_vision_model', 'a supported encoder: "siglip_vision_model"').default('siglip_vision_model') })
    .prefault({ hidden_size: 1152, intermediate_size: 4304, patch_size: 14, image_size: 384, num_hidden_layers: 26, num_attention_heads: 16 }),
});

const family: CheckpointFamily = {
  summary: 'LLaVA-OneVision with a Qwen2 decoder, frames pooled as video',
  source: 'LLaVA-OneVision (arXiv 2408.03326); layouts of Hugging Face Transformers 4.45 to 5',
  modelTypes: ['llava_onevision'],
  async open(folder, document) {
    const where = path.join(folder, 'config.json');
    const config = parseWith(schema, document, where);
    refuseOptions(config, where, { quantization_config: [], use_image_newline_parameter: [true] });
    const text = config.text_config;
    const table = new WeightTable(await openTensors(folder), folder);
    const textPrefix = table.prefix(['language_model.model.', 'model.language_model.', 'language_model.'], 'embed_tokens.weight');
    const head = table.has('language_model.lm_head.weight') ? 'language_model.lm_head' : 'lm_head';
    const saysTied = config.tie_word_embeddings || text.tie_word_embeddings;
    const decoder = decoderSpec(text, where, { tiedEmbeddings: await table.tied(saysTied, `${textPrefix}embed_tokens.weight`, `${head}.weight`) });
    const stored = config.vision_config.num_hidden_layers;
    // Features are taken behind the chosen layer, before the last norm: layers above it are stored but never run.
    const layers = config.vision_feature_layer < 0 ? stored + 1 + config.vision_feature_layer : config.vision_feature_layer;
    if (layers < 1 || layers > stored) {
      throw new ModelError('CONFIG_INVALID', { what: `${where}: field vision_feature_layer is not what it should be`, got: `${config.vision_feature_layer}`, expected: `-${stored} … -1 or 1 … ${stored}, a layer of the encoder` });
    }
    const { imagePx, ...vision } = visionSpec(config.vision_config, where, { layers, finalNorm: false });
    const projector: ProjectorSpec = { kind: 'mlp-pooled', inputWidth: vision.width, outputWidth: decoder.width, activation: config.projector_hidden_act, newlineToken: true };

    const visionPrefix = table.prefix(['vision_tower.vision_model.', 'model.vision_tower.vision_model.', 'model.vision_tower.', 'vision_tower.'], 'embeddings.patch_embedding.weight');
    const projectorPrefix = table.prefix(['multi_modal_projector.', 'model.multi_modal_projector.'], 'linear_1.weight');
    const newlinePrefix = table.prefix(['', 'model.'], 'image_newline');
    const bias = { bias: config.multimodal_projector_bias };
    const weights = {
      vision: visionWeights(table, visionPrefix, vision),
      projector: {
        linears: [table.linear(`${projectorPrefix}linear_1`, decoder.width, vision.width, bias), table.linear(`${projectorPrefix}linear_2`, decoder.width, decoder.width, bias)],
        newline: table.take(`${newlinePrefix}image_newline`, [decoder.width]),
      },
      decoder: decoderWeights(table, textPrefix, head, decoder, { outputBias: false }),
    };
    const above = Array.from({ length: stored - layers }, (_, index) => layers + index).join('|');
    table.finish([
      savedBuffers,
      { pattern: /^(model\.)?vision_tower\.(vision_model\.)?(post_layernorm|head)\./, reason: 'the encoder beyond vision_feature_layer' },
      ...(above === '' ? [] : [{ pattern: new RegExp(`^(model\\.)?vision_tower\\.(vision_model\\.)?encoder\\.layers\\.(${above})\\.`), reason: 'the encoder beyond vision_feature_layer' }]),
      ...(decoder.tiedEmbeddings ? [{ pattern: /^(language_model\.)?lm_head\.weight$/, reason: 'a copy of the tied embedding' }] : []),
    ]);

    const tokenizer = await openTokenizer(folder, decoder.vocabulary);
    return {
      folder,
      vision: {
        image: await openImageSpec(folder, 'video', imagePx, { resample: 'bicubic', mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }),
        spec: vision,
        weights: weights.vision,
        projector,
        projectorWeights: weights.projector,
      },
      decoder: { spec: decoder, weights: weights.decoder },
      prompt: createPromptFormat(tokenizer, llavaLayout(await openChatTemplate(folder, tokenizer.roles), tokenizer, { videoTokenId: config.video_token_index, where })),
      generation: await openGeneration(folder, document, tokenizer),
      tokensPerFrame: Math.ceil(vision.columns / 2) * Math.ceil(vision.rows / 2),
      parameters: table.parameters,
    };
  },
};

export default family;
