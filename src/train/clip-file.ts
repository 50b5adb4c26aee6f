// A made clip as a file: pictures as patches of bytes, truth, questions as text. Made once, read at every epoch.
import { createHash } from 'node:crypto';
import { ModelError } from '../core/errors.ts';
import type { MadeClip, TextTurn } from './samples.ts';
import { unfoldPatches } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';

export interface StoredClip {
  readonly timesSec: readonly number[];
  readonly threads: readonly (readonly TextTurn[])[];
  /** uint8 [frames, patches, 3, patch, patch] */
  readonly patches: Uint8Array;
  readonly auxiliary?: { readonly targets: Float32Array; readonly weights: Float32Array };
}

interface Header {
  readonly timesSec: readonly number[];
  readonly threads: readonly (readonly TextTurn[])[];
  readonly patchBytes: number;
  /** Elements of targets, and of weights; 0 without truth. */
  readonly auxiliary: number;
  readonly sha256: string;
}

const magic = 'THALCLIP';

export function toStored(clip: MadeClip, { imagePx, patchPx }: VlmConfig): StoredClip {
  const frames = clip.frames.map((rgb) => unfoldPatches(rgb, imagePx, imagePx, patchPx));
  const patches = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  frames.reduce((at, frame) => (patches.set(frame, at), at + frame.length), 0);
  return { timesSec: clip.timesSec, threads: clip.threads, patches, ...(clip.auxiliary && { auxiliary: clip.auxiliary }) };
}

/** Layout: 8 bytes name, 4 bytes length of a JSON header, the header, patches, targets, weights. */
export function encodeClip({ timesSec, threads, patches, auxiliary }: StoredClip): Uint8Array {
  const body = [patches, ...(auxiliary ? [auxiliary.targets, auxiliary.weights] : [])].map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  const sha256 = hashOf(body);
  const header: Header = { timesSec, threads, patchBytes: patches.length, auxiliary: auxiliary?.targets.length ?? 0, sha256 };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([Buffer.from(magic), length, json, ...body]);
}

/** @throws ModelError when the bytes are no clip, or damaged */
export function decodeClip(bytes: Uint8Array, file: string): StoredClip {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (got: string) => new ModelError('CLIP_DAMAGED', { what: `training clip ${file} is damaged`, got, todo: 'remove it: it will be made again' });
  if (buffer.length < 12 || buffer.toString('latin1', 0, 8) !== magic) throw damaged('no clip');
  const start = 12 + buffer.readUInt32LE(8);
  if (start > buffer.length) throw damaged('an incomplete header');
  const header = JSON.parse(buffer.toString('utf8', 12, start)) as Header;
  const body = buffer.subarray(start);
  if (body.length !== header.patchBytes + 8 * header.auxiliary || hashOf([body]) !== header.sha256) throw damaged('bytes that do not match their checksum');
  const floats = (from: number) => new Float32Array(body.buffer.slice(body.byteOffset + from, body.byteOffset + from + 4 * header.auxiliary) as ArrayBuffer);
  return {
    timesSec: header.timesSec,
    threads: header.threads,
    patches: new Uint8Array(body.subarray(0, header.patchBytes)),
    ...(header.auxiliary > 0 && { auxiliary: { targets: floats(header.patchBytes), weights: floats(header.patchBytes + 4 * header.auxiliary) } }),
  };
}

function hashOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
