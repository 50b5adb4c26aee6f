// The decoder: chunks of tokens through all layers, over the slots of a memory; logits on the rows that are asked for.
import { UserError } from '../core/errors.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';
import type { Stretch, TokenOrigin } from '../memory/contract.ts';
import type { Memory } from '../memory/stage.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import type { ExtraOutputs } from './layer-graph.ts';
import { LayeredPass } from './layered-pass.ts';
import type { LogitRows, Pass } from './pass.ts';
import { WholePass } from './whole-pass.ts';

/** Tokens that follow each other: ids of text, or visual tokens as the projector made them. */
export type Piece =
  | { readonly kind: 'ids'; readonly ids: ArrayLike<number>; readonly origin: TokenOrigin }
  /** `data` is float32 [T, E]. */
  | { readonly kind: 'embeddings'; readonly data: Float32Array; readonly origin: TokenOrigin };

export interface DecoderOptions {
  readonly threads: number;
  /** Tokens that go through the layers at once, at most. Results do not depend on it. Default 128. */
  readonly chunkTokens?: number;
  /** Extra outputs, for memory methods that need them. */
  readonly extra?: Partial<ExtraOutputs>;
  /** Opens the graphs for memories that act between layers at once. Otherwise the first such memory opens them, beside the others. Default: where `extra` asks for something. */
  readonly layered?: boolean;
}

export interface PrefillOptions {
  /** Rows of logits wanted: none (cheapest), the last token's, or every token's. Default `last`. */
  readonly logits?: LogitRows;
  readonly signal?: AbortSignal;
}

interface Chunk {
  readonly stretches: Stretch[];
  /** Piece, first token and count of each stretch. */
  readonly parts: { readonly piece: Piece; readonly from: number; readonly count: number }[];
  tokens: number;
}

/** A decoder ready to run. One call at a time; any number of memories. */
export class Decoder implements AsyncDisposable {
  readonly spec: DecoderSpec;
  readonly #packed: PackedDecoder;
  readonly #buffers: ChunkBuffers;
  readonly #chunkTokens: number;
  readonly #extra: ExtraOutputs;
  readonly #openLayered: () => Promise<Pass>;
  /** For memories that do nothing between layers. */
  readonly #whole: Pass | undefined;
  #layered: Pass | undefined;
  readonly #ids = [0];
  #busy = false;
  #closed = false;

  private constructor(spec: DecoderSpec, packed: PackedDecoder, buffers: ChunkBuffers, passes: { readonly whole: Pass | undefined; readonly layered: Pass | undefined }, openLayered: () => Promise<Pass>, chunkTokens: number, extra: ExtraOutputs) {
    this.spec = spec;
    this.#packed = packed;
    this.#chunkTokens = chunkTokens;
    this.#extra = extra;
    this.#buffers = buffers;
    this.#whole = passes.whole;
    this.#layered = passes.layered;
    this.#openLayered = openLayered;
  }

  /** Builds the graphs and hands their weights to ONNX Runtime. */
  static async open(spec: DecoderSpec, packed: PackedDecoder, { threads, chunkTokens = 128, extra, layered }: DecoderOptions): Promise<Decoder> {
    if (!(Number.isInteger(chunkTokens) && chunkTokens > 0)) throw new UserError('CHUNK_TOKENS', { what: 'wrong chunk size', got: String(chunkTokens), expected: 'an integer above 0' });
    const outputs: ExtraOutputs = { attention: false, rawKeys: false, ...extra };
    const buffers = new ChunkBuffers(spec, chunkTokens, outputs, packed.decisions?.kind);
    const openLayered = () => LayeredPass.open(spec, packed, buffers, outputs, threads);
    // What only graphs of single layers give.
    const needsLayers = layered ?? (outputs.attention || outputs.rawKeys);
    const passes = needsLayers || packed.decisions ? { whole: undefined, layered: await openLayered() } : { whole: await WholePass.open(spec, packed, buffers, threads), layered: undefined };
    return new Decoder(spec, packed, buffers, passes, openLayered, chunkTokens, outputs);
  }

