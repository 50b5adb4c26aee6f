// Writes a checkpoint folder with random weights: what tests, speed runs and a first start use where no trained model is at hand.
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError, messageOf } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import type { WeightSource } from './contract.ts';
import { randomTensors, writeRandomTensors } from './random-tensors.ts';
import { randomTokenizer } from './random-tokenizer.ts';
import { checkpointSizes } from './sizes.ts';
import type { CheckpointSize, CheckpointSizeName } from './sizes.ts';

/** Seed and stored type of random weights. */
export interface RandomCheckpointOptions {
  readonly seed: number;
  /** Type of the stored weights. Default `bfloat16`. */
  readonly dtype?: WeightSource['dtype'];
  /** `none` leaves model.safetensors out, for a caller that brings its own. Default `random`. */
  readonly weights?: 'random' | 'none';
}

/**
 * Writes the files into the folder, which is made if need be. Large sizes are written in pieces, never held in memory.
 * @throws UserError, before anything is written, for an unknown size and for a folder that holds a checkpoint
 */
export async function writeRandomCheckpoint(folder: string, size: CheckpointSizeName | CheckpointSize, { seed, dtype = 'bfloat16', weights = 'random' }: RandomCheckpointOptions): Promise<void> {
  const shape: CheckpointSize = typeof size === 'string' ? sizeNamed(size) : size;
  await refuseCheckpoint(folder);
  await makeFolder(folder, { code: 'BAD_FOLDER', purpose: 'the checkpoint', todo: 'name another folder' });
  const tokenizer = randomTokenizer(shape, seed);
  const llava = shape.modelType === 'llava_onevision';
  const end = tokenizer.idOf(llava ? '<|im_end|>' : '<end_of_utterance>');
  const files: Readonly<Record<string, unknown>> = {
    'config.json': config(shape, dtype, tokenizer.idOf),
    'tokenizer.json': tokenizer.document,
    'tokenizer_config.json': { tokenizer_class: llava ? 'Qwen2Tokenizer' : 'GPT2Tokenizer', eos_token: llava ? '<|im_end|>' : '<end_of_utterance>', clean_up_tokenization_spaces: false, model_max_length: shape.text.contextLength },
    'generation_config.json': { eos_token_id: end, do_sample: false },
    'preprocessor_config.json': preprocessor(shape),
    'chat_template.json': { chat_template: llava ? llavaTemplate : smolvlmTemplate },
  };
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), JSON.stringify(content));
  if (weights === 'random') await writeRandomTensors(path.join(folder, 'model.safetensors'), randomTensors(shape), dtype, seed);
}

function sizeNamed(name: string): CheckpointSize {
  if (!Object.hasOwn(checkpointSizes, name)) throw new UserError('UNKNOWN_SIZE', { what: 'unknown size of a checkpoint', got: `"${name}"`, expected: `one of ${Object.keys(checkpointSizes).join(', ')}` });
  return checkpointSizes[name as CheckpointSizeName];
}

/** Random weights never take the place of others. */
async function refuseCheckpoint(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new UserError('BAD_FOLDER', { what: `cannot write a checkpoint to ${folder}`, got: messageOf(error), todo: 'name another folder', cause: error });
  });
  const found = names.filter((name) => name === 'config.json' || name.endsWith('.safetensors'));
  if (found.length > 0) throw new UserError('CHECKPOINT_EXISTS', { what: `${folder} holds a checkpoint already`, got: found.join(', '), todo: 'name another folder, or remove that one' });
}

/**
 * The folder of such a checkpoint inside a cache, written on first use. Two processes that ask at once both get a whole one.
 * @returns its path
 */
export async function cachedRandomCheckpoint(cache: string, size: CheckpointSizeName, options: Omit<RandomCheckpointOptions, 'weights'>): Promise<string> {
  const folder = path.join(cache, `random-${size}-${options.dtype ?? 'bfloat16'}-${options.seed}-v${layoutVersion}`);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(path.join(cache, 'draft-'));
  try {
    await writeRandomCheckpoint(draft, size, options);
    await rename(draft, folder);
  } catch (thrown) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster.
    if (!(await exists(folder))) throw thrown;
  }
  return folder;
}

/** Raised whenever the same options give other files. */
const layoutVersion = 1;

async function exists(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

function config(size: CheckpointSize, dtype: string, idOf: (token: string) => number): unknown {
  const { vision, text } = size;
  const shared = {
    text_config: {
      hidden_size: text.width,
      intermediate_size: text.mlpWidth,
      max_position_embeddings: text.contextLength,
      num_attention_heads: text.queryHeads,
      num_hidden_layers: text.layers,
      num_key_value_heads: text.kvHeads,
      head_dim: text.headWidth,
      rms_norm_eps: 1e-5,
      rope_theta: text.ropeTheta,
      vocab_size: size.vocabulary,
    },
    vision_config: {
      hidden_size: vision.width,
      image_size: vision.imagePx,
      intermediate_size: vision.mlpWidth,
      num_attention_heads: vision.heads,
      num_hidden_layers: vision.layers,
      patch_size: vision.patchPx,
    },
    model_type: size.modelType,
    tie_word_embeddings: size.tiedEmbeddings,
    torch_dtype: dtype,
  };
  return size.modelType === 'llava_onevision'
    ? {
        ...shared,
        architectures: ['LlavaOnevisionForConditionalGeneration'],
        image_token_index: idOf('<image>'),
        video_token_index: idOf('<video>'),
        text_config: { ...shared.text_config, model_type: 'qwen2' },
        vision_config: { ...shared.vision_config, model_type: 'siglip_vision_model', vision_use_head: false },
        vision_feature_layer: -1,
        vision_feature_select_strategy: 'full',
      }
    : {
        ...shared,
        architectures: [size.modelType === 'idefics3' ? 'Idefics3ForConditionalGeneration' : 'SmolVLMForConditionalGeneration'],
        image_token_id: idOf('<image>'),
        scale_factor: size.pixelShuffle,
        text_config: { ...shared.text_config, model_type: 'llama' },
      };
}

function preprocessor({ modelType, vision: { imagePx } }: CheckpointSize): unknown {
  const shared = { do_resize: true, do_rescale: true, do_normalize: true, rescale_factor: 1 / 255, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  return modelType === 'llava_onevision' ? { ...shared, resample: 3, size: { height: imagePx, width: imagePx } } : { ...shared, resample: 1, size: { longest_edge: 4 * imagePx }, max_image_size: { longest_edge: imagePx } };
}

const smolvlmTemplate =
  "<|im_start|>{% for turn in messages %}{{ turn.role | capitalize }}:{% if turn.content[0].type != 'image' %} {% endif %}" +
  "{% for part in turn.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}" +
  "{{ '<end_of_utterance>\\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";
const llavaTemplate =
  "{% for turn in messages %}{{ '<|im_start|>' + turn.role + ' ' }}" +
  "{% for part in turn.content %}{% if part.type != 'text' %}{{ '<' + part.type + '>' }}{% endif %}{% endfor %}" +
  "{% for part in turn.content %}{% if part.type == 'text' %}{{ '\\n' + part.text }}{% endif %}{% endfor %}<|im_end|>" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
