// Reads safetensors files: a strict header check, then ranges of weights as float32, never a whole file.
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { bfloat16ToFloat32, float16ToFloat32 } from '../core/float16.ts';
import { messageOf, ModelError } from '../core/errors.ts';
import { duplicateKey, short } from './json.ts';
import type { WeightSource } from './contract.ts';

/** Bits of one element of each type that the format knows. */
const dtypeBits = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, F64: 64, I64: 64, U64: 64, C64: 64,
} as const; // prettier-ignore

/** Element type, as the file names it. */
export type SafetensorsDtype = keyof typeof dtypeBits;

const weightDtypes: Partial<Record<SafetensorsDtype, WeightSource['dtype']>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Where a tensor lies. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly file: string;
  /** From the start of the file. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's own limit (huggingface/safetensors, README, "Format"). */
const maxHeaderBytes = 100_000_000;
const chunkBytes = 8 << 20;

/**
 * Reads and checks the header of one file (format: github.com/huggingface/safetensors): length, JSON, types, shapes, and data that
 * covers the rest of the file without hole or overlap.
 * @throws ModelError with the file, the tensor, what was got and what was expected
 */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  const handle = await openFile(file);
  try {
    const fileBytes = (await handle.stat()).size;
    if (fileBytes < 8) throw bad(file, 'is too short to be safetensors', `${fileBytes} bytes`, 'at least 8 bytes (the length of the header)');
    const prefix = Buffer.alloc(8);
    await readExactly(handle, file, prefix, 0);
    const length = prefix.readBigUInt64LE();
    if (length > BigInt(maxHeaderBytes)) throw bad(file, 'has an absurd header length', `${length} bytes`, `at most ${maxHeaderBytes} bytes`);
    const headerBytes = Number(length);
    if (headerBytes > fileBytes - 8) throw bad(file, 'ends inside its header', `${fileBytes - 8} bytes after the length field`, `a header of ${headerBytes} bytes`);
    const bytes = Buffer.alloc(headerBytes);
    await readExactly(handle, file, bytes, 8);
    return parseHeader(file, bytes, fileBytes);
  } finally {
    await handle.close();
  }
}

function parseHeader(file: string, bytes: Buffer, fileBytes: number): SafetensorsHeader {
  let text: string;
  let header: unknown;
  if (bytes[0] !== 0x7b) throw bad(file, 'has no safetensors header', bytes.length === 0 ? 'an empty header' : `first byte 0x${bytes[0]!.toString(16)}`, 'a JSON object, "{"');
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw new ModelError('SAFETENSORS_INVALID', { what: `${file} has a broken header`, got: messageOf(cause), expected: 'a JSON object in UTF-8', todo: 'download the file again', cause });
  }
  if (!isObject(header)) throw bad(file, 'has a broken header', short(header), 'a JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) throw bad(file, 'names a key twice in its header', JSON.stringify(twice), 'each key once');
  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorEntry>();
  const dataStart = 8 + bytes.length;
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') {
      tensors.set(name, parseEntry(file, name, value, dataStart, fileBytes));
      continue;
    }
    if (!isObject(value)) throw bad(file, 'has broken __metadata__', short(value), 'an object of strings');
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== 'string') throw bad(file, `has broken __metadata__ at ${JSON.stringify(key)}`, short(entry), 'a string');
      metadata.set(key, entry);
    }
  }
  checkCoverage(file, [...tensors.values()], dataStart, fileBytes);
  return { tensors, metadata };
}

function parseEntry(file: string, name: string, value: unknown, dataStart: number, fileBytes: number): TensorEntry {
  const tensor = `tensor ${JSON.stringify(name)} of ${file}`;
  const fail = (what: string, got: string, expected: string): ModelError => new ModelError('SAFETENSORS_INVALID', { what: `${tensor} ${what}`, got, expected });
  if (!isObject(value)) throw fail('is not described', short(value), '{ dtype, shape, data_offsets }');
  for (const key of Object.keys(value)) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') throw fail('has an unknown field', JSON.stringify(key), 'dtype, shape and data_offsets alone');
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) throw fail('has an unknown type', short(dtype), `one of ${Object.keys(dtypeBits).join(', ')}`);
  if (!isSizes(shape)) throw fail('has a broken shape', short(shape), 'a list of whole numbers ≥ 0');
  if (!isSizes(offsets) || offsets.length !== 2) throw fail('has broken data_offsets', short(offsets), '[begin, end]');
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw fail('ends before it begins', `[${begin}, ${end}]`, 'begin ≤ end');
  if (end > fileBytes - dataStart) throw fail('lies outside the file', `end ${end}`, `at most ${fileBytes - dataStart}, where the data ends`);
  // A product that leaves the safe range is not the length of anything in the file, so the comparison below still refuses it.
  const bits = shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype];
  if (bits !== (end - begin) * 8) {
    throw fail('has offsets that do not fit its shape', `${end - begin} bytes`, `${Math.ceil(bits / 8)} bytes for ${dtype} [${shape.join(', ')}]`);
  }
  return { name, dtype, shape, file, offsetBytes: dataStart + begin, lengthBytes: end - begin };
}

