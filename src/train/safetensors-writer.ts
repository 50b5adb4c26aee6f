// Writes safetensors files (github.com/huggingface/safetensors, README, "Format"): aligned header, data without holes, put in place whole or not at all.
import { UserError } from '../core/errors.ts';
import { writeWhole } from '../core/write-whole.ts';

const elementBytes = { F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: keyof typeof elementBytes;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * @param metadata texts stored under `__metadata__`
 * @throws UserError when data and shape disagree, or a name comes twice
 */
export async function writeSafetensors(file: string, tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  // Wider elements first, then by name: every tensor starts at a multiple of its element size.
  const ordered = tensors.toSorted((a, b) => elementBytes[b.dtype] - elementBytes[a.dtype] || (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const { name, dtype, shape, data } of ordered) {
    const expected = shape.reduce((product, size) => product * size, 1) * elementBytes[dtype];
    if (data.byteLength !== expected) throw new UserError('TENSOR_SIZE', { what: `tensor ${name} has the wrong size`, got: `${data.byteLength} bytes`, expected: `${expected}, for ${dtype} [${shape.join(', ')}]` });
    if (Object.hasOwn(header, name)) throw new UserError('TENSOR_TWICE', { what: 'two tensors have one name', got: name });
    header[name] = { dtype, shape, data_offsets: [offset, offset + expected] };
    offset += expected;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces after the JSON let the data start at a multiple of 8.
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  await writeWhole(file, [length, padded, ...ordered.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))]);
}
