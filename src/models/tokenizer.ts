// Text to token ids and back, from a checkpoint's tokenizer.json.
import * as tokenizers from '@huggingface/tokenizers';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';
import { parseWith, readJson, readJsonIfPresent } from './json.ts';

// The package's type files leave file extensions out, which Node.js's module rules cannot follow: what is used of it is stated here.
interface Tokenizer {
  encode(text: string, options?: { readonly add_special_tokens?: boolean }): { readonly ids: readonly number[] };
  decode(ids: readonly number[], options: { readonly skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
}
const { Tokenizer } = tokenizers as unknown as { readonly Tokenizer: new (tokenizer: unknown, config: unknown) => Tokenizer };

export interface TextTokenizer {
  /** Ids of the text, nothing added. Special tokens written in the text become their ids, as in Transformers. */
  encode(text: string): Int32Array;
  /** Text of the ids, special tokens left out. */
  decode(ids: readonly number[] | Int32Array): string;
  /** Id of a token, or `undefined` when the vocabulary lacks it. */
  idOf(token: string): number | undefined;
  isSpecial(id: number): boolean;
  /** Special tokens by their role in tokenizer_config.json: `bos_token`, `eos_token`, … */
  readonly roles: ReadonlyMap<string, string>;
}

const tokenizerSchema = z.looseObject({
  model: z.looseObject({ type: z.literal('BPE', 'a supported model: "BPE"'), vocab: z.record(z.string(), z.int().min(0)) }),
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string(), special: z.boolean().optional() })).default([]),
});
const tokenSchema = z.union([z.string(), z.looseObject({ content: z.string() })]);

/**
 * @param vocabulary rows of the embedding, which every id must stay below
 * @throws ModelError when tokenizer.json is missing, broken, or does not belong to the checkpoint
 */
export async function openTokenizer(folder: string, vocabulary: number): Promise<TextTokenizer> {
  const file = path.join(folder, 'tokenizer.json');
  const document = await readJson(folder, 'tokenizer.json');
  const { added_tokens: addedTokens, model } = parseWith(tokenizerSchema, document, file);
  const config = parseWith(z.looseObject({}).default({}), await readJsonIfPresent(folder, 'tokenizer_config.json'), path.join(folder, 'tokenizer_config.json'));
  // Before the library sees them: it makes a list as long as the largest id.
  for (const [token, id] of [...Object.entries(model.vocab), ...addedTokens.map((token) => [token.content, token.id] as const)]) {
    if (id >= vocabulary) {
      throw new ModelError('TOKENIZER_INVALID', { what: `${file} does not belong to the weights`, got: `id ${id} for ${JSON.stringify(token)}`, expected: `ids below ${vocabulary}, the rows of the embedding` });
    }
  }
  let tokenizer: Tokenizer;
  let added: boolean;
  try {
    tokenizer = new Tokenizer(document, config);
    added = tokenizer.encode('a').ids.length !== tokenizer.encode('a', { add_special_tokens: false }).ids.length;
  } catch (cause) {
    throw new ModelError('TOKENIZER_INVALID', { what: `cannot use ${file}`, got: messageOf(cause), expected: 'a tokenizer as Hugging Face tokenizers saves it', cause });
  }
  // Pieces of a live prompt are encoded one by one, so a token put before each text would break the dialogue.
  if (added) throw new ModelError('TOKENIZER_UNSUPPORTED', { what: `${file} adds special tokens to every text`, expected: 'a tokenizer whose chat template writes them' });
  const special = new Set(addedTokens.filter((token) => token.special === true).map((token) => token.id));
  const roles = new Map<string, string>();
  for (const [field, value] of Object.entries(config)) {
    const token = field.endsWith('_token') ? tokenSchema.safeParse(value) : undefined;
    if (token?.success) roles.set(field, typeof token.data === 'string' ? token.data : token.data.content);
  }
  return {
    encode: (text) => Int32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids),
    // The library refuses an empty list.
    decode: (ids) => (ids.length === 0 ? '' : tokenizer.decode(Array.from(ids), { skip_special_tokens: true })),
    idOf: (token) => tokenizer.token_to_id(token),
    isSpecial: (id) => special.has(id),
    roles,
  };
}
