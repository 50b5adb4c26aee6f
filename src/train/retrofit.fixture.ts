// Small models for tests of retrofitting: random weights of a size at which scores and decisions spread, and a llama2.c folder that holds such ones.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createRandom } from '../core/random.ts';
import type { DecoderSpec } from '../models/contract.ts';
import { elementsOf } from './parameters.ts';
import type { FloatTensor, RetrofitModel } from './retrofit-model.ts';
import { roles } from './retrofit-model.ts';

export const tinySpec: DecoderSpec = {
  layers: 2, width: 12, queryHeads: 4, kvHeads: 2, headWidth: 4, mlpWidth: 10, vocabulary: 14, normEpsilon: 1e-5, attentionBias: true,
  ropeTheta: 100, ropeLayout: 'halves', contextLength: 32, tiedEmbeddings: false,
};

/** A model without a checkpoint. */
export function randomModel(spec: DecoderSpec, seed: string): RetrofitModel {
  const random = createRandom(seed);
  const weights = new Map<string, FloatTensor>();
  const put = (role: string, shape: readonly number[], std: number, mean = 0) => weights.set(role, { shape, data: Float32Array.from({ length: elementsOf(shape) }, () => mean + std * random.normal()) });
  const { width: E, headWidth: D, queryHeads: Q, kvHeads: H, mlpWidth, vocabulary } = spec;
  put(roles.embedding, [vocabulary, E], 1);
  put(roles.head, [vocabulary, E], 0.6);
  put(roles.finalNorm, [E], 0.1, 1);
  for (let i = 0; i < spec.layers; i++) {
    for (const part of ['attentionNorm', 'mlpNorm'] as const) put(roles.layer(i, part), [E], 0.1, 1);
    const sizes = { query: [Q * D, E], key: [H * D, E], value: [H * D, E], output: [E, Q * D], gate: [mlpWidth, E], up: [mlpWidth, E], down: [E, mlpWidth] } as const;
    for (const [part, [out, inputs]] of Object.entries(sizes) as [keyof typeof sizes, readonly [number, number]][]) {
      put(roles.layer(i, part), [out, inputs], 1.2 / Math.sqrt(inputs));
      if (spec.attentionBias && ['query', 'key', 'value'].includes(part)) put(roles.layer(i, part, 'bias'), [out], 0.3);
    }
  }
  return { spec, weights, published: new Map([...weights.keys()].map((role) => [role, role])) };
}

const pieces = ['<unk>', '\n<s>\n', '\n</s>\n', ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`), ' ', 'a', 'b', 'c'];

/** Writes a llama2.c model of two layers: width 16, 4 query and 2 KV heads of 4 channels, 64 positions, a shared embedding. */
export async function writeTinyLlama2c(folder: string, seed: string): Promise<void> {
  const [width, mlpWidth, layers, queryHeads, kvHeads, contextLength] = [16, 24, 2, 4, 2, 64];
  const random = createRandom(seed);
  const keyWidth = (width / queryHeads) * kvHeads;
  const normal = (count: number, std: number, mean = 0) => Float32Array.from({ length: count }, () => mean + std * random.normal());
  const matrix = (out: number, inputs: number) => normal(layers * out * inputs, 1.2 / Math.sqrt(inputs));
  const parts = [
    normal(pieces.length * width, 0.7), normal(layers * width, 0.1, 1),
    matrix(width, width), matrix(keyWidth, width), matrix(keyWidth, width), matrix(width, width), normal(layers * width, 0.1, 1),
    matrix(mlpWidth, width), matrix(width, mlpWidth), matrix(mlpWidth, width), normal(width, 0.1, 1), new Float32Array((contextLength * width) / queryHeads),
  ];
  const header = Int32Array.of(width, mlpWidth, layers, queryHeads, kvHeads, pieces.length, contextLength);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'model.bin'), Buffer.concat([Buffer.from(header.buffer), ...parts.map(({ buffer }) => Buffer.from(buffer))]));
  const entries = pieces.flatMap((piece) => [Buffer.from(Float32Array.of(0).buffer), Buffer.from(Int32Array.of(Buffer.byteLength(piece)).buffer), Buffer.from(piece)]);
  await writeFile(path.join(folder, 'tok.bin'), Buffer.concat([Buffer.from(Int32Array.of(16).buffer), ...entries]));
}
