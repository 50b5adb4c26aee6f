// Buffers of a chunk: what the graphs of a decoder hand to each other, allocated once and viewed at the size of the chunk.
import type { LayerChunk } from '../memory/contract.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecisions } from '../models/packed/contract.ts';
import { binding, type Binding } from '../runtime/onnx.ts';
import type { ExtraOutputs } from './layer-graph.ts';

/** Tensors for chunks of one size. Graph i reads `hidden(i)` and `queries(i)` and writes `hidden(i + 1)` and `queries(i + 1)`. */
export interface ChunkTensors {
  hidden(index: number): Binding;
  queries(index: number): Binding;
  /** float32 [T · Q/H, D]: the part of `queries(index)` that one KV head answers. */
  headQueries(index: number, kvHead: number): Binding;
  /** float32 [1, H, T · Q/H, D]: all queries, those of a KV head together. */
  readonly groupedQueries: Binding;
  readonly keys: Binding;
  readonly values: Binding;
  readonly rawKeys: Binding | undefined;
  /** float32 [T, H] each, of a model with a memory adapter; importances with one of DMC. */
  readonly decisions: Binding | undefined;
  readonly importances: Binding | undefined;
  readonly cos: Binding;
  readonly sin: Binding;
  /** What graph `index − 1` made for the memory. */
  made(index: number): LayerChunk;
  readonly cosData: Float32Array;
  readonly sinData: Float32Array;
}

/** Sizes whose tensors are kept: one token, whole chunks, and the sizes of frames and their rest. */
const sizesKept = 16;

export class ChunkBuffers {
  /** float32 [chunk, E]: hidden state before the first layer. */
  readonly input: Float32Array;
  readonly #make: (count: number) => ChunkTensors;
  readonly #known = new Map<number, ChunkTensors>();

  constructor({ width, queryHeads, kvHeads, headWidth }: DecoderSpec, chunkTokens: number, extra: ExtraOutputs, decisions: PackedDecisions['kind'] | undefined) {
    const floats = (columns: number) => new Float32Array(chunkTokens * columns);
    const queryWidth = queryHeads * headWidth;
    const keyWidth = kvHeads * headWidth;
    const half = headWidth / 2;
    // A graph's outputs must not lie on its inputs, so two buffers take turns.
    const hidden = [floats(width), floats(width)] as const;
    const queries = [floats(queryWidth), floats(queryWidth)] as const;
    const data = {
      keys: floats(keyWidth), values: floats(keyWidth), rawKeys: extra.rawKeys ? floats(keyWidth) : undefined,
      decisions: decisions && floats(kvHeads), importances: decisions === 'dmc' ? floats(kvHeads) : undefined, cos: floats(half), sin: floats(half),
    }; // prettier-ignore
    this.input = hidden[0];
    this.#make = (count) => {
      const tensor = (of: Float32Array, columns: number) => binding(of.subarray(0, count * columns), [count, columns]);
      const hiddenTensors = hidden.map((of) => tensor(of, width));
      const group = queryHeads / kvHeads;
      const queryTensors = queries.map((of) => binding(of.subarray(0, count * queryWidth), [kvHeads, count, group * headWidth]));
      const part = count * group * headWidth;
      const byHead = queries.map((of) => Array.from({ length: kvHeads }, (_, h) => binding(of.subarray(h * part, (h + 1) * part), [count * group, headWidth])));
      const made = queries.map((of): LayerChunk => ({
        keys: data.keys,
        values: data.values,
        ...(data.rawKeys && { rawKeys: data.rawKeys }),
        ...(data.decisions && { decisions: data.decisions }),
        ...(data.importances && { importances: data.importances }),
        queries: of,
      }));
      return {
        // The first graph only reads the hidden state: the second reads the same.
        hidden: (index) => hiddenTensors[Math.max(0, index - 1) & 1]!,
        queries: (index) => queryTensors[index & 1]!,
        headQueries: (index, kvHead) => byHead[index & 1]![kvHead]!,
        groupedQueries: binding(queries[1].subarray(0, count * queryWidth), [1, kvHeads, count * group, headWidth]),
        keys: binding(data.keys.subarray(0, count * keyWidth), [1, count, keyWidth]),
        values: tensor(data.values, keyWidth),
        rawKeys: data.rawKeys && tensor(data.rawKeys, keyWidth),
        decisions: data.decisions && tensor(data.decisions, kvHeads),
        importances: data.importances && tensor(data.importances, kvHeads),
        cos: tensor(data.cos, half),
        sin: tensor(data.sin, half),
        made: (index) => made[index & 1]!,
        cosData: data.cos,
        sinData: data.sin,
      };
    };
  }

  /** Tensors for a chunk of `count` tokens. */
  of(count: number): ChunkTensors {
    let tensors = this.#known.get(count);
    if (tensors === undefined) {
      if (this.#known.size >= sizesKept) this.#known.delete([...this.#known.keys()].find((size) => size !== 1)!);
      tensors = this.#make(count);
      this.#known.set(count, tensors);
    }
    return tensors;
  }
}
