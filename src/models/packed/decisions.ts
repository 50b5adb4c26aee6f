// What an adapter decides with, ready for graphs: its few tensors are stored in the graphs themselves, in float32.
import { inlineTensor, type TensorRef } from '../../graph/linear.ts';
import type { Adapter, WeightSource } from '../contract.ts';
import type { PackedDecisions } from './contract.ts';

export async function packDecisions({ decisions }: Adapter): Promise<PackedDecisions> {
  if (decisions.kind === 'dmc') return decisions;
  const tensor = async (source: WeightSource): Promise<TensorRef> => inlineTensor(source.name, await source.read(), 'float32', source.shape);
  const layers = decisions.layers.map(async ({ norm, project }) => ({
    norm: { scale: await tensor(norm.scale) },
    project: { format: 'float32', weight: await tensor(project.weight), ...(project.bias && { bias: await tensor(project.bias) }) } as const,
  }));
  return { ...decisions, layers: await Promise.all(layers) };
}
