// Writes a memory adapter: `adapter.json` and `adapter.safetensors` in float16, as `withAdapter` opens them.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ModelError } from '../core/errors.ts';
import { float16ToFloat32, float32ToFloat16 } from '../core/float16.ts';
import { adapterConfigName, adapterWeightsName } from '../models/adapters.ts';
import type { AdapterConfig } from '../models/adapters.ts';
import type { FloatTensor } from './retrofit-model.ts';
import type { TensorToWrite } from './safetensors-writer.ts';
import { writeWhole } from '../core/write-whole.ts';
import { writeSafetensors } from './safetensors-writer.ts';

const largestHalf = 65504;

/** Values as float16 stores them. */
export function roundedToHalf(values: Float32Array): Float32Array {
  const half = new Uint16Array(values.length);
  float32ToFloat16(values, half);
  const rounded = new Float32Array(values.length);
  float16ToFloat32(half, rounded);
  return rounded;
}

/**
 * The configuration is written last: a folder that has it is whole.
 * @throws ModelError when a value is beyond the range of float16
 */
export async function writeAdapter(folder: string, config: AdapterConfig, tensors: ReadonlyMap<string, FloatTensor>): Promise<void> {
  const written = [...tensors].map(([name, { data, shape }]): TensorToWrite => {
    const largest = data.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    if (!(largest <= largestHalf)) throw new ModelError('ADAPTER_RANGE', { what: `tensor ${name} of the adapter does not fit float16`, got: `${largest}`, expected: `at most ${largestHalf}`, todo: 'retrofit with a lower learning rate' });
    const half = new Uint16Array(data.length);
    float32ToFloat16(data, half);
    return { name, dtype: 'F16', shape, data: half };
  });
  await mkdir(folder, { recursive: true });
  await writeSafetensors(path.join(folder, adapterWeightsName), written, { format: 'pt' });
  await writeWhole(path.join(folder, adapterConfigName), [Buffer.from(`${JSON.stringify(config, null, 2)}\n`)]);
}
