// Reads a small packed tensor into memory.
import { open } from 'node:fs/promises';
import { ModelError } from '../../core/errors.ts';
import type { TensorRef } from '../../graph/linear.ts';
import { tensorBytes } from '../../graph/linear.ts';

/** @returns float32 [shape] */
export async function readFloat32(ref: TensorRef): Promise<Float32Array> {
  if (ref.dtype !== 'float32') throw new ModelError('TENSOR_TYPE', { what: `cannot read ${ref.name}`, got: ref.dtype, expected: 'float32' });
  if (ref.kind === 'inline') return ref.data as Float32Array;
  const bytes = new Uint8Array(tensorBytes(ref));
  await using handle = await open(ref.file, 'r');
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, ref.offsetBytes);
  if (bytesRead !== bytes.length) throw new ModelError('WEIGHT_TRUNCATED', { what: `cannot read ${ref.name} in ${ref.file}`, got: `${bytesRead} bytes`, expected: `${bytes.length} bytes` });
  return new Float32Array(bytes.buffer);
}
