// Writes the tensors of one unit of a pack into a file, each aligned for vector loads.
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { DType, TypedArray } from '../../graph/graph.ts';
import type { TensorRef } from '../../graph/linear.ts';

const alignmentBytes = 64;

/** Appends tensors to one file; what it hands out refers to the file by name, without its folder. */
export class TensorWriter implements AsyncDisposable {
  readonly #file: string;
  readonly #handle: FileHandle;
  #bytes = 0;

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  /** Starts an empty file. */
  static async create(folder: string, file: string): Promise<TensorWriter> {
    return new TensorWriter(file, await open(join(folder, file), 'w'));
  }

  async add(name: string, data: TypedArray, dtype: DType, shape: readonly number[]): Promise<TensorRef> {
    const offsetBytes = Math.ceil(this.#bytes / alignmentBytes) * alignmentBytes;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offsetBytes + done);
      done += bytesWritten;
    }
    this.#bytes = offsetBytes + bytes.length;
    return { kind: 'file', name, dtype, shape, file: this.#file, offsetBytes };
  }

  /** Makes sure that the bytes are on the disk, so that a manifest never speaks of bytes that a crash lost. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
