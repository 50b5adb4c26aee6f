// Chunks through all layers in one run, for memories that do nothing between layers: looks are taken before the run, keys and values written after it.
import type { DecoderSpec } from '../models/contract.ts';
import type { LayerChunk } from '../memory/contract.ts';
import type { Memory } from '../memory/stage.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';
import { openOnnx, Tensor, type OnnxModel } from '../runtime/onnx.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { LogitRows, Pass } from './pass.ts';
import { bodyGraph, tailGraph } from './whole-graph.ts';

/** New keys of all layers, as the graph gives them. Values go where they will stay. */
interface NewKeys {
  /** float32 [L, H, T, D] */
  readonly data: Float32Array;
  /** float32 [1, H, T, D] by layer. */
  readonly tensors: readonly Tensor[];
}

export class WholePass implements Pass {
  readonly #spec: DecoderSpec;
  readonly #body: OnnxModel;
  readonly #tail: OnnxModel;
  readonly #buffers: ChunkBuffers;
  readonly #logits: Tensor;
  readonly #names: readonly (readonly { readonly keys: string; readonly values: string; readonly bias: string; readonly newValues: string }[])[];
  readonly #newKeyNames: readonly string[];
  readonly #one: NewKeys;
  readonly #zero = new Tensor('float32', new Float32Array(1), [1, 1]);

  private constructor(spec: DecoderSpec, body: OnnxModel, tail: OnnxModel, buffers: ChunkBuffers) {
    this.#spec = spec;
    this.#body = body;
    this.#tail = tail;
    this.#buffers = buffers;
    this.#logits = new Tensor('float32', new Float32Array(spec.vocabulary), [1, spec.vocabulary]);
    this.#names = Array.from({ length: spec.layers }, (_, l) => Array.from({ length: spec.kvHeads }, (__, h) => ({ keys: `keys${l}_${h}`, values: `values${l}_${h}`, bias: `bias${l}_${h}`, newValues: `newValues${l}_${h}` })));
    this.#newKeyNames = Array.from({ length: spec.layers }, (_, l) => `newKeys${l}`);
    this.#one = this.#room(1);
  }

  static async open(spec: DecoderSpec, packed: PackedDecoder, buffers: ChunkBuffers, threads: number): Promise<WholePass> {
    const body = await openOnnx(bodyGraph(spec, packed).encode(), { threads, arena: false });
    try {
      return new WholePass(spec, body, await openOnnx(tailGraph(spec, packed).encode(), { threads, arena: false }), buffers);
    } catch (error) {
      await body[Symbol.asyncDispose]();
      throw error;
    }
  }

