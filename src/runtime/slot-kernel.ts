// The slot kernel of wasm/slots.as.ts: an instance for each user, whose memory he lays out.
import { readFileSync } from 'node:fs';
import { CapacityError } from '../core/errors.ts';

/** The part of the WebAssembly API used here; it belongs to TypeScript's browser library, which this project does not load. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly expand: (keys: number, scales: number, rows: number, values: number, count: number, width: number, pairs: number, keysTo: number, valuesTo: number) => void;
}

/** See wasm/slots.as.ts for the parameters of `expand`. */
export interface SlotKernel extends Pick<Exports, 'expand'> {
  /** The memory; another one after `reserve`, with the same bytes. */
  readonly buffer: ArrayBuffer;
  /**
   * Sees to it that there are so many bytes from address 0.
   * @throws CapacityError when the machine cannot give them
   */
  reserve(bytes: number): void;
}

const pageBytes = 65_536;
let module: object | undefined;

export function createSlotKernel(): SlotKernel {
  module ??= new WebAssembly.Module(readFileSync(new URL('./wasm/slots.wasm', import.meta.url)));
  const { memory, expand } = new WebAssembly.Instance(module).exports;
  return {
    expand,
    get buffer() {
      return memory.buffer;
    },
    reserve(bytes) {
      const missing = bytes - memory.buffer.byteLength;
      if (missing <= 0) return;
      try {
        memory.grow(Math.ceil(missing / pageBytes));
      } catch (cause) {
        throw new CapacityError('SLOT_MEMORY', { what: 'no memory to read 8-bit slots', got: `${bytes} bytes needed`, todo: 'keep fewer slots, or slotFormat=float32', cause });
      }
    },
  };
}
