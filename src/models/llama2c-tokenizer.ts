// The tokenizer of llama2.c: byte-pair merging by score over a SentencePiece-style vocabulary (`tok512.bin`).
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ModelError } from '../core/errors.ts';
import type { PromptFormat } from './contract.ts';

/** Begins every text; when the model writes it, the text has ended. */
export const bosToken = 1;
export const eosToken = 2;
/** The 256 byte tokens follow the three special ones. */
const firstByte = 3;
const maxTokenizerBytes = 64 << 20;

/**
 * Opens the only `tok*.bin` of the folder. Encoding follows run.c: a space before the text, one token per character (or its bytes), then
 * the adjacent pair whose merged token scores best, again and again.
 * @throws ModelError when there is none or it is damaged
 */
export async function openLlama2cTokenizer(folder: string, vocabulary: number): Promise<Pick<PromptFormat, 'encode' | 'decode'>> {
  const names = (await readdir(folder)).filter((name) => /^tok.*\.bin$/.test(name));
  if (names.length !== 1) throw new ModelError('TOKENIZER_MISSING', { what: `the tokenizer beside the model in ${folder} is not clear`, got: names.length === 0 ? 'no tok*.bin' : names.join(', '), expected: 'one file tok*.bin' });
  const { pieces, scores } = await readVocabulary(path.join(folder, names[0]!), vocabulary);
  // Byte strings as Latin-1 text: one character a byte, so that they can be keys.
  const idOf = new Map(pieces.map((piece, id) => [piece, id]));

  const encode = (text: string): Int32Array => {
    if (text === '') return new Int32Array();
    const space = idOf.get(' ');
    const ids: number[] = space === undefined ? [] : [space];
    for (const character of text) {
      const bytes = Buffer.from(character, 'utf8');
      const whole = idOf.get(bytes.toString('latin1'));
      if (whole !== undefined) ids.push(whole);
      else for (const byte of bytes) ids.push(byte + firstByte);
    }
    for (;;) {
      let best = -1;
      let bestId = -1;
      for (let i = 0; i + 1 < ids.length; i++) {
        const merged = idOf.get(pieces[ids[i]!]! + pieces[ids[i + 1]!]!);
        if (merged !== undefined && (best < 0 || scores[merged]! > scores[bestId]!)) {
          best = i;
          bestId = merged;
        }
      }
      if (best < 0) return Int32Array.from(ids);
      ids.splice(best, 2, bestId);
    }
  };
  const decode = (ids: readonly number[] | Int32Array): string => {
    const bytes: string[] = [];
    let previous = -1;
    for (const id of ids) {
      const piece = pieces[id];
      if (piece === undefined) throw new ModelError('TOKEN_UNKNOWN', { what: 'a token is not of this vocabulary', got: `${id}`, expected: `0 to ${vocabulary - 1}` });
      if (id >= firstByte) {
        const byte = /^<0x([0-9A-F]{2})>$/.exec(piece);
        const written = byte === null ? piece : String.fromCharCode(Number.parseInt(byte[1]!, 16));
        // The space that encoding put before the text.
        bytes.push(previous === bosToken && written.startsWith(' ') ? written.slice(1) : written);
      }
      previous = id;
    }
    return Buffer.from(bytes.join(''), 'latin1').toString('utf8');
  };
  return { encode, decode };
}

async function readVocabulary(file: string, vocabulary: number): Promise<{ pieces: string[]; scores: Float32Array }> {
  const { size } = await stat(file);
  if (size > maxTokenizerBytes) throw new ModelError('TOKENIZER_INVALID', { what: `${file} is too large`, got: `${size} bytes`, expected: `at most ${maxTokenizerBytes} bytes` });
  const bytes = await readFile(file);
  const pieces: string[] = [];
  const scores = new Float32Array(vocabulary);
  const ended = (at: number) => new ModelError('TOKENIZER_INVALID', { what: `${file} does not fit the model`, got: `its end at byte ${at}, in token ${pieces.length}`, expected: `${vocabulary} tokens` });
  let at = 4;
  for (let id = 0; id < vocabulary; id++) {
    if (at + 8 > bytes.length) throw ended(bytes.length);
    scores[id] = bytes.readFloatLE(at);
    const length = bytes.readInt32LE(at + 4);
    at += 8;
    if (length < 0 || at + length > bytes.length) throw ended(bytes.length);
    pieces.push(bytes.toString('latin1', at, at + length));
    at += length;
  }
  if (at !== bytes.length) throw new ModelError('TOKENIZER_INVALID', { what: `${file} does not fit the model`, got: `${bytes.length - at} bytes behind the last token`, expected: `${vocabulary} tokens and no more` });
  return { pieces, scores };
}
