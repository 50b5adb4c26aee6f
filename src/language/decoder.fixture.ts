// Decoders for tests: weights of a checkpoint or of a seed, held in the graphs themselves.
import { inlineTensor, type PackedLinear } from '../graph/linear.ts';
import { createRandom } from '../core/random.ts';
import type { DecoderSpec, DecoderWeights, LinearSource, NormSource, WeightSource } from '../models/contract.ts';
import type { EmbeddingTable, PackedDecisions, PackedDecoder, PackedNorm } from '../models/packed/contract.ts';

function table(data: Float32Array, vocabulary: number, width: number): EmbeddingTable {
  return {
    vocabulary,
    width,
    rows(ids, into = new Float32Array(ids.length * width)) {
      for (let t = 0; t < ids.length; t++) into.set(data.subarray(ids[t]! * width, (ids[t]! + 1) * width), t * width);
      return into;
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** Weights of a checkpoint as float32. */
export async function packInline(weights: DecoderWeights): Promise<PackedDecoder> {
  const tensor = async (source: WeightSource) => inlineTensor(source.name, await source.read(), 'float32', source.shape);
  const linear = async ({ weight, bias }: LinearSource): Promise<PackedLinear> => ({ format: 'float32', weight: await tensor(weight), ...(bias && { bias: await tensor(bias) }) });
  const norm = async ({ scale }: NormSource): Promise<PackedNorm> => ({ scale: await tensor(scale) });
  const [vocabulary, width] = weights.embedding.shape as [number, number];
  return {
    embedding: table(await weights.embedding.read(), vocabulary, width),
    layers: await Promise.all(
      weights.layers.map(async (layer) => ({
        attentionNorm: await norm(layer.attentionNorm),
        query: await linear(layer.query),
        key: await linear(layer.key),
        value: await linear(layer.value),
        output: await linear(layer.output),
        mlpNorm: await norm(layer.mlpNorm),
        gate: await linear(layer.gate),
        up: await linear(layer.up),
        down: await linear(layer.down),
      })),
    ),
    finalNorm: await norm(weights.finalNorm),
    head: await linear(weights.head),
  };
}

/** The first layers of a decoder. */
export function firstLayers(packed: PackedDecoder, layers: number): PackedDecoder {
  return { ...packed, layers: packed.layers.slice(0, layers) };
}

/** Sizes of a small decoder. */
export const tinySpec: DecoderSpec = {
  layers: 3,
  width: 32,
  queryHeads: 4,
  kvHeads: 2,
  headWidth: 8,
  mlpWidth: 48,
  vocabulary: 96,
  normEpsilon: 1e-5,
  attentionBias: false,
  ropeTheta: 10000,
  ropeLayout: 'halves',
  contextLength: 4096,
  tiedEmbeddings: true,
};

/** Decisions as an adapter of random weights makes them: a share of the tokens merges or goes, in each head its own. */
export function randomDecisions(spec: DecoderSpec, kind: PackedDecisions['kind'], seed: number, offset = 0): PackedDecisions {
  if (kind === 'dmc') return { kind, channel: spec.headWidth - 1, offset };
  const random = createRandom(seed);
  const fill = (name: string, shape: readonly number[], scale: number, mean = 0) => inlineTensor(name, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => mean + (random.next() * 2 - 1) * scale), 'float32', shape);
  const layers = Array.from({ length: spec.layers }, (_, i) => ({
    norm: { scale: fill(`dmsNorm${i}`, [spec.width], 0.1, 1) },
    project: { format: 'float32', weight: fill(`dms${i}`, [spec.kvHeads, spec.width], 0.1), bias: fill(`dmsBias${i}`, [spec.kvHeads], 0.1) } as const,
  }));
  return { kind, offset, layers };
}

/** Random weights of a size at which scores and logits spread as in a trained model. */
export function randomDecoder(spec: DecoderSpec, seed: number): PackedDecoder {
  const random = createRandom(seed);
  const fill = (name: string, shape: readonly number[], scale: number, mean = 0) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    // Uniform: as good as normal here, and much faster.
    for (let i = 0; i < data.length; i++) data[i] = mean + (random.next() * 2 - 1) * scale;
    return inlineTensor(name, data, 'float32', shape);
  };
  const linear = (name: string, out: number, inWidth: number, gain = 1): PackedLinear => ({ format: 'float32', weight: fill(name, [out, inWidth], gain * Math.sqrt(3 / inWidth)) });
  const norm = (name: string): PackedNorm => ({ scale: fill(name, [spec.width], 0.1, 1) });
  const { width, queryHeads, kvHeads, headWidth, mlpWidth, vocabulary } = spec;
  const head = linear('head', vocabulary, width, 2);
  const embedding = (head.weight as unknown as { data: Float32Array }).data;
  return {
    embedding: table(embedding, vocabulary, width),
    layers: Array.from({ length: spec.layers }, (_, i) => ({
      attentionNorm: norm(`attentionNorm${i}`),
      query: linear(`query${i}`, queryHeads * headWidth, width, 1.5),
      key: linear(`key${i}`, kvHeads * headWidth, width, 1.5),
      value: linear(`value${i}`, kvHeads * headWidth, width),
      output: linear(`output${i}`, width, queryHeads * headWidth),
      mlpNorm: norm(`mlpNorm${i}`),
      gate: linear(`gate${i}`, mlpWidth, width),
      up: linear(`up${i}`, mlpWidth, width),
      down: linear(`down${i}`, width, mlpWidth),
    })),
    finalNorm: norm('finalNorm'),
    head,
  };
}
