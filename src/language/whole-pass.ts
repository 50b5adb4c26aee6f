// Chunks through all layers in one run, for memories that do nothing between layers: looks are taken before the run, keys and values written after it.
import type { DecoderSpec } from '../models/contract.ts';
import type { LayerChunk } from '../memory/contract.ts';
import type { Memory } from '../memory/stage.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';
import { binding, openOnnx, type Binding, type OnnxModel } from '../runtime/onnx.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { LogitRows, Pass } from './pass.ts';
import { bodyGraph, tailGraph } from './whole-graph.ts';

/** What a graph binds for heads that it attends over. */
interface HeadFeeds {
  /** First head and the one after the last, counted through all layers. */
  readonly from: number;
  readonly to: number;
  readonly feeds: Record<string, Binding>;
  /** Of heads whose slots stand for a token each. */
  readonly noBias: Readonly<Record<'bias' | 'biasWidths', Binding>>;
}

export class WholePass implements Pass {
  readonly #spec: DecoderSpec;
  readonly #body: OnnxModel;
  readonly #tail: OnnxModel;
  readonly #buffers: ChunkBuffers;
  readonly #logits: Binding & { readonly data: Float32Array };
  /** [L · H]. Bindings are made once and turned to the slots before each run: hundreds of new ones a token would take longer. */
  readonly #heads: readonly Readonly<Record<'keys' | 'values' | 'newValues', Binding>>[];
  readonly #bodyFeeds: HeadFeeds;
  readonly #tailFeeds: HeadFeeds;
  readonly #bodyInto: Record<string, Binding> = {};
  /** float32 [L, H, 1, D] */
  readonly #oneKey: Float32Array;
  readonly #zero = binding(new Float32Array(1), [1, 1]);