  /**
   * Puts tokens into the memory, in chunks.
   * @returns float32 [V] for `last`: valid until the next call. float32 [T, V] for `all`. Nothing for `none`.
   * @throws CapacityError when the memory cannot take them; earlier chunks stay. The signal's reason when aborted, the same.
   */
  async prefill(memory: Memory, pieces: readonly Piece[], options: PrefillOptions & { readonly logits: 'none' }): Promise<undefined>;
  async prefill(memory: Memory, pieces: readonly Piece[], options?: PrefillOptions & { readonly logits?: 'last' | 'all' }): Promise<Float32Array>;
  async prefill(memory: Memory, pieces: readonly Piece[], { logits = 'last', signal }: PrefillOptions = {}): Promise<Float32Array | undefined> {
    const chunks = this.#chunks(pieces, memory.joinsFrames);
    if (chunks.length === 0 && logits !== 'none') throw new UserError('NO_TOKENS', { what: 'no tokens to predict from', expected: 'at least one' });
    this.#enter(memory);
    try {
      const rows: Float32Array[] = [];
      for (const [i, chunk] of chunks.entries()) {
        this.#embed(chunk);
        const wanted = logits === 'all' ? 'all' : logits === 'last' && i === chunks.length - 1 ? 'last' : 'none';
        const result = await this.#run(memory, chunk.stretches, chunk.tokens, wanted, signal);
        if (result && logits === 'all') rows.push(result);
        else if (result) return result;
      }
      return logits === 'all' ? joined(rows) : undefined;
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Puts one token into the memory and predicts the next.
   * @returns float32 [V]: valid until the next call
   */
  async step(memory: Memory, token: number, origin: TokenOrigin, signal?: AbortSignal): Promise<Float32Array> {
    this.#enter(memory);
    try {
      this.#ids[0] = token;
      this.#packed.embedding.rows(this.#ids, this.#buffers.input);
      return (await this.#run(memory, [{ count: 1, origin }], 1, 'last', signal))!;
    } finally {
      this.#busy = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#whole?.[Symbol.asyncDispose]();
    await this.#layered?.[Symbol.asyncDispose]();
  }

  #enter(memory: Memory): void {
    if (this.#closed) throw new UserError('DECODER_CLOSED', { what: 'the decoder is closed' });
    if (this.#busy) throw new UserError('DECODER_BUSY', { what: 'the decoder is at work', expected: 'one call at a time' });
    this.check(memory);
    this.#busy = true;
  }

  /** @throws UserError when the memory's method needs what this decoder does not give */
  check(memory: Memory): void {
    const { needs, adapter } = memory;
    const has = this.#packed.decisions?.kind;
    if (adapter !== undefined && adapter !== has) {
      throw new UserError('ADAPTER_NEEDED', { what: `memory method ${memory.methodName} needs a model opened with a ${adapter} adapter`, got: has ? `one with a ${has} adapter` : 'one without', todo: 'open the model with such an adapter (--adapter), or choose another memory method' });
    }
    const missing = [needs.includes('attention') && !this.#extra.attention && 'attention', needs.includes('raw-keys') && !this.#extra.rawKeys && 'rawKeys'].filter(Boolean);
    if (missing.length > 0) {
      throw new UserError('DECODER_OUTPUTS', { what: `memory method ${memory.methodName} needs what this decoder does not give`, got: 'a decoder opened without it', expected: `extra: { ${missing.join(', ')} } at Decoder.open` });
    }
  }

  async #run(memory: Memory, stretches: readonly Stretch[], count: number, logits: LogitRows, signal: AbortSignal | undefined): Promise<Float32Array | undefined> {
    signal?.throwIfAborted();
    const pass = this.#whole && !memory.actsBetweenLayers ? this.#whole : (this.#layered ??= await this.#openLayered());
    memory.begin(stretches);
    try {
      const buffers = this.#buffers.of(count);
      memory.rotations(buffers.cosData, buffers.sinData);
      return await pass.run(memory, count, logits, signal);
    } catch (error) {
      memory.abort();
      throw error;
    }
  }

  /** Cuts pieces into chunks; where the memory acts at frames, a frame begins a chunk. */
  #chunks(pieces: readonly Piece[], joinsFrames: boolean): Chunk[] {
    const limit = this.#chunkTokens;
    const chunks: Chunk[] = [];
    let chunk: Chunk | undefined;
    let frame = -1;
    for (const piece of pieces) {
      const { origin } = piece;
      const length = piece.kind === 'ids' ? piece.ids.length : piece.data.length / this.spec.width;
      if (!Number.isInteger(length)) throw new UserError('EMBEDDINGS_SHAPE', { what: 'visual tokens of the wrong width', got: `${(piece as { data: Float32Array }).data.length} floats`, expected: `a multiple of ${this.spec.width}` });
      const ofFrame = origin.kind === 'visual' || origin.kind === 'wrap' ? origin.source : -1;
      if (!joinsFrames && ofFrame !== -1 && ofFrame !== frame) chunk = undefined;
      if (length > 0) frame = ofFrame;
      for (let from = 0; from < length; ) {
        if (chunk === undefined || chunk.tokens === limit) chunks.push((chunk = { stretches: [], parts: [], tokens: 0 }));
        const count = Math.min(length - from, limit - chunk.tokens);
        chunk.stretches.push({ count, origin: originAt(origin, from) });
        chunk.parts.push({ piece, from, count });
        chunk.tokens += count;
        from += count;
      }
    }
    return chunks;
  }

  #embed({ parts }: Chunk): void {
    const { width } = this.spec;
    const { input } = this.#buffers;
    let at = 0;
    for (const { piece, from, count } of parts) {
      if (piece.kind === 'embeddings') input.set(piece.data.subarray(from * width, (from + count) * width), at * width);
      else this.#packed.embedding.rows(Array.prototype.slice.call(piece.ids, from, from + count) as number[], input.subarray(at * width));
      at += count;
    }
  }
}

/** The origin of what follows the first `from` tokens. */
function originAt(origin: TokenOrigin, from: number): TokenOrigin {
  if (from === 0) return origin;
  const { firstPlace = 0, tokens } = origin;
  return { ...origin, firstPlace: firstPlace + from, gap: 0, ...(tokens && { tokens: tokens.subarray(from) }) };
}

function joined(rows: readonly Float32Array[]): Float32Array {
  if (rows.length === 1) return rows[0]!;
  const all = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}
