// Saved state in a file: plain data with typed arrays, such as `Memory.save` gives; whole or not at all, readable by another process on another day.
import { open, readFile } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';
import { writeWhole } from '../core/write-whole.ts';

/*
 * Layout: 8 bytes "THALMEM1", uint32 length of the header (little endian), header in JSON, padding to a multiple of 8, arrays one after the other,
 * each from a multiple of 8. In the header an array is { "$array": type, "at": offset, "length": elements }, and Infinity is { "$number": "Infinity" }.
 */
const magic = 'THALMEM1';
const arrayTypes = { Float32Array, Float64Array, Int8Array, Uint8Array, Int32Array } as const;
type ArrayType = keyof typeof arrayTypes;
type SavedArray = InstanceType<(typeof arrayTypes)[ArrayType]>;

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** @throws UserError `SAVED_FILE` when the file cannot be written; what stood there before stays then */
export async function writeSaved(file: string, saved: object): Promise<void> {
  const parts: Buffer[] = [];
  let at = 0;
  const header = Buffer.from(
    JSON.stringify(saved, (_key, value: unknown) => {
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
  try {
    await writeWhole(file, [start, header, padding, ...parts]);
  } catch (cause) {
    throw new UserError('SAVED_FILE', { what: `cannot save to ${file}`, got: messageOf(cause), cause });
  }
}

/**
 * What was saved, its typed arrays included.
 * @throws UserError `SAVED_FILE` when the file cannot be read, is none of these, or is damaged
 */
export async function readSaved(file: string): Promise<unknown> {
  const bytes = await readFile(file).catch((cause: unknown) => refuse(file, messageOf(cause), cause));
  const { start, text } = headerOf(file, bytes, bytes.length);
  let end = start;
  const revive = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(revive);
    const { $array, $number, at, length } = value as { $array?: ArrayType; $number?: string; at?: number; length?: number };
    if ($number === 'Infinity') return Infinity;
    if ($array === undefined) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, revive(entry)]));
    const Type = Object.hasOwn(arrayTypes, $array) ? arrayTypes[$array] : refuse(file, `an array of type ${$array as string}`);
    const lengthBytes = length! * Type.BYTES_PER_ELEMENT;
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(lengthBytes) || start + at! + lengthBytes > bytes.length) return refuse(file, `${bytes.length} bytes, too few for its arrays`);
    end = Math.max(end, start + at! + aligned(lengthBytes));
    // A copy, so that every array stands on its own.
    return new Type(Uint8Array.from(bytes.subarray(start + at!, start + at! + lengthBytes)).buffer);
  };
  const saved = revive(parsed(file, text(bytes)));
  if (end !== bytes.length) refuse(file, `${bytes.length} bytes instead of ${end}`);
  return saved;
}

/**
 * What was saved but for the elements of its arrays, without reading the whole file.
 * @throws UserError as `readSaved`, but for damage in the arrays
 */
export async function readSavedHeader(file: string): Promise<unknown> {
  await using handle = await open(file).catch((cause: unknown) => refuse(file, messageOf(cause), cause));
  const { size } = await handle.stat();
  const first = Buffer.alloc(Math.min(12, size));
  await handle.read(first, 0, first.length, 0);
  const { start, text } = headerOf(file, first, size);
  const header = Buffer.alloc(start);
  await handle.read(header, 0, start, 0);
  return parsed(file, text(header));
}

function refuse(file: string, got: string, cause?: unknown): never {
  throw new UserError('SAVED_FILE', { what: `${file} is nothing that was saved here`, got, expected: 'a whole file that was written by this version', cause });
}

/** Where the arrays of a file begin, and how to find its header. @param first at least the first 12 bytes, where there are so many */
function headerOf(file: string, first: Buffer, size: number): { readonly start: number; readonly text: (bytes: Buffer) => string } {
  if (first.length < 12 || first.toString('latin1', 0, 8) !== magic) refuse(file, `${size} bytes that begin with ${JSON.stringify(first.toString('latin1', 0, 8))}`);
  const length = first.readUInt32LE(8);
  const start = aligned(12 + length);
  if (start > size) refuse(file, `${size} bytes for a header of ${length}`);
  return { start, text: (bytes) => bytes.toString('utf8', 12, 12 + length) };
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    return refuse(file, messageOf(cause), cause);
  }
}
