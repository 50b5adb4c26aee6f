// Adapter folders for tests: weights of a checkpoint, changed a little or not at all, as retrofitting would leave them.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { float32ToFloat16 } from '../core/float16.ts';
import { createRandom } from '../core/random.ts';
import { adapterBaseHash, adapterConfigName, adapterWeightsName, type AdapterConfig } from './adapters.ts';
import type { Checkpoint } from './contract.ts';

export interface FixtureTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
export type FixtureTensors = Record<string, FixtureTensor>;

export interface AdapterFixture {
  readonly kind: 'dmc' | 'dms';
  readonly dtype?: 'float16' | 'float32';
  /** DMC: size of the rows that carry decisions (0: no token ever merges). DMS: size of the projections. */
  readonly strength?: number;
  readonly config?: Partial<AdapterConfig>;
  /** Changes the tensors before they are written. */
  readonly change?: (tensors: FixtureTensors) => void;
}

/** Writes an adapter of random decisions for a checkpoint; returns its folder. */
export async function writeAdapter(checkpoint: Checkpoint, folder: string, { kind, dtype = 'float32', strength = 2, config, change }: AdapterFixture): Promise<string> {
  const tensors: FixtureTensors = {};
  const { spec, weights } = checkpoint.decoder;
  const random = createRandom(`adapter ${kind}`);
  const fill = (length: number, scale: number, mean = 0) => Float32Array.from({ length }, () => mean + (random.next() * 2 - 1) * scale);
  for (const [index, { query, key }] of weights.layers.entries()) {
    if (kind === 'dms') {
      tensors[`dms.layers.${index}.norm.weight`] = { shape: [spec.width], data: fill(spec.width, 0.1, 1) };
      tensors[`dms.layers.${index}.proj.weight`] = { shape: [spec.kvHeads, spec.width], data: fill(spec.kvHeads * spec.width, (0.1 * strength) / Math.sqrt(spec.width)) };
      tensors[`dms.layers.${index}.proj.bias`] = { shape: [spec.kvHeads], data: new Float32Array(spec.kvHeads) };
      continue;
    }
    for (const { weight } of [query, key]) {
      const data = await weight.read();
      for (let row = spec.headWidth - 1; row < weight.shape[0]!; row += spec.headWidth) data.set(fill(spec.width, (5 * strength) / Math.sqrt(spec.width)), row * spec.width);
      tensors[weight.name] = { shape: weight.shape, data };
    }
  }
  change?.(tensors);
  await mkdir(folder, { recursive: true });
  const whole = { format: 1, kind, ratio: 4, baseHash: await adapterBaseHash(checkpoint), ...config };
  await writeFile(path.join(folder, adapterConfigName), JSON.stringify(whole));
  await writeFile(path.join(folder, adapterWeightsName), safetensors(tensors, dtype));
  return folder;
}

function safetensors(tensors: FixtureTensors, dtype: 'float16' | 'float32'): Buffer {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const bytes = dtype === 'float32' ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(halves(data).buffer);
    header[name] = { dtype: dtype === 'float32' ? 'F32' : 'F16', shape, data_offsets: [at, (at += bytes.length)] };
    parts.push(bytes);
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, ...parts]);
}

function halves(data: Float32Array): Uint16Array<ArrayBuffer> {
  const half = new Uint16Array(data.length);
  float32ToFloat16(data, half);
  return half;
}
