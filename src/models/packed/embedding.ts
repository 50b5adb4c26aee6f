// The embedding table, left in its file: rows are read when a token asks for them.
import { closeSync, openSync, readSync } from 'node:fs';
import { ModelError } from '../../core/errors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../../core/float16.ts';
import type { WeightSource } from '../contract.ts';
import type { EmbeddingTable } from './contract.ts';

const bytesOf = { float32: 4, float16: 2, bfloat16: 2 } as const;

/**
 * Opens the table of a checkpoint, in whatever type its file has.
 * @param source [V, E]
 */
export function openEmbedding(source: WeightSource): EmbeddingTable {
  const [vocabulary, width] = source.shape as readonly [number, number];
  const rowBytes = width * bytesOf[source.dtype];
  const row = new Uint8Array(rowBytes);
  const convert = converter(source.dtype, row, width);
  let file: number | undefined = openSync(source.file, 'r');
  return {
    vocabulary,
    width,
    rows(ids, into = new Float32Array(ids.length * width)) {
      if (file === undefined) throw new ModelError('EMBEDDING_CLOSED', { what: `embedding table ${source.name} is closed` });
      for (let t = 0; t < ids.length; t++) {
        const id = ids[t]!;
        if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) throw new ModelError('TOKEN_ID', { what: 'token id outside of the vocabulary', got: String(id), expected: `0 to ${vocabulary - 1}` });
        const read = readSync(file, row, 0, rowBytes, source.offsetBytes + id * rowBytes);
        if (read !== rowBytes) throw new ModelError('WEIGHT_TRUNCATED', { what: `cannot read row ${id} of ${source.name} in ${source.file}`, got: `${read} bytes`, expected: `${rowBytes} bytes`, todo: 'the file changed after it was checked; fetch the checkpoint again' });
        convert(into, t * width);
      }
      return into;
    },
    [Symbol.dispose]() {
      if (file === undefined) return;
      closeSync(file);
      file = undefined;
    },
  };
}

/** A function that writes the bytes of one row as float32 into an array at an offset. */
function converter(dtype: WeightSource['dtype'], row: Uint8Array, width: number): (into: Float32Array, at: number) => void {
  switch (dtype) {
    case 'float32': {
      const floats = new Float32Array(row.buffer);
      return (into, at) => into.set(floats, at);
    }
    case 'float16': {
      const halves = new Uint16Array(row.buffer);
      return (into, at) => float16ToFloat32(halves, into.subarray(at, at + width));
    }
    case 'bfloat16': {
      const halves = new Uint16Array(row.buffer);
      return (into, at) => bfloat16ToFloat32(halves, into.subarray(at, at + width));
    }
  }
}
