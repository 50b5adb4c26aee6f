// Generation: a prompt in, text out token by token, until a stop token, a stop string, the limit or an abort.
import { UserError } from '../core/errors.ts';
import type { TokenOrigin } from '../memory/contract.ts';
import type { Memory } from '../memory/stage.ts';
import type { Decoder, Piece } from './decoder.ts';
import { createDetokenizer } from './detokenizer.ts';
import { createSampler, type SamplingOptions } from './sampler.ts';
import { createStopFilter } from './stop-strings.ts';

export interface GenerateOptions {
  /** What the answer follows; not empty. */
  readonly prompt: readonly Piece[];
  /** Where the answer's tokens come from, as the memory records it. */
  readonly origin: TokenOrigin;
  /** Text of a list of ids, special tokens left out (`PromptFormat.decode`). */
  readonly decode: (ids: readonly number[]) => string;
  readonly maxTokens: number;
  readonly stopTokens?: readonly number[];
  readonly stop?: readonly string[];
  readonly sampling?: SamplingOptions;
  /** Ids before the prompt that the repetition penalty counts too. The prompt's text counts anyway. */
  readonly history?: ArrayLike<number>;
  readonly signal?: AbortSignal;
}

export interface GeneratedToken {
  readonly id: number;
  /** Text that became certain; empty where a character or a stop string may be unfinished. */
  readonly text: string;
  /** Time that the token took; for the first, the prompt's. */
  readonly ms: number;
}

export interface Generation {
  /** All of the text, without the stop string. */
  readonly text: string;
  /** All tokens chosen, a stop token included. */
  readonly ids: readonly number[];
  readonly finish: 'stop' | 'length' | 'aborted';
  /** Chosen tokens at the end of `ids` that are not in the memory: the last one never is, unless aborted before it was used. */
  readonly unwritten: number;
  readonly prefillMs: number;
  /** Of all tokens after the first. */
  readonly decodeMs: number;
}

/**
 * Writes an answer. Each token is yielded as soon as it is chosen; the end of the generator gives the whole.
 * An abort ends the answer with what was written so far (`finish: 'aborted'`); the memory then holds the tokens that were used.
 * @throws CapacityError when prompt or answer do not fit into the memory
 */
export async function* generate(decoder: Decoder, memory: Memory, options: GenerateOptions): AsyncGenerator<GeneratedToken, Generation, undefined> {
  const { prompt, origin, decode, maxTokens, stopTokens = [], stop = [], sampling, history = [], signal } = options;
  if (!(Number.isInteger(maxTokens) && maxTokens > 0)) throw new UserError('MAX_TOKENS', { what: 'wrong limit of tokens', got: String(maxTokens), expected: 'an integer above 0' });
  const sampler = createSampler(sampling);
  sampler.observe(history);
  for (const piece of prompt) if (piece.kind === 'ids') sampler.observe(piece.ids);
  const stops = new Set(stopTokens);
  const last = prompt.at(-1);
  const detokenizer = createDetokenizer(decode, last?.kind === 'ids' ? last.ids[last.ids.length - 1] : undefined);
  const filter = createStopFilter(stop);
  const ids: number[] = [];
  let text = '';
  let prefillMs = 0;
  let decodeMs = 0;
  let unwritten = 0;
  const finished = (finish: Generation['finish']): Generation => ({ text, ids, finish, unwritten, prefillMs, decodeMs });

  for (;;) {
    const start = performance.now();
    let logits: Float32Array;
    try {
      logits = ids.length === 0 ? await decoder.prefill(memory, prompt, signal ? { signal } : {}) : await decoder.step(memory, ids.at(-1)!, origin, signal);
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return finished('aborted');
      throw error;
    }
    const id = sampler.sample(logits);
    ids.push(id);
    unwritten = 1;
    const ms = performance.now() - start;
    if (ids.length === 1) prefillMs = ms;
    else decodeMs += ms;

    const atStopToken = stops.has(id);
    let piece = filter.push(atStopToken ? detokenizer.flush() : detokenizer.push(id));
    const atEnd = atStopToken || ids.length === maxTokens;
    if (atEnd && !piece.stopped) {
      const rest = filter.push(atStopToken ? '' : detokenizer.flush());
      piece = { text: piece.text + rest.text + (rest.stopped ? '' : filter.flush()), stopped: rest.stopped };
    }
    text += piece.text;
    yield { id, text: piece.text, ms };
    if (atStopToken || piece.stopped) return finished('stop');
    if (atEnd) return finished('length');
  }
}