  private constructor(spec: DecoderSpec, body: OnnxModel, tail: OnnxModel, buffers: ChunkBuffers) {
    const { layers, kvHeads, headWidth, vocabulary } = spec;
    this.#spec = spec;
    this.#body = body;
    this.#tail = tail;
    this.#buffers = buffers;
    this.#logits = binding(new Float32Array(vocabulary), [1, vocabulary]);
    this.#oneKey = new Float32Array(layers * kvHeads * headWidth);
    const nothing = new Float32Array(0);
    this.#heads = Array.from({ length: layers * kvHeads }, () => ({ keys: binding(nothing, []), values: binding(nothing, []), newValues: binding(nothing, []) }));
    const name = (i: number) => `${Math.floor(i / kvHeads)}_${i % kvHeads}`;
    const feedsOf = (from: number, to: number): HeadFeeds => ({
      from,
      to,
      feeds: Object.fromEntries(this.#heads.slice(from, to).flatMap(({ keys, values }, i) => [[`keys${name(from + i)}`, keys], [`values${name(from + i)}`, values]])),
      noBias: { bias: binding(new Float32Array(to - from), [1, to - from]), biasWidths: binding(new BigInt64Array(to - from).fill(1n), [to - from]) },
    }); // prettier-ignore
    this.#bodyFeeds = feedsOf(0, (layers - 1) * kvHeads);
    this.#tailFeeds = feedsOf((layers - 1) * kvHeads, layers * kvHeads);
    for (const [i, { newValues }] of this.#heads.entries()) this.#bodyInto[`newValues${name(i)}`] = newValues;
  }

  static async open(spec: DecoderSpec, packed: PackedDecoder, buffers: ChunkBuffers, threads: number): Promise<WholePass> {
    const options = { threads, arena: false };
    const body = await openOnnx(bodyGraph(spec, packed).encode(), options);
    try {
      return new WholePass(spec, body, await openOnnx(tailGraph(spec, packed).encode(), options), buffers);
    } catch (error) {
      await body[Symbol.asyncDispose]();
      throw error;
    }
  }

  async run(memory: Memory, count: number, logits: LogitRows, signal: AbortSignal | undefined): Promise<Float32Array | undefined> {
    const { layers, kvHeads, headWidth } = this.#spec;
    const buffers = this.#buffers.of(count);
    const newKeys = count === 1 ? this.#oneKey : new Float32Array(layers * kvHeads * count * headWidth);
    const mask = this.#mask(memory, count);
    this.#bindNewValues(memory, count);
    const into = this.#bodyInto;
    into['hidden'] = buffers.hidden(2);
    into['queries'] = buffers.groupedQueries;
    into['newKeys'] = binding(newKeys, [layers, kvHeads, count, headWidth]);
    await this.#body.fill(this.#look(memory, this.#bodyFeeds, count, { x: buffers.hidden(0), cos: buffers.cos, sin: buffers.sin, mask }), into);
    signal?.throwIfAborted();
    const result = logits === 'none' ? undefined : await this.#scores(memory, count, newKeys, mask, logits);
    for (let layer = 0; layer < layers; layer++) memory.write(layer, this.#chunk(memory, newKeys, layer, count));
    memory.end();
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#body[Symbol.asyncDispose](), this.#tail[Symbol.asyncDispose]()]);
  }

  /** Turns bindings to where the chunk's values will stay. Room for them is there since the chunk was begun. */
  #bindNewValues(memory: Memory, count: number): void {
    const { headWidth } = this.#spec;
    const dims = [1, 1, count, headWidth];
    for (const [i, { newValues }] of this.#heads.entries()) {
      const { values, length } = memory.store.heads[i]!;
      newValues.data = values.subarray(length * headWidth, (length + count) * headWidth);
      newValues.dims = dims;
    }
  }

  /** What heads look at, as graph inputs, beside others. */
  #look(memory: Memory, { from, to, feeds, noBias }: HeadFeeds, count: number, others: Readonly<Record<string, Binding>>): Readonly<Record<string, Binding>> {
    const { kvHeads, headWidth } = this.#spec;
    const biases: (Float32Array | undefined)[] = [];
    for (let i = from; i < to; i++) {
      const { slots, slotBias } = memory.look(Math.floor(i / kvHeads), i % kvHeads);
      const { keys, values } = this.#heads[i]!;
      keys.data = slots.keys;
      keys.dims = [slots.length, headWidth];
      values.data = slots.values;
      values.dims = [slots.length + count, headWidth];
      biases.push(slotBias);
    }
    return Object.assign(feeds, biases.some((bias) => bias) ? this.#bias(biases) : noBias, others);
  }

  /** Biases of heads after each other, a zero where there is none. */
  #bias(biases: readonly (Float32Array | undefined)[]): Readonly<Record<'bias' | 'biasWidths', Binding>> {
    const widths = biases.map((bias) => bias?.length ?? 1);
    const data = new Float32Array(widths.reduce((sum, width) => sum + width, 0));
    for (let i = 0, at = 0; i < biases.length; at += widths[i++]!) if (biases[i]) data.set(biases[i]!, at);
    return { bias: binding(data, [1, data.length]), biasWidths: binding(BigInt64Array.from(widths, BigInt), [widths.length]) };
  }

  /** What the chunk's tokens see of each other: those before them, each for as many tokens as it stands for. */
  #mask(memory: Memory, count: number): Binding {
    const bias = memory.chunkBias();
    if (count === 1) return bias ? binding(bias, [1, 1]) : this.#zero;
    const rows = (this.#spec.queryHeads / this.#spec.kvHeads) * count;
    const data = new Float32Array(rows * count);
    for (let row = 0, at = 0; row < rows; row++, at += count) {
      const seen = (row % count) + 1;
      if (bias) data.set(bias.subarray(0, seen), at);
      data.fill(-Infinity, at + seen, at + count);
    }
    return binding(data, [rows, count]);
  }

  async #scores(memory: Memory, count: number, newKeys: Float32Array, mask: Binding, wanted: 'last' | 'all'): Promise<Float32Array> {
    const { layers, kvHeads, headWidth, vocabulary } = this.#spec;
    const buffers = this.#buffers.of(count);
    const rows = wanted === 'all' ? BigInt64Array.from({ length: count }, (_, t) => BigInt(t)) : BigInt64Array.of(BigInt(count - 1));
    const lastKeys = binding(newKeys.subarray((layers - 1) * kvHeads * count * headWidth), [1, kvHeads, count, headWidth]);
    const logits = wanted === 'all' ? binding(new Float32Array(count * vocabulary), [count, vocabulary]) : this.#logits;
    await this.#tail.fill(this.#look(memory, this.#tailFeeds, count, { x: buffers.hidden(2), queries: buffers.groupedQueries, newKeys: lastKeys, mask, rows: binding(rows, [rows.length]) }), { logits });
    return logits.data;
  }

  /** One layer's keys and values in the order in which memories take them. */
  #chunk(memory: Memory, newKeys: Float32Array, layer: number, count: number): LayerChunk {
    const { kvHeads, headWidth } = this.#spec;
    const { keys, values } = this.#buffers.of(count).made(1);
    const part = count * headWidth;
    for (let h = 0; h < kvHeads; h++) {
      const headKeys = newKeys.subarray((layer * kvHeads + h) * part, (layer * kvHeads + h + 1) * part);
      const slots = memory.store.head(layer, h);
      const headValues = slots.values.subarray(slots.length * headWidth, (slots.length + count) * headWidth);
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
