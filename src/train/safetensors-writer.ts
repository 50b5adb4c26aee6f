// Writes safetensors files (github.com/huggingface/safetensors, README, "Format"): aligned header, data without holes, put in place whole or not at all.
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../core/errors.ts';

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

/** Writes a file so that a reader, or a machine that loses power, sees the old one or the new one and nothing between. */
export async function writeWhole(file: string, parts: readonly Uint8Array[]): Promise<void> {
  // Two threads may write one file at once: the last to finish wins, whole.
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.part`);
  const handle = await open(temporary, 'w');
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

/** Removes what writers that were killed left in a folder. @param olderThanMs younger parts may still be written */
export async function removeParts(folder: string, olderThanMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = path.join(folder, name);
    if (!/^\..+\.part$/.test(name)) continue;
    const written = await stat(file).catch(() => undefined);
    if (written && Date.now() - written.mtimeMs >= olderThanMs) await rm(file, { force: true });
  }
}
