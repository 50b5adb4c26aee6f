// SmolVLM, SmolVLM2 and Idefics3: SigLIP encoder, pixel shuffle, Llama decoder; image splitting off, as for video.
import path from 'node:path';
import { z } from 'zod';
import { ModelError } from '../../core/errors.ts';
import { openChatTemplate } from '../chat-template.ts';
import { count, refuseOptions } from '../config.ts';
import type { ProjectorSpec } from '../contract.ts';
import type { CheckpointFamily } from '../family.ts';
import { openGeneration } from '../generation.ts';
import { openImageSpec } from '../image-processor.ts';
import { parseWith } from '../json.ts';
import { decoderSpec, decoderWeights, llamaConfigSchema } from '../llama-decoder.ts';
import { createPromptFormat } from '../prompt-format.ts';
import { openTensors } from '../tensors.ts';
import { openTokenizer } from '../tokenizer.ts';
import { visionConfigSchema, visionSpec, visionWeights } from '../vision-transformer.ts';
import { savedBuffers, WeightTable } from '../weight-table.ts';
import { smolvlmLayout } from '../smolvlm-prompt.ts';

const half = [0.5, 0.5, 0.5] as const;

// Absent fields are as in `Idefics3Config` and `SmolVLMConfig`: published files leave most of `vision_config` out.
const schema = z.looseObject({
  model_type: z.enum(['idefics3', 'smolvlm']),
  scale_factor: count.default(2),
  image_token_id: z.int().min(0).default(128257),
  tie_word_embeddings: z.boolean().default(false),
  text_config: llamaConfigSchema.prefault({ rms_norm_eps: 1e-5 }),
  vision_config: visionConfigSchema({ hidden_size: 1152, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 16, image_size: 224, patch_size: 32 }).prefault({}),
});

const family: CheckpointFamily = {
  summary: 'SmolVLM, SmolVLM2 (video) and Idefics3 with a Llama decoder, image splitting off',
  source: 'SmolVLM (arXiv 2504.05299), Idefics3 (arXiv 2408.12637); layouts of Hugging Face Transformers 4.46 to 5',
  modelTypes: ['idefics3', 'smolvlm'],
  async open(folder, document) {
    const where = path.join(folder, 'config.json');
    const config = parseWith(schema, document, where);
    refuseOptions(config, where, { quantization_config: [] });
    const text = config.text_config;
    const table = new WeightTable(await openTensors(folder), folder);
    const textPrefix = table.prefix(['model.text_model.', 'text_model.'], 'embed_tokens.weight');
    const saysTied = config.tie_word_embeddings || text.tie_word_embeddings;
    const decoder = decoderSpec(text, where, { tiedEmbeddings: await table.tied(saysTied, `${textPrefix}embed_tokens.weight`, 'lm_head.weight') });
    const { imagePx, ...vision } = visionSpec(config.vision_config, where, { layers: config.vision_config.num_hidden_layers, finalNorm: true });
    const scale = config.scale_factor;
    if (vision.columns % scale !== 0) {
      throw new ModelError('CONFIG_INVALID', { what: `${where}: field scale_factor is not what it should be`, got: `${scale}`, expected: `a divisor of the ${vision.columns} patches across (image_size / patch_size)` });
    }
    const projector: ProjectorSpec = { kind: 'pixel-shuffle', scale, inputWidth: vision.width * scale * scale, outputWidth: decoder.width };

    const visionPrefix = table.prefix(['model.vision_model.', 'vision_model.'], 'embeddings.patch_embedding.weight');
    const connector = table.prefix(['model.connector.', 'connector.'], 'modality_projection.proj.weight');
    const weights = {
      vision: visionWeights(table, visionPrefix, vision),
      projector: { linears: [table.linear(`${connector}modality_projection.proj`, projector.outputWidth, projector.inputWidth, { bias: false })] },
      decoder: decoderWeights(table, textPrefix, 'lm_head', decoder, { outputBias: decoder.attentionBias }),
    };
    table.finish([savedBuffers, ...(decoder.tiedEmbeddings ? [{ pattern: /^lm_head\.weight$/, reason: 'a copy of the tied embedding' }] : [])]);

    const tokenizer = await openTokenizer(folder, decoder.vocabulary);
    const hasVideo = config.model_type === 'smolvlm';
    return {
      folder,
      vision: {
        image: await openImageSpec(folder, hasVideo ? 'video' : 'image', imagePx, { resample: 'lanczos', mean: half, std: half }),
        spec: vision,
        weights: weights.vision,
        projector,
        projectorWeights: weights.projector,
      },
      decoder: { spec: decoder, weights: weights.decoder },
      prompt: createPromptFormat(tokenizer, smolvlmLayout(await openChatTemplate(folder, tokenizer.roles), tokenizer, { imageTokenId: config.image_token_id, hasVideo, where })),
      generation: await openGeneration(folder, document, tokenizer),
      tokensPerFrame: (vision.columns * vision.rows) / (scale * scale),
      parameters: table.parameters,
    };
  },
};

export default family;