  async run(memory: Memory, count: number, logits: LogitRows, signal: AbortSignal | undefined): Promise<Float32Array | undefined> {
    const { layers, kvHeads, headWidth } = this.#spec;
    const buffers = this.#buffers.of(count);
    const newKeys = count === 1 ? this.#one : this.#room(count);
    const mask = this.#mask(memory, count);
    const feeds: Record<string, Tensor> = { x: buffers.hidden(0), cos: buffers.cos, sin: buffers.sin, mask };
    const into: Record<string, Tensor> = { hidden: buffers.hidden(2), queries: buffers.groupedQueries };
    for (let layer = 0; layer < layers; layer++) {
      if (layer < layers - 1) this.#look(memory, layer, count, feeds);
      into[this.#newKeyNames[layer]!] = newKeys.tensors[layer]!;
      for (let h = 0; h < kvHeads; h++) into[this.#names[layer]![h]!.newValues] = new Tensor('float32', this.#newValues(memory, layer, h, count), [1, 1, count, headWidth]);
    }
    await this.#body.run(feeds, into);
    signal?.throwIfAborted();
    const result = logits === 'none' ? undefined : await this.#scores(memory, count, newKeys, mask, logits);
    for (let layer = 0; layer < layers; layer++) memory.write(layer, this.#chunk(memory, newKeys, layer, count));
    memory.end();
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#body[Symbol.asyncDispose](), this.#tail[Symbol.asyncDispose]()]);
  }

  /** What the heads of a layer look at, as graph inputs. */
  #look(memory: Memory, layer: number, count: number, feeds: Record<string, Tensor>): void {
    const { kvHeads, headWidth } = this.#spec;
    for (let h = 0; h < kvHeads; h++) {
      const { slots, slotBias } = memory.look(layer, h);
      const { keys, values, length } = slots;
      const names = this.#names[layer]![h]!;
      feeds[names.keys] = new Tensor('float32', keys.subarray(0, length * headWidth), [length, headWidth]);
      feeds[names.values] = new Tensor('float32', values.subarray(0, (length + count) * headWidth), [length + count, headWidth]);
      feeds[names.bias] = slotBias ? new Tensor('float32', slotBias, [1, length]) : this.#zero;
    }
  }

  /** float32 [T, D]: where the chunk's values of a head will stay. Room for them is there since the chunk was begun. */
  #newValues(memory: Memory, layer: number, kvHead: number, count: number): Float32Array {
    const { values, length } = memory.store.head(layer, kvHead);
    return values.subarray(length * this.#spec.headWidth, (length + count) * this.#spec.headWidth);
  }

  /** What the chunk's tokens see of each other: those before them, each for as many tokens as it stands for. */
  #mask(memory: Memory, count: number): Tensor {
    const bias = memory.chunkBias();
    if (count === 1) return bias ? new Tensor('float32', bias, [1, 1]) : this.#zero;
    const rows = (this.#spec.queryHeads / this.#spec.kvHeads) * count;
    const data = new Float32Array(rows * count);
    for (let row = 0, at = 0; row < rows; row++, at += count) {
      const seen = (row % count) + 1;
      if (bias) data.set(bias.subarray(0, seen), at);
      data.fill(-Infinity, at + seen, at + count);
    }
    return new Tensor('float32', data, [rows, count]);
  }

  async #scores(memory: Memory, count: number, newKeys: NewKeys, mask: Tensor, wanted: 'last' | 'all'): Promise<Float32Array> {
    const { layers, vocabulary } = this.#spec;
    const buffers = this.#buffers.of(count);
    const rows = wanted === 'all' ? BigInt64Array.from({ length: count }, (_, t) => BigInt(t)) : BigInt64Array.of(BigInt(count - 1));
    const feeds: Record<string, Tensor> = { x: buffers.hidden(2), queries: buffers.groupedQueries, newKeys: newKeys.tensors[layers - 1]!, mask, rows: new Tensor('int64', rows, [rows.length]) };
    this.#look(memory, layers - 1, count, feeds);
    const logits = wanted === 'all' ? new Tensor('float32', new Float32Array(count * vocabulary), [count, vocabulary]) : this.#logits;
    await this.#tail.run(feeds, { logits });
    return logits.data as Float32Array;
  }

  #room(count: number): NewKeys {
    const { layers, kvHeads, headWidth } = this.#spec;
    const part = kvHeads * count * headWidth;
    const data = new Float32Array(layers * part);
    return { data, tensors: Array.from({ length: layers }, (_, l) => new Tensor('float32', data.subarray(l * part, (l + 1) * part), [1, kvHeads, count, headWidth])) };
  }

  /** One layer's keys and values in the order in which memories take them. */
  #chunk(memory: Memory, newKeys: NewKeys, layer: number, count: number): LayerChunk {
    const { kvHeads, headWidth } = this.#spec;
    const { keys, values } = this.#buffers.of(count).made(1);
    const part = count * headWidth;
    for (let h = 0; h < kvHeads; h++) {
      const headKeys = newKeys.data.subarray((layer * kvHeads + h) * part, (layer * kvHeads + h + 1) * part);
      const headValues = this.#newValues(memory, layer, h, count);
      for (let t = 0, from = 0; t < count; t++) {
        for (let d = 0, to = (t * kvHeads + h) * headWidth; d < headWidth; d++, from++, to++) {
          keys[to] = headKeys[from]!;
          values[to] = headValues[from]!;
        }
      }
    }
    return { keys, values, queries: noQueries };
  }
}

/** Only methods that act between layers look at queries. */
const noQueries = new Float32Array(0);
