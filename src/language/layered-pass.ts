// Chunks through the layers one by one: what the memory does with a layer's keys and values comes before its queries look.
import type { DecoderSpec } from '../models/contract.ts';
import type { Memory } from '../memory/stage.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';
import { binding, openOnnx, type Binding, type OnnxModel } from '../runtime/onnx.ts';
import { AttentionBias } from './attention-bias.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import { headGraph, layerGraph, type ExtraOutputs } from './layer-graph.ts';
import type { LogitRows, Pass } from './pass.ts';

export class LayeredPass implements Pass {
  readonly #spec: DecoderSpec;
  readonly #layers: readonly OnnxModel[];
  readonly #head: OnnxModel;
  readonly #buffers: ChunkBuffers;
  readonly #bias: AttentionBias;
  readonly #logits: Binding;

  private constructor(spec: DecoderSpec, layers: readonly OnnxModel[], head: OnnxModel, buffers: ChunkBuffers) {
    this.#spec = spec;
    this.#layers = layers;
    this.#head = head;
    this.#buffers = buffers;
    this.#bias = new AttentionBias(spec);
    this.#logits = binding(new Float32Array(spec.vocabulary), [1, spec.vocabulary]);
  }

  static async open(spec: DecoderSpec, packed: PackedDecoder, buffers: ChunkBuffers, extra: ExtraOutputs, threads: number): Promise<LayeredPass> {
    const open: OnnxModel[] = [];
    try {
      // One by one: a graph's bytes are gone before the next is built.
      for (let i = 0; i <= spec.layers; i++) open.push(await openOnnx(layerGraph(spec, packed, i, extra).encode(), { threads, arena: false }));
      return new LayeredPass(spec, open, await openOnnx(headGraph(spec, packed).encode(), { threads, arena: false }), buffers);
    } catch (error) {
      await Promise.all(open.map((model) => model[Symbol.asyncDispose]()));
      throw error;
    }
  }

  async run(memory: Memory, count: number, logits: LogitRows, signal: AbortSignal | undefined): Promise<Float32Array | undefined> {
    const { layers, kvHeads } = this.#spec;
    const buffers = this.#buffers.of(count);
    this.#bias.begin(count);
    const received = memory.needs.includes('attention') ? new Array<Float32Array>(layers * kvHeads) : undefined;
    // The last layer's queries are of use only where logits are wanted; its keys and values always.
    const last = logits === 'none' && !received ? layers - 1 : layers;
    for (let i = 0; i <= last; i++) {
      signal?.throwIfAborted();
      const feeds: Record<string, Binding> = { x: buffers.hidden(i) };
      const into: Record<string, Binding> = {};
      if (i > 0) {
        for (let h = 0; h < kvHeads; h++) feeds[names.queries[h]!] = buffers.headQueries(i, h);
        this.#slots(memory, i - 1, feeds);
        if (received) this.#receive(received, i - 1, feeds, into);
        into['hidden'] = buffers.hidden(i + 1);
      }
      if (i < layers) {
        feeds['cos'] = buffers.cos;
        feeds['sin'] = buffers.sin;
        into['queries'] = buffers.queries(i + 1);
        into['keys'] = buffers.keys;
        into['values'] = buffers.values;
        if (buffers.rawKeys) into['rawKeys'] = buffers.rawKeys;
        if (buffers.decisions) into['decisions'] = buffers.decisions;
        if (buffers.importances) into['importances'] = buffers.importances;
      }
      await this.#layers[i]!.fill(feeds, into);
      if (i < layers) memory.write(i, buffers.made(i + 1));
    }
    const result = logits === 'none' ? undefined : await this.#scores(buffers.hidden(layers + 1), count, logits);
    memory.end(received && (({ layer, kvHead }) => received[layer * kvHeads + kvHead]!));
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#layers, this.#head].map((model) => model[Symbol.asyncDispose]()));
  }

  /** What the heads of a layer look at, as graph inputs. */
  #slots(memory: Memory, layer: number, feeds: Record<string, Binding>): void {
    const { kvHeads, headWidth } = this.#spec;
    for (let h = 0; h < kvHeads; h++) {
      const look = memory.look(layer, h);
      const { keys, values, length } = look.slots;
      const dims = [length, headWidth];
      feeds[names.keys[h]!] = binding(keys.subarray(0, length * headWidth), dims);
      feeds[names.values[h]!] = binding(values.subarray(0, length * headWidth), dims);
      feeds[names.bias[h]!] = this.#bias.of(h, look);
    }
  }

  /** Room for the attention that the slots of a layer receive. */
  #receive(received: Float32Array[], layer: number, feeds: Record<string, Binding>, into: Record<string, Binding>): void {
    for (let h = 0; h < this.#spec.kvHeads; h++) {
      const slots = feeds[names.keys[h]!]!.dims[0]!;
      const data = new Float32Array(slots);
      received[layer * this.#spec.kvHeads + h] = data;
      into[`attention${h}`] = binding(data, [slots]);
    }
  }

  async #scores(hidden: Binding, count: number, rows: 'last' | 'all'): Promise<Float32Array> {
    const { width, vocabulary } = this.#spec;
    if (rows === 'all') {
      const logits = new Float32Array(count * vocabulary);
      await this.#head.fill({ x: hidden }, { logits: binding(logits, [count, vocabulary]) });
      return logits;
    }
    const x = count === 1 ? hidden : binding((hidden.data as Float32Array).subarray((count - 1) * width, count * width), [1, width]);
    await this.#head.fill({ x }, { logits: this.#logits });
    return this.#logits.data as Float32Array;
  }
}

/** Names of graph inputs by head, made once. */
const names = {
  queries: Array.from({ length: 256 }, (_, h) => `queries${h}`),
  keys: Array.from({ length: 256 }, (_, h) => `keys${h}`),
  values: Array.from({ length: 256 }, (_, h) => `values${h}`),
  bias: Array.from({ length: 256 }, (_, h) => `bias${h}`),
};
