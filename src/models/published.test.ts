// The published configurations, with the fields that their files have and those that they leave out, over weights of the published shapes.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './contract.ts';
import { describeCheckpoint } from './describe.ts';
import { writeRandomCheckpoint } from './random-checkpoint.ts';
import { randomTensors } from './random-tensors.ts';
import { checkpointSizes } from './sizes.ts';
import type { CheckpointSizeName } from './sizes.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-published-'));
});
afterAll(() => rm(root, { recursive: true }));

const smollm = { head_dim: 64, max_position_embeddings: 8192, mlp_bias: false, model_type: 'llama', pixel_shuffle_factor: 4, qk_layer_norms: false, rms_norm_eps: 1e-5, rope_interleaved: false, rope_theta: 100000, torch_dtype: 'bfloat16', use_resampler: false, vocab_size: 49280 };
const base512 = { hidden_size: 768, image_size: 512, max_image_size: { longest_edge: 512 }, num_attention_heads: 12, patch_size: 16, size: { longest_edge: 2048 }, tie_word_embeddings: false, use_base_siglip: false };
const small = { image_token_id: 49190, scale_factor: 4, tie_word_embeddings: false, torch_dtype: 'bfloat16', vocab_size: 49280 };
const published: Record<string, [CheckpointSizeName, unknown]> = {
  'SmolVLM-256M-Instruct': ['smolvlm-256m', { ...small, model_type: 'idefics3', text_config: { ...smollm, hidden_size: 576, intermediate_size: 1536, num_attention_heads: 9, num_hidden_layers: 30, num_key_value_heads: 3 }, vision_config: { ...base512, model_type: 'idefics3' } }],
  'SmolVLM2-500M-Video-Instruct': ['smolvlm-500m', { ...small, model_type: 'smolvlm', pad_token_id: 128002, text_config: { ...smollm, hidden_size: 960, intermediate_size: 2560, num_attention_heads: 15, num_hidden_layers: 32, num_key_value_heads: 5 }, vision_config: { ...base512, model_type: 'smolvlm_vision' } }],
  'SmolVLM-Instruct': ['smolvlm-2.2b', { image_token_id: 49153, model_type: 'idefics3', scale_factor: 3, text_config: { hidden_size: 2048, intermediate_size: 8192, max_position_embeddings: 16384, model_type: 'llama', num_attention_heads: 32, num_hidden_layers: 24, num_key_value_heads: 32, rms_norm_eps: 1e-5, rope_theta: 273768, vocab_size: 49155 }, tie_word_embeddings: false, vision_config: { hidden_size: 1152, image_size: 384, intermediate_size: 4304, model_type: 'idefics3', num_attention_heads: 16, num_hidden_layers: 27, patch_size: 14 } }],
  'llava-onevision-qwen2-0.5b-ov-hf': ['llava-onevision-0.5b', { ignore_index: -100, image_token_index: 151646, model_type: 'llava_onevision', projector_hidden_act: 'gelu', text_config: { bos_token_id: 151643, eos_token_id: 151645, hidden_size: 896, intermediate_size: 4864, max_window_layers: 24, model_type: 'qwen2', num_attention_heads: 14, num_hidden_layers: 24, num_key_value_heads: 2, rope_theta: 1000000, tie_word_embeddings: true, torch_dtype: 'bfloat16', vocab_size: 152000 }, tie_word_embeddings: false, torch_dtype: 'float16', use_image_newline_parameter: true, video_token_index: 151647, vision_aspect_ratio: 'anyres_max_9', vision_config: { hidden_size: 1152, image_size: 384, intermediate_size: 4304, model_type: 'siglip_vision_model', num_attention_heads: 16, num_hidden_layers: 26, patch_size: 14, vision_use_head: false }, vision_feature_layer: -1, vision_feature_select_strategy: 'full' }],
}; // prettier-ignore

/** A checkpoint with the published config.json and weights of the right shapes that take no room: the file is one hole behind its header. */
async function openPublished(name: string): Promise<Checkpoint> {
  const [size, config] = published[name]!;
  const folder = path.join(root, name);
  await writeRandomCheckpoint(folder, size, { seed: 1, weights: 'none' });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  let at = 0;
  const entries = randomTensors(checkpointSizes[size]).map(({ name: tensor, shape }) => {
    const begin = at;
    at += 2 * shape.reduce((a, b) => a * b, 1);
    return [tensor, { dtype: 'BF16', shape, data_offsets: [begin, at] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  const handle = await open(path.join(folder, 'model.safetensors'), 'wx');
  await handle.write(Buffer.concat([prefix, header]));
  await handle.truncate(8 + header.length + at);
  await handle.close();
  return openCheckpoint(folder);
}

it.each([
  ['SmolVLM-256M-Instruct', 256_484_928, 64, { layers: 12, mlpWidth: 3072, columns: 32, activation: 'gelu-tanh' }, { ropeTheta: 100000, headWidth: 64, kvHeads: 3 }],
  ['SmolVLM2-500M-Video-Instruct', 507_482_304, 64, { layers: 12, mlpWidth: 3072, columns: 32 }, { width: 960, kvHeads: 5 }],
  ['SmolVLM-Instruct', 2_246_272_880, 81, { layers: 27, columns: 27 }, { ropeTheta: 273768, headWidth: 64, attentionBias: false }],
  ['llava-onevision-qwen2-0.5b-ov-hf', 893_673_248, 196, { layers: 26, columns: 27, finalNorm: false }, { contextLength: 32768, attentionBias: true, normEpsilon: 1e-6, tiedEmbeddings: true }],
] as const)('%s opens by its published configuration', async (name, parameters, tokensPerFrame, vision, decoder) => {
  const checkpoint = await openPublished(name);
  expect(checkpoint.tokensPerFrame).toBe(tokensPerFrame);
  expect(checkpoint.parameters).toBe(parameters);
  expect(checkpoint.vision!.spec).toMatchObject(vision);
  expect(checkpoint.decoder.spec).toMatchObject(decoder);
  const { frameGflop, memory } = await describeCheckpoint(checkpoint);
  expect(frameGflop.total).toBeGreaterThan(100);
  expect(memory.bytesPerFrame).toBeGreaterThan(tokensPerFrame * memory.bytesPerToken - 1);
  // A dialogue's pieces join at special tokens, also where `<global-img>` is plain text.
  const { prompt } = checkpoint;
  const { stream } = prompt;
  const shown = [0, 1].flatMap((framesBefore) => {
    const { before, after } = stream.frame({ turn: 0, framesBefore, timeSec: framesBefore });
    return [...before, -1, ...after];
  });
  const flat = (parts: ReturnType<Checkpoint['prompt']['render']>) => parts.flatMap((part) => (part.kind === 'text' ? [...part.ids] : [part.kind === 'frame' ? -1 : -2]));
  const whole = prompt.render([{ role: 'user', parts: [{ kind: 'video', frameTimesSec: [0, 1] }, { kind: 'text', text: 'What is this?' }] }], { generate: true });
  expect([...stream.opening, ...shown, ...flat(stream.question('What is this?', { turn: 0, framesBefore: 2 }))]).toEqual(flat(whole));
});
