// The pixel kernels of wasm/pixels.as.ts: one instance a thread, one memory that its users lay out in turn.
import { readFileSync } from 'node:fs';
import { CapacityError } from '../core/errors.ts';

/** The part of the WebAssembly API used here; it belongs to TypeScript's browser library, which this project does not load. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

/** See wasm/pixels.as.ts for the parameters. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly weigh: (source: number, stride: number, base: number, bytes: number, target: number, targetStride: number, table: number, outputs: number, pairStride: number, begin: number, end: number) => void;
  readonly transpose: (source: number, stride: number, step: number, target: number, targetStride: number, targetStep: number, blocks: number) => void;
  readonly patches: (source: number, stride: number, patch: number, columns: number, table: number, target: number) => void;
  readonly compare: (a: number, b: number, stride: number, patch: number, cell: number, columns: number, weights: number, scratch: number, absolute: number, change: number) => void;
}

/** The kernels and the memory they work in. Valid until the next call of `pixelKernels`, which may move or replace the memory. */
export interface PixelKernels extends Pick<Exports, 'weigh' | 'transpose' | 'patches' | 'compare'> {
  readonly bytes: Uint8Array;
  /** Who wrote what is in the memory: who finds himself here finds his tables as he left them. */
  user: object | undefined;
}

const pageBytes = 65_536;
/** A memory cannot shrink. One larger than this gives way to a new one when a quarter of it would do. */
const keptBytes = 8 << 20;

let module: object | undefined;
let instance: Exports | undefined;
let kernels: PixelKernels | undefined;

/**
 * The kernels of this thread.
 * @param bytes of memory that the caller needs, from address 0
 * @throws CapacityError when the machine cannot give them
 */
export function pixelKernels(bytes: number): PixelKernels {
  const held = instance?.memory.buffer.byteLength ?? 0;
  if (held > keptBytes && bytes < held / 4) instance = undefined;
  if (instance === undefined) {
    module ??= new WebAssembly.Module(readFileSync(new URL('./wasm/pixels.wasm', import.meta.url)));
    instance = new WebAssembly.Instance(module).exports;
    kernels = undefined;
  }
  const { memory, weigh, transpose, patches, compare } = instance;
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) {
    try {
      memory.grow(Math.ceil(missing / pageBytes));
    } catch (cause) {
      throw new CapacityError('PIXEL_MEMORY', { what: 'no memory to prepare a picture', got: `${bytes} bytes needed`, todo: 'use smaller pictures', cause });
    }
    kernels = undefined;
  }
  return (kernels ??= { bytes: new Uint8Array(memory.buffer), weigh, transpose, patches, compare, user: undefined });
}
