// The units of a pack: what is read, computed and written at a time, about one layer each.
import type { Checkpoint } from '../contract.ts';
import type { PackedDecoder, PackedVision } from './contract.ts';
import { convertLinear, convertNorm, convertTensor } from './convert.ts';
import type { TensorWriter } from './tensor-writer.ts';

export type VisionStart = Pick<PackedVision, 'patch' | 'positions'>;
export type VisionLayer = PackedVision['layers'][number];
export type VisionEnd = Pick<PackedVision, 'finalNorm' | 'projector'>;
export type DecoderLayer = PackedDecoder['layers'][number];
export type DecoderEnd = Pick<PackedDecoder, 'finalNorm' | 'head'>;

/** One stretch of work, whose result is a part of the manifest. */
export interface PackUnit {
  readonly name: string;
  pack(writer: TensorWriter, signal: AbortSignal | undefined): Promise<VisionStart | VisionLayer | VisionEnd | DecoderLayer | DecoderEnd>;
}

/** Units of the same names for every precision; these widen to float32. */
export function float32Units({ vision, decoder }: Checkpoint): readonly PackUnit[] {
  const units: PackUnit[] = [];
  if (vision) {
    const { weights, projectorWeights } = vision;
    units.push({ name: 'vision-start', pack: async (writer) => ({ patch: await convertLinear(weights.patch, writer), positions: await convertTensor(weights.positions, writer) }) });
    for (const [index, layer] of weights.layers.entries()) {
      units.push({
        name: `vision-${index}`,
        pack: async (writer) => ({
          attentionNorm: await convertNorm(layer.attentionNorm, writer),
          query: await convertLinear(layer.query, writer),
          key: await convertLinear(layer.key, writer),
          value: await convertLinear(layer.value, writer),
          output: await convertLinear(layer.output, writer),
          mlpNorm: await convertNorm(layer.mlpNorm, writer),
          up: await convertLinear(layer.up, writer),
          down: await convertLinear(layer.down, writer),
        }),
      });
    }
    units.push({
      name: 'vision-end',
      async pack(writer) {
        const finalNorm = weights.finalNorm && (await convertNorm(weights.finalNorm, writer));
        const linears = [];
        for (const source of projectorWeights.linears) linears.push(await convertLinear(source, writer));
        const newline = projectorWeights.newline && (await convertTensor(projectorWeights.newline, writer));
        return { ...(finalNorm && { finalNorm }), projector: { linears, ...(newline && { newline }) } };
      },
    });
  }
  for (const [index, layer] of decoder.weights.layers.entries()) {
    units.push({
      name: `decoder-${index}`,
      pack: async (writer) => ({
        attentionNorm: await convertNorm(layer.attentionNorm, writer),
        query: await convertLinear(layer.query, writer),
        key: await convertLinear(layer.key, writer),
        value: await convertLinear(layer.value, writer),
        output: await convertLinear(layer.output, writer),
        mlpNorm: await convertNorm(layer.mlpNorm, writer),
        gate: await convertLinear(layer.gate, writer),
        up: await convertLinear(layer.up, writer),
        down: await convertLinear(layer.down, writer),
      }),
    });
  }
  units.push({ name: 'decoder-end', pack: async (writer) => ({ finalNorm: await convertNorm(decoder.weights.finalNorm, writer), head: await convertLinear(decoder.weights.head, writer) }) });
  return units;
}
