// The decoder of an engine: opened with no more outputs than its streams' memory methods need, and again when one needs more.
import { Decoder, type DecoderOptions } from '../language/decoder.ts';
import type { ExtraOutputs } from '../language/layer-graph.ts';
import type { Memory } from '../memory/stage.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';

/** What a decoder is opened for. */
type Wanted = Required<Pick<DecoderOptions, 'layered'>> & { readonly extra: ExtraOutputs };

type Needs = Pick<Memory, 'needs' | 'actsBetweenLayers'>;

function wantedFor({ needs, actsBetweenLayers }: Needs): Wanted {
  return { extra: { attention: needs.includes('attention'), rawKeys: needs.includes('raw-keys') }, layered: actsBetweenLayers || needs.length > 0 };
}

/** Holds one open decoder at a time. */
export class EngineDecoder implements AsyncDisposable {
  readonly #open: (wanted: Wanted) => Promise<Decoder>;
  #current: Decoder;
  #wanted: Wanted;
  /** Whether a memory was provided for; until then the decoder is what was expected. */
  #isUsed = false;

  private constructor(open: (wanted: Wanted) => Promise<Decoder>, current: Decoder, wanted: Wanted) {
    this.#open = open;
    this.#current = current;
    this.#wanted = wanted;
  }

  /** @param expected what the first memory will need, most likely */
  static async open(spec: DecoderSpec, packed: PackedDecoder, options: Omit<DecoderOptions, 'extra' | 'layered'>, expected: Needs): Promise<EngineDecoder> {
    const open = (wanted: Wanted) => Decoder.open(spec, packed, { ...options, ...wanted });
    const wanted = wantedFor(expected);
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

  async #provide(memory: Memory): Promise<void> {
    const own = wantedFor(memory);
    const { extra, layered } = this.#wanted;
    // Other streams go on with what they were given.
    const wanted = this.#isUsed ? { extra: { attention: extra.attention || own.extra.attention, rawKeys: extra.rawKeys || own.extra.rawKeys }, layered: layered || own.layered } : own;
    this.#isUsed = true;
    if (wanted.extra.attention === extra.attention && wanted.extra.rawKeys === extra.rawKeys && wanted.layered === layered) return;
    const before = this.#current;
    this.#current = await this.#open(wanted);
    this.#wanted = wanted;
    await before[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current[Symbol.asyncDispose]();
  }
}
