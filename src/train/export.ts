// Writes trained weights as a Hugging Face checkpoint folder in the SmolVLM layout (Idefics3), which the checkpoint family of that name opens.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { float32ToFloat16 } from '../core/float16.ts';
import { ModelError } from '../core/errors.ts';
import type { BpeTokenizer } from './bpe.ts';
import type { TensorToWrite } from './safetensors-writer.ts';
import { writeWhole } from '../core/write-whole.ts';
import { writeSafetensors } from './safetensors-writer.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmNames, vlmParameters, vlmSizes } from './vlm-config.ts';

/** Tokens by the part that they play in the layout. */
const roles = { begin: '<|im_start|>', end: '<end_of_utterance>', pad: '<|im_end|>', image: '<image>' };

/** A dialogue as SmolVLM lays it out: a role and a colon, a blank unless a picture follows, the parts, the end mark, a new line. */
const chatTemplate = `${roles.begin}{% for turn in messages %}{{ turn.role | capitalize }}:{% if turn.content[0].type != 'image' %}{{ ' ' }}{% endif %}{% for part in turn.content %}{{ '${roles.image}' if part.type == 'image' else part.text }}{% endfor %}${roles.end}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}`;

/**
 * Everything but the weights: enough for the tokenizer and the prompt format, before anything is trained.
 * @throws ModelError when tokenizer and configuration disagree
 */
export async function writeCheckpointFiles(folder: string, config: VlmConfig, tokenizer: BpeTokenizer): Promise<void> {
  const vocabulary = (tokenizer.document['model'] as { vocab: Readonly<Record<string, number>> }).vocab;
  const idOf = (token: string) => {
    const id = vocabulary[token];
    if (id === undefined) throw new ModelError('EXPORT_TOKENIZER', { what: 'the tokenizer lacks a token of the SmolVLM layout', expected: token });
    return id;
  };
  if (tokenizer.size > config.text.vocabulary) throw new ModelError('EXPORT_TOKENIZER', { what: 'the tokenizer has more tokens than the embedding rows', got: `${tokenizer.size}`, expected: `at most ${config.text.vocabulary}` });
  const { tokensPerFrame, headWidth } = vlmSizes(config);
  const { vision, text } = config;
  const ids = { bos_token_id: idOf(roles.begin), eos_token_id: idOf(roles.end), pad_token_id: idOf(roles.pad) };
  const files = {
    'config.json': {
      architectures: ['Idefics3ForConditionalGeneration'],
      model_type: 'idefics3',
      image_token_id: idOf(roles.image),
      scale_factor: config.scale,
      tie_word_embeddings: true,
      torch_dtype: 'float16',
      ...ids,
      text_config: {
        model_type: 'llama',
        hidden_size: text.width,
        num_hidden_layers: text.layers,
        num_attention_heads: text.queryHeads,
        num_key_value_heads: text.kvHeads,
        head_dim: headWidth,
        intermediate_size: text.mlpWidth,
        hidden_act: 'silu',
        rms_norm_eps: text.normEpsilon,
        rope_theta: text.ropeTheta,
        max_position_embeddings: text.contextLength,
        vocab_size: text.vocabulary,
        attention_bias: false,
        mlp_bias: false,
        tie_word_embeddings: true,
        torch_dtype: 'float16',
        ...ids,
      },
      vision_config: {
        model_type: 'idefics3_vision',
        hidden_size: vision.width,
        num_hidden_layers: vision.layers,
        num_attention_heads: vision.heads,
        intermediate_size: vision.mlpWidth,
        hidden_act: 'gelu_pytorch_tanh',
        layer_norm_eps: vision.normEpsilon,
        image_size: config.imagePx,
        patch_size: config.patchPx,
        num_channels: 3,
      },
    },
    'generation_config.json': { ...ids, do_sample: false },
    'tokenizer.json': tokenizer.document,
    'tokenizer_config.json': {
      tokenizer_class: 'GPT2Tokenizer', add_prefix_space: false, clean_up_tokenization_spaces: false, model_max_length: text.contextLength,
      bos_token: roles.begin, eos_token: roles.end, pad_token: roles.pad, unk_token: '<|endoftext|>', processor_class: 'Idefics3Processor',
    },
    'preprocessor_config.json': {
      image_processor_type: 'Idefics3ImageProcessor', processor_class: 'Idefics3Processor',
      do_convert_rgb: true, do_image_splitting: false, do_normalize: true, do_pad: true, do_rescale: true, do_resize: true,
      image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], rescale_factor: 1 / 255, resample: 1,
      size: { longest_edge: config.imagePx }, max_image_size: { longest_edge: config.imagePx },
    },
    'processor_config.json': { processor_class: 'Idefics3Processor', image_seq_len: tokensPerFrame },
  };
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeWhole(path.join(folder, name), [Buffer.from(`${JSON.stringify(content, null, 2)}\n`)]);
  await writeWhole(path.join(folder, 'chat_template.jinja'), [Buffer.from(chatTemplate)]);
}

/**
 * The whole folder: files as above, and `model.safetensors` in float16. Auxiliary heads are left out.
 * @throws ModelError when a weight is missing, or beyond the range of float16
 */
export async function exportCheckpoint(folder: string, config: VlmConfig, tokenizer: BpeTokenizer, weights: ReadonlyMap<string, Float32Array>): Promise<void> {
  const tensors = vlmParameters(config).filter(({ name }) => !name.startsWith(vlmNames.auxiliary)).map(({ name, shape }): TensorToWrite => {
    const values = weights.get(name);
    if (!values) throw new ModelError('EXPORT_WEIGHT', { what: 'a weight of the model is missing', got: `no ${name}` });
    const largest = values.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    if (!(largest <= 65504)) throw new ModelError('EXPORT_RANGE', { what: `weight ${name} does not fit float16`, got: `${largest}`, expected: 'at most 65504' });
    const data = new Uint16Array(values.length);
    float32ToFloat16(values, data);
    return { name, dtype: 'F16', shape, data };
  });
  await writeCheckpointFiles(folder, config, tokenizer);
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors, { format: 'pt' });
}
