// What calibration hands from one unit of a pack to the next, kept in the work folder so that packing can be taken up again.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const prefix = 'calibration-';

/** float32 arrays by name, in files. */
export class CalibrationStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(name: string, values: Float32Array): Promise<void> {
    await writeFile(this.#file(name), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  async read(name: string): Promise<Float32Array> {
    const bytes = await readFile(this.#file(name));
    return new Float32Array(new Uint8Array(bytes).buffer);
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  /** Removes every file of the store in a folder. */
  static async clear(folder: string): Promise<void> {
    for (const entry of await readdir(folder)) if (entry.startsWith(prefix)) await rm(join(folder, entry));
  }

  #file(name: string): string {
    return join(this.#folder, `${prefix}${name}.bin`);
  }
}
