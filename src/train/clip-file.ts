// A made clip as two files: pictures as patches of bytes, which cost much to make, and truth, which changes with what is asked. Read at every epoch.
import { createHash } from 'node:crypto';
import { ModelError } from '../core/errors.ts';
import type { ClipPictures, ClipTruth, TextThread } from './samples.ts';
import { unfoldPatches } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';

export interface StoredPictures {
  readonly timesSec: readonly number[];
  /** uint8 [frames, patches, 3, patch, patch] */
  readonly patches: Uint8Array;
}

export interface StoredClip extends StoredPictures, ClipTruth {}

interface PicturesHeader {
  readonly timesSec: readonly number[];
}
interface TruthHeader {
  readonly threads: readonly TextThread[];
  readonly hasAuxiliary: boolean;
  readonly squares?: ClipTruth['squares'];
}

const magic = 'THALCLIP';

export function toPatches(clip: ClipPictures, { imagePx, patchPx }: VlmConfig): StoredPictures {
  const frames = clip.frames.map((rgb) => unfoldPatches(rgb, imagePx, imagePx, patchPx));
  const patches = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  frames.reduce((at, frame) => (patches.set(frame, at), at + frame.length), 0);
  return { timesSec: clip.timesSec, patches };
}

export function encodePictures({ timesSec, patches }: StoredPictures): Uint8Array {
  return encode({ timesSec }, [patches]);
}

/** @throws ModelError when the bytes are no clip, or damaged */
export function decodePictures(bytes: Uint8Array, file: string): StoredPictures {
  const { header, body } = decode(bytes, file);
  return { timesSec: (header as PicturesHeader).timesSec, patches: new Uint8Array(body) };
}

export function encodeTruth({ threads, auxiliary, squares }: ClipTruth): Uint8Array {
  return encode({ threads, hasAuxiliary: auxiliary !== undefined, ...(squares && { squares }) }, auxiliary ? [auxiliary.targets, auxiliary.weights] : []);
}

/** @throws ModelError when the bytes are no truth, or damaged */
export function decodeTruth(bytes: Uint8Array, file: string): ClipTruth {
  const { header, body } = decode(bytes, file);
  const { threads, hasAuxiliary, squares } = header as TruthHeader;
  const floats = new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer);
  const half = floats.length / 2;
  return { threads, ...(squares && { squares }), ...(hasAuxiliary && { auxiliary: { targets: floats.subarray(0, half), weights: floats.subarray(half) } }) };
}

/** Layout: 8 bytes name, 4 bytes length of a JSON header, the header, the arrays. */
function encode(header: object, arrays: readonly (Uint8Array | Float32Array)[]): Uint8Array {
  const body = arrays.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  const json = Buffer.from(JSON.stringify({ ...header, sha256: hashOf(body) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([Buffer.from(magic), length, json, ...body]);
}

function decode(bytes: Uint8Array, file: string): { header: object; body: Buffer } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (got: string) => new ModelError('CLIP_DAMAGED', { what: `training clip ${file} is damaged`, got, todo: 'remove it: it will be made again' });
  if (buffer.length < 12 || buffer.toString('latin1', 0, 8) !== magic) throw damaged('no clip');
  const start = 12 + buffer.readUInt32LE(8);
  if (start > buffer.length) throw damaged('an incomplete header');
  let header: { readonly sha256: string };
  try {
    header = JSON.parse(buffer.toString('utf8', 12, start)) as typeof header;
  } catch {
    throw damaged('a header that is no JSON');
  }
  const body = buffer.subarray(start);
  if (hashOf([body]) !== header.sha256) throw damaged('bytes that do not match their checksum');
  return { header, body };
}

function hashOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
