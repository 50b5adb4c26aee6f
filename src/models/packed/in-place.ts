// float32 weights, referenced in the checkpoint's own files: nothing is copied or converted.
import { realpathSync } from 'node:fs';
import type { PackedLinear, TensorRef } from '../../graph/linear.ts';
import { tensorBytes } from '../../graph/linear.ts';
import type { Checkpoint, LinearSource, NormSource, WeightSource } from '../contract.ts';
import type { PackedModel, PackedNorm } from './contract.ts';
import { openEmbedding } from './embedding.ts';
import { weightsOf } from './roles.ts';

/** Whether every weight is float32 in its file, so that graphs can use the files as they are. */
export function canStayInPlace(checkpoint: Checkpoint): boolean {
  return weightsOf(checkpoint).every(({ dtype }) => dtype === 'float32');
}

/** Refers to the checkpoint's files. Only where `canStayInPlace`. */
export function openInPlace(checkpoint: Checkpoint): PackedModel {
  // Hub snapshots are symbolic links; ONNX Runtime refuses those.
  const realPaths = new Map<string, string>();
  const tensor = ({ name, shape, dtype, file, offsetBytes }: WeightSource, as = shape): TensorRef => {
    const real = realPaths.get(file) ?? realpathSync(file);
    realPaths.set(file, real);
    return { kind: 'file', name, dtype, shape: as, file: real, offsetBytes };
  };
  const linear = ({ weight, bias }: LinearSource): PackedLinear => {
    const [out, ...rest] = weight.shape;
    const matrix = [out!, rest.reduce((product, size) => product * size, 1)];
    return { format: 'float32', weight: tensor(weight, matrix), ...(bias && { bias: tensor(bias) }) };
  };
  const norm = ({ scale, bias }: NormSource): PackedNorm => ({ scale: tensor(scale), ...(bias && { bias: tensor(bias) }) });
  const { vision, decoder } = checkpoint;
  const embedding = openEmbedding(decoder.weights.embedding);
  return {
    precision: 'float32',
    ...(vision && {
      vision: {
        patch: linear(vision.weights.patch),
        positions: tensor(vision.weights.positions),
        layers: vision.weights.layers.map((layer) => ({
          attentionNorm: norm(layer.attentionNorm),
          query: linear(layer.query),
          key: linear(layer.key),
          value: linear(layer.value),
          output: linear(layer.output),
          mlpNorm: norm(layer.mlpNorm),
          up: linear(layer.up),
          down: linear(layer.down),
        })),
        ...(vision.weights.finalNorm && { finalNorm: norm(vision.weights.finalNorm) }),
        projector: {
          linears: vision.projectorWeights.linears.map(linear),
          ...(vision.projectorWeights.newline && { newline: tensor(vision.projectorWeights.newline) }),
        },
      },
    }),
    decoder: {
      embedding,
      layers: decoder.weights.layers.map((layer) => ({
        attentionNorm: norm(layer.attentionNorm),
        query: linear(layer.query),
        key: linear(layer.key),
        value: linear(layer.value),
        output: linear(layer.output),
        mlpNorm: norm(layer.mlpNorm),
        gate: linear(layer.gate),
        up: linear(layer.up),
        down: linear(layer.down),
      })),
      finalNorm: norm(decoder.weights.finalNorm),
      head: linear(decoder.weights.head),
    },
    bytes: weightsOf(checkpoint).reduce((sum, { shape }) => sum + tensorBytes({ dtype: 'float32', shape }), 0),
    [Symbol.dispose]: () => embedding[Symbol.dispose](),
  };
}
