// The decoder of an engine: opened with no more outputs than its streams' memory methods need, and again when one needs more.
import { Decoder, type DecoderOptions } from '../language/decoder.ts';
import type { ExtraOutputs } from '../language/layer-graph.ts';
import type { Memory } from '../memory/stage.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';

/** What a decoder is opened for. */
type Wanted = Required<Pick<DecoderOptions, 'layered'>> & { readonly extra: ExtraOutputs };

/** Holds one open decoder at a time. */
export class EngineDecoder implements AsyncDisposable {
  readonly #open: (wanted: Wanted) => Promise<Decoder>;
  #current: Decoder;
  #wanted: Wanted;

  private constructor(open: (wanted: Wanted) => Promise<Decoder>, current: Decoder, wanted: Wanted) {
    this.#open = open;
    this.#current = current;
    this.#wanted = wanted;
  }

  static async open(spec: DecoderSpec, packed: PackedDecoder, options: Omit<DecoderOptions, 'extra' | 'layered'>): Promise<EngineDecoder> {
    const open = (wanted: Wanted) => Decoder.open(spec, packed, { ...options, ...wanted });
    // A model with a DMC adapter is there to be used with it.
    const dmc = packed.decisions?.kind === 'dmc';
    const wanted: Wanted = { extra: { attention: false, rawKeys: dmc }, layered: packed.decisions !== undefined };
    return new EngineDecoder(open, await open(wanted), wanted);
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
    await this.#provide(memory);
    this.#current.check(memory);
  }

  async #provide({ needs, actsBetweenLayers }: Memory): Promise<void> {
    const { extra, layered } = this.#wanted;
    const wanted: Wanted = {
      extra: { attention: extra.attention || needs.includes('attention'), rawKeys: extra.rawKeys || needs.includes('raw-keys') },
      layered: layered || actsBetweenLayers || needs.length > 0,
    };
    if (wanted.extra.attention === extra.attention && wanted.extra.rawKeys === extra.rawKeys && wanted.layered === layered) return;
    const opened = await this.#open(wanted);
    const before = this.#current;
    this.#current = opened;
    this.#wanted = wanted;
    await before[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current[Symbol.asyncDispose]();
  }
}
