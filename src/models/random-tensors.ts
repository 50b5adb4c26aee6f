// Random weights in the names and shapes of a family, streamed into a safetensors file.
import { open } from 'node:fs/promises';
import { float32ToBfloat16, float32ToFloat16 } from '../core/float16.ts';
import { createRandom } from '../core/random.ts';
import type { Random } from '../core/random.ts';
import type { WeightSource } from './contract.ts';
import type { CheckpointSize } from './sizes.ts';

export interface RandomTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly mean: number;
  /** Standard deviation. */
  readonly spread: number;
}

/** Every tensor of a checkpoint of that size, in the published layout. Matrices keep the variance of what passes through them. */
export function randomTensors(size: CheckpointSize): readonly RandomTensor[] {
  const { vision, text } = size;
  const llava = size.modelType === 'llava_onevision';
  const tensors: RandomTensor[] = [];
  const add = (name: string, shape: readonly number[], spread: number, mean = 0) => tensors.push({ name, shape, mean, spread });
  const matrix = (name: string, outputs: number, inputs: number, bias: boolean) => {
    add(`${name}.weight`, [outputs, inputs], 1 / Math.sqrt(inputs));
    if (bias) add(`${name}.bias`, [outputs], 0.02);
  };
  const norm = (name: string, width: number, bias: boolean) => {
    add(`${name}.weight`, [width], 0.1, 1);
    if (bias) add(`${name}.bias`, [width], 0.02);
  };

  const visionPrefix = llava ? 'vision_tower.vision_model' : 'model.vision_model';
  const textPrefix = llava ? 'language_model.model' : 'model.text_model';
  const grid = Math.floor(vision.imagePx / vision.patchPx);
  add(`${visionPrefix}.embeddings.patch_embedding.weight`, [vision.width, 3, vision.patchPx, vision.patchPx], 1 / Math.sqrt(3 * vision.patchPx ** 2));
  add(`${visionPrefix}.embeddings.patch_embedding.bias`, [vision.width], 0.02);
  add(`${visionPrefix}.embeddings.position_embedding.weight`, [grid * grid, vision.width], 0.5);
  for (let index = 0; index < vision.layers; index++) {
    const layer = `${visionPrefix}.encoder.layers.${index}`;
    norm(`${layer}.layer_norm1`, vision.width, true);
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) matrix(`${layer}.self_attn.${part}`, vision.width, vision.width, true);
    norm(`${layer}.layer_norm2`, vision.width, true);
    matrix(`${layer}.mlp.fc1`, vision.mlpWidth, vision.width, true);
    matrix(`${layer}.mlp.fc2`, vision.width, vision.mlpWidth, true);
  }
  norm(`${visionPrefix}.post_layernorm`, vision.width, true);

  if (llava) {
    matrix('multi_modal_projector.linear_1', text.width, vision.width, true);
    matrix('multi_modal_projector.linear_2', text.width, text.width, true);
    add('image_newline', [text.width], 0.5);
  } else {
    matrix('model.connector.modality_projection.proj', text.width, vision.width * size.pixelShuffle! ** 2, false);
  }

  const queryWidth = text.queryHeads * text.headWidth;
  const kvWidth = text.kvHeads * text.headWidth;
  // As an output matrix the embedding gives logits two apart, so that the best token is clear.
  const embeddingSpread = 2 / Math.sqrt(text.width);
  add(`${textPrefix}.embed_tokens.weight`, [size.vocabulary, text.width], embeddingSpread);
  for (let index = 0; index < text.layers; index++) {
    const layer = `${textPrefix}.layers.${index}`;
    norm(`${layer}.input_layernorm`, text.width, false);
    matrix(`${layer}.self_attn.q_proj`, queryWidth, text.width, llava);
    matrix(`${layer}.self_attn.k_proj`, kvWidth, text.width, llava);
    matrix(`${layer}.self_attn.v_proj`, kvWidth, text.width, llava);
    matrix(`${layer}.self_attn.o_proj`, text.width, queryWidth, false);
    norm(`${layer}.post_attention_layernorm`, text.width, false);
    matrix(`${layer}.mlp.gate_proj`, text.mlpWidth, text.width, false);
    matrix(`${layer}.mlp.up_proj`, text.mlpWidth, text.width, false);
    matrix(`${layer}.mlp.down_proj`, text.width, text.mlpWidth, false);
  }
  norm(`${textPrefix}.norm`, text.width, false);
  if (!size.tiedEmbeddings) add(llava ? 'language_model.lm_head.weight' : 'lm_head.weight', [size.vocabulary, text.width], embeddingSpread);
  return tensors;
}

const dtypeNames = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;
/** Normal deviates are drawn this many at a time, and large tensors are put together from stretches of them: drawing each would take a minute. */
const poolLength = 1 << 20;

/** Writes the tensors, holding a few MB at a time. The same seed gives the same bytes. */
export async function writeRandomTensors(file: string, tensors: readonly RandomTensor[], dtype: WeightSource['dtype'], seed: number): Promise<void> {
  const random = createRandom(seed);
  const elementBytes = dtype === 'float32' ? 4 : 2;
  const handle = await open(file, 'wx');
  try {
    await writeAll(handle, header(tensors, dtype, elementBytes));
    const pool = Float32Array.from({ length: Math.min(poolLength, tensors.reduce((sum, { shape }) => sum + product(shape), 0)) }, () => random.normal());
    const pools = new Map<string, Uint8Array>();
    for (const { shape, mean, spread } of tensors) {
      const key = `${mean}/${spread}`;
      let bytes = pools.get(key);
      if (bytes === undefined) {
        bytes = encode(pool.map((value) => mean + spread * value), dtype);
        pools.set(key, bytes);
      }
      await writeStretches(handle, bytes, product(shape), elementBytes, random);
    }
  } finally {
    await handle.close();
  }
}

function header(tensors: readonly RandomTensor[], dtype: WeightSource['dtype'], elementBytes: number): Uint8Array {
  let at = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = at;
    at += product(shape) * elementBytes;
    return [name, { dtype: dtypeNames[dtype], shape, data_offsets: [begin, at] }] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  // Padded so that the data begins at a multiple of 64 bytes, as memory-mapping readers like it.
  const text = Buffer.from(json.padEnd(Math.ceil((json.length + 8) / 64) * 64 - 8));
  const bytes = Buffer.alloc(8 + text.length);
  bytes.writeBigUInt64LE(BigInt(text.length));
  text.copy(bytes, 8);
  return bytes;
}

async function writeStretches(handle: Handle, pool: Uint8Array, count: number, elementBytes: number, random: Random): Promise<void> {
  const available = pool.length / elementBytes;
  for (let left = count; left > 0; ) {
    const start = random.int(0, Math.max(1, Math.floor(available / 2)));
    const length = Math.min(left, available - start);
    await writeAll(handle, pool.subarray(start * elementBytes, (start + length) * elementBytes));
    left -= length;
  }
}

function encode(values: Float32Array, dtype: WeightSource['dtype']): Uint8Array {
  if (dtype === 'float32') return new Uint8Array(values.buffer);
  const halves = new Uint16Array(values.length);
  (dtype === 'float16' ? float32ToFloat16 : float32ToBfloat16)(values, halves);
  return new Uint8Array(halves.buffer);
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

type Handle = Awaited<ReturnType<typeof open>>;

async function writeAll(handle: Handle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}
