// Trains a byte-level BPE tokenizer (arXiv 1508.07909 over bytes, as GPT-2 has it) and writes it as tokenizer.json.
import { UserError } from '../core/errors.ts';

/** Special tokens of the SmolVLM layout; they take the first ids in this order. */
export const smolvlmTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<fake_token_around_image>', '<global-img>', '<image>', '<end_of_utterance>'] as const;

export interface BpeOptions {
  /** Ids in all: special tokens, 256 bytes, merges. Fewer come out when the corpus has no more pairs to merge. */
  readonly vocabulary: number;
  readonly specialTokens: readonly string[];
  /** A pair is merged only when it occurs at least so often. */
  readonly minimumCount?: number;
}

export interface BpeTokenizer {
  /** Content of tokenizer.json. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Rows that the embedding needs. */
  readonly size: number;
  readonly merges: readonly (readonly [string, string])[];
}

/** GPT-2's way of cutting text into words, in which no pair is merged across a cut; digits stand alone, so that numbers are spelled. */
const words = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const digits = /(\p{Nd})/u;

export function cutWords(text: string): string[] {
  return text.split(digits).flatMap((piece) => piece.match(words) ?? []);
}

/** The printable letter that stands for each byte (GPT-2's table): printable Latin-1 for itself, the rest from U+0100 on. */
export function byteLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++));
}

interface Word {
  symbols: string[];
  readonly count: number;
}

/**
 * @param corpus texts; every text counts as often as it comes
 * @throws UserError when the vocabulary has no room for bytes and special tokens
 */
export function trainBpe(corpus: Iterable<string>, { vocabulary, specialTokens, minimumCount = 2 }: BpeOptions): BpeTokenizer {
  const fixed = specialTokens.length + 256;
  if (vocabulary < fixed) throw new UserError('BPE_VOCABULARY', { what: 'the vocabulary is too small', got: `${vocabulary}`, expected: `at least ${fixed}: special tokens and bytes` });
  const letters = byteLetters();
  const found = new Map<string, number>();
  for (const text of corpus) for (const word of cutWords(text)) found.set(word, (found.get(word) ?? 0) + 1);
  const list: Word[] = [...found].map(([word, count]) => ({ symbols: Array.from(Buffer.from(word, 'utf8'), (byte) => letters[byte]!), count }));
  const pairs = new PairCounts(list);
  const merges: (readonly [string, string])[] = [];
  const tokens = new Set([...specialTokens, ...letters]);
  while (tokens.size < vocabulary) {
    const best = pairs.best(minimumCount);
    if (!best) break;
    merges.push(best);
    tokens.add(best[0] + best[1]);
    pairs.merge(best);
  }
  return { document: documentOf([...tokens], specialTokens, merges), size: tokens.size, merges };
}

/** Counts of neighbouring symbols over all words, kept up to date while pairs are merged. */
class PairCounts {
  readonly #counts = new Map<string, number>();
  readonly #where = new Map<string, Set<Word>>();

  constructor(list: readonly Word[]) {
    for (const word of list) this.#count(word, 1);
  }

  /** The most frequent pair; of equals the first by code units, so that the result depends on the corpus alone. */
  best(minimumCount: number): readonly [string, string] | undefined {
    let bestKey: string | undefined;
    let bestCount = minimumCount - 1;
    for (const [key, count] of this.#counts) {
      if (count > bestCount || (count === bestCount && bestKey !== undefined && key < bestKey)) [bestKey, bestCount] = [key, count];
    }
    return bestKey?.split(' ') as [string, string] | undefined;
  }

  merge([left, right]: readonly [string, string]): void {
    for (const word of [...this.#where.get(`${left} ${right}`)!]) {
      this.#count(word, -1);
      const merged: string[] = [];
      for (let i = 0; i < word.symbols.length; i++) {
        if (word.symbols[i] === left && word.symbols[i + 1] === right) merged.push(left + word.symbols[++i]!);
        else merged.push(word.symbols[i]!);
      }
      word.symbols = merged;
      this.#count(word, 1);
    }
  }

  // No symbol holds a space: byte 32 is written as another letter.
  #count(word: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const key = `${word.symbols[i]} ${word.symbols[i + 1]}`;
      const count = (this.#counts.get(key) ?? 0) + sign * word.count;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
      if (sign > 0) {
        const where = this.#where.get(key) ?? new Set();
        this.#where.set(key, where.add(word));
      } else this.#where.get(key)?.delete(word);
    }
  }
}

function documentOf(tokens: readonly string[], specialTokens: readonly string[], merges: readonly (readonly [string, string])[]): Readonly<Record<string, unknown>> {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
