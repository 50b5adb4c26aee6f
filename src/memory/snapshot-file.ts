// A memory in a file: what `Memory.save` gives, whole or not at all, readable by another process on another day.
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';
import type { MemorySnapshot } from './contract.ts';

/*
 * Layout: 8 bytes "THALMEM1", uint32 length of the header (little endian), header in JSON, padding to a multiple of 8, arrays one after the other,
 * each from a multiple of 8. In the header an array is { "$array": type, "at": offset, "length": elements }, and Infinity is { "$number": "Infinity" }.
 */
const magic = 'THALMEM1';
const arrayTypes = { Float32Array, Float64Array, Int8Array, Uint8Array, Int32Array } as const;
type ArrayType = keyof typeof arrayTypes;
type SavedArray = InstanceType<(typeof arrayTypes)[ArrayType]>;

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** @throws UserError `MEMORY_FILE` when the file cannot be written; what stood there before stays then */
export async function writeMemoryFile(file: string, snapshot: MemorySnapshot): Promise<void> {
  const parts: Buffer[] = [];
  let at = 0;
  const header = Buffer.from(
    JSON.stringify(snapshot, (_key, value: unknown) => {
      if (value === Infinity) return { $number: 'Infinity' };
      const type = Object.keys(arrayTypes).find((name) => value instanceof arrayTypes[name as ArrayType]);
      if (type === undefined) return value;
      const array = value as SavedArray;
      const entry = { $array: type, at, length: array.length };
      parts.push(Buffer.from(array.buffer, array.byteOffset, array.byteLength), Buffer.alloc(aligned(array.byteLength) - array.byteLength));
      at += aligned(array.byteLength);
      return entry;
    }),
  );
  const start = Buffer.alloc(12);
  start.write(magic, 'latin1');
  start.writeUInt32LE(header.length, 8);
  const padding = Buffer.alloc(aligned(12 + header.length) - 12 - header.length);
  const whole = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
  try {
    await writeFile(whole, Buffer.concat([start, header, padding, ...parts]));
    await rename(whole, file);
  } catch (cause) {
    await rm(whole, { force: true });
    throw new UserError('MEMORY_FILE', { what: `cannot write the memory ${file}`, got: messageOf(cause), cause });
  }
}

/** @throws UserError `MEMORY_FILE` when the file cannot be read, is none of these, or is damaged */
export async function readMemoryFile(file: string): Promise<MemorySnapshot> {
  const fail = (got: string, cause?: unknown): never => {
    throw new UserError('MEMORY_FILE', { what: `${file} is no saved memory`, got, expected: 'a whole file that was written by this version', cause });
  };
  const bytes = await readFile(file).catch((cause: unknown) => fail(messageOf(cause), cause));
  if (bytes.length < 12 || bytes.toString('latin1', 0, 8) !== magic) fail(`${bytes.length} bytes that begin with ${JSON.stringify(bytes.toString('latin1', 0, 8))}`);
  const headerBytes = bytes.readUInt32LE(8);
  const start = aligned(12 + headerBytes);
  if (start > bytes.length) fail(`${bytes.length} bytes for a header of ${headerBytes}`);
  let end = start;
  const revive = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(revive);
    const { $array, $number, at, length } = value as { $array?: ArrayType; $number?: string; at?: number; length?: number };
    if ($number === 'Infinity') return Infinity;
    if ($array === undefined) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, revive(entry)]));
    const Type = Object.hasOwn(arrayTypes, $array) ? arrayTypes[$array] : fail(`an array of type ${$array as string}`);
    const lengthBytes = length! * Type.BYTES_PER_ELEMENT;
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(lengthBytes) || start + at! + lengthBytes > bytes.length) return fail(`${bytes.length} bytes, too few for its arrays`);
    end = Math.max(end, start + at! + aligned(lengthBytes));
    // A copy, so that every array stands on its own.
    return new Type(Uint8Array.from(bytes.subarray(start + at!, start + at! + lengthBytes)).buffer);
  };
  let snapshot: MemorySnapshot;
  try {
    snapshot = revive(JSON.parse(bytes.toString('utf8', 12, 12 + headerBytes))) as MemorySnapshot;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    return fail(messageOf(cause), cause);
  }
  if (end !== bytes.length) fail(`${bytes.length} bytes instead of ${end}`);
  return snapshot;
}