function checkCoverage(file: string, entries: readonly TensorEntry[], dataStart: number, fileBytes: number): void {
  const sorted = entries.toSorted((a, b) => a.offsetBytes - b.offsetBytes || a.lengthBytes - b.lengthBytes);
  let end = dataStart;
  let before: TensorEntry | undefined;
  for (const entry of sorted) {
    if (entry.offsetBytes < end) throw bad(file, `has overlapping tensors ${JSON.stringify(before?.name)} and ${JSON.stringify(entry.name)}`, `begin ${entry.offsetBytes - dataStart}`, `begin ${end - dataStart}, where the first ends`);
    if (entry.offsetBytes > end) throw bad(file, `has a hole before tensor ${JSON.stringify(entry.name)}`, `begin ${entry.offsetBytes - dataStart}`, `begin ${end - dataStart}`);
    end = entry.offsetBytes + entry.lengthBytes;
    before = entry;
  }
  if (end !== fileBytes) throw bad(file, 'has bytes that belong to no tensor', `${fileBytes - dataStart} bytes of data`, `${end - dataStart} bytes`);
}

/**
 * A tensor as a weight; each `read` opens the file, converts range by range and closes it.
 * @throws ModelError when the type is not one that weights are kept in
 */
export function weightSource(entry: TensorEntry): WeightSource {
  const dtype = weightDtypes[entry.dtype];
  if (dtype === undefined) {
    throw new ModelError('UNSUPPORTED_DTYPE', {
      what: `tensor ${JSON.stringify(entry.name)} of ${entry.file} cannot be a weight`,
      got: `type ${entry.dtype}`,
      expected: 'F32, F16 or BF16',
      todo: 'use a checkpoint whose weights are not quantised',
    });
  }
  const { name, shape, file, offsetBytes, lengthBytes } = entry;
  return { name, shape, dtype, file, offsetBytes, lengthBytes, read: () => readFloats(file, dtype, offsetBytes, lengthBytes) };
}

/**
 * Reads a range of a file as float32.
 * @returns float32 [lengthBytes / bytes of the type]
 */
export async function readFloats(file: string, dtype: WeightSource['dtype'], offsetBytes: number, lengthBytes: number): Promise<Float32Array> {
  const handle = await openFile(file);
  try {
    if (dtype === 'float32') {
      const values = new Float32Array(lengthBytes / 4);
      const bytes = Buffer.from(values.buffer);
      for (let done = 0; done < lengthBytes; done += chunkBytes) await readExactly(handle, file, bytes.subarray(done, done + chunkBytes), offsetBytes + done);
      return values;
    }
    const convert = dtype === 'float16' ? float16ToFloat32 : bfloat16ToFloat32;
    const values = new Float32Array(lengthBytes / 2);
    const chunk = new Uint16Array(Math.min(chunkBytes, lengthBytes) / 2);
    for (let done = 0; done < values.length; done += chunk.length) {
      const part = chunk.subarray(0, Math.min(chunk.length, values.length - done));
      await readExactly(handle, file, Buffer.from(part.buffer, 0, part.byteLength), offsetBytes + 2 * done);
      convert(part, values.subarray(done, done + part.length));
    }
    return values;
  } finally {
    await handle.close();
  }
}

/** Whether two tensors have the same type, shape and bytes. Reads both in ranges until they differ. */
export async function sameValues(a: TensorEntry, b: TensorEntry): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.length !== b.shape.length || a.shape.some((size, axis) => size !== b.shape[axis])) return false;
  const handles = [await openFile(a.file), await openFile(b.file)] as const;
  try {
    const buffers = [Buffer.alloc(Math.min(chunkBytes, a.lengthBytes)), Buffer.alloc(Math.min(chunkBytes, a.lengthBytes))] as const;
    for (let done = 0; done < a.lengthBytes; done += chunkBytes) {
      const length = Math.min(chunkBytes, a.lengthBytes - done);
      const [left, right] = [buffers[0].subarray(0, length), buffers[1].subarray(0, length)];
      await Promise.all([readExactly(handles[0], a.file, left, a.offsetBytes + done), readExactly(handles[1], b.file, right, b.offsetBytes + done)]);
      if (!left.equals(right)) return false;
    }
    return true;
  } finally {
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (cause) {
    throw new ModelError('FILE_UNREADABLE', { what: `cannot open ${file}`, got: messageOf(cause), expected: 'a readable file', cause });
  }
}

async function readExactly(handle: FileHandle, file: string, target: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(target, done, target.length - done, position + done));
    } catch (cause) {
      throw new ModelError('FILE_UNREADABLE', { what: `cannot read ${file}`, got: messageOf(cause), expected: 'a readable file', cause });
    }
    if (bytesRead === 0) throw bad(file, 'ended early', `${position + done} bytes`, `at least ${position + target.length} bytes`);
    done += bytesRead;
  }
}

function bad(file: string, what: string, got: string, expected: string): ModelError {
  return new ModelError('SAFETENSORS_INVALID', { what: `${file} ${what}`, got, expected });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(dtypeBits, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
