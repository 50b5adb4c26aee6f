// How a chunk goes through the layers of a decoder: one contract for the ways there are.
import type { Memory } from '../memory/stage.ts';

/** Rows of logits wanted of a chunk. */
export type LogitRows = 'none' | 'last' | 'all';

/** Graphs of a decoder, ready to run. */
export interface Pass extends AsyncDisposable {
  /**
   * Takes the chunk that lies in the buffers through all layers, between `begin` and `end` of the memory, which it calls itself at the end.
   * @param count tokens of the chunk
   * @returns float32 [V] for `last`: valid until the next call. float32 [T, V] for `all`. Nothing for `none`.
   */
  run(memory: Memory, count: number, logits: LogitRows, signal: AbortSignal | undefined): Promise<Float32Array | undefined>;
}
