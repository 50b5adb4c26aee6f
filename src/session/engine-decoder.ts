// The decoder of an engine: opened with no more outputs than its streams' memory methods need, and again when one needs more.
import { Decoder, type DecoderOptions } from '../language/decoder.ts';
import type { ExtraOutputs } from '../language/layer-graph.ts';
import type { MemoryNeed } from '../memory/method.ts';
import type { Memory } from '../memory/stage.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';

/** Holds one open decoder at a time. */
export class EngineDecoder implements AsyncDisposable {
  readonly #open: (extra: ExtraOutputs) => Promise<Decoder>;
  #current: Decoder;
  #extra: ExtraOutputs;

  private constructor(open: (extra: ExtraOutputs) => Promise<Decoder>, current: Decoder, extra: ExtraOutputs) {
    this.#open = open;
    this.#current = current;
    this.#extra = extra;
  }

  static async open(spec: DecoderSpec, packed: PackedDecoder, options: Omit<DecoderOptions, 'extra'>): Promise<EngineDecoder> {
    const open = (extra: ExtraOutputs) => Decoder.open(spec, packed, { ...options, extra });
    // A model with a DMC adapter is there to be used with it.
    const extra: ExtraOutputs = { attention: false, rawKeys: packed.decisions?.kind === 'dmc' };
    return new EngineDecoder(open, await open(extra), extra);
  }

  /** Valid until the next `provide`. */
  get decoder(): Decoder {
    return this.#current;
  }

  /**
   * Sees to it that the decoder gives what a memory's method needs. Not while the decoder is at work.
   * @throws UserError when the method needs an adapter that the model was not opened with
   */
  async provide(memory: Memory): Promise<void> {
    await this.#provide(memory.needs);
    this.#current.check(memory);
  }

  async #provide(needs: readonly MemoryNeed[]): Promise<void> {
    const extra: ExtraOutputs = { attention: this.#extra.attention || needs.includes('attention'), rawKeys: this.#extra.rawKeys || needs.includes('raw-keys') };
    if (extra.attention === this.#extra.attention && extra.rawKeys === this.#extra.rawKeys) return;
    const opened = await this.#open(extra);
    const before = this.#current;
    this.#current = opened;
    this.#extra = extra;
    await before[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current[Symbol.asyncDispose]();
  }
}
