// A checkpoint's defaults for writing text, from generation_config.json.
import path from 'node:path';
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import type { GenerationDefaults } from './contract.ts';
import { parseWith, readJsonIfPresent } from './json.ts';
import type { TextTokenizer } from './tokenizer.ts';

const ids = z.union([z.int().min(0), z.array(z.int().min(0))], 'an id or a list of ids').nullish();
const schema = z.looseObject({
  eos_token_id: ids,
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  repetition_penalty: z.number().positive().nullish(),
});

/**
 * Stop tokens come from generation_config.json, else from config.json, else from the tokenizer.
 * @param config config.json
 * @throws ModelError when none of them says where an answer ends
 */
export async function openGeneration(folder: string, config: unknown, tokenizer: TextTokenizer): Promise<GenerationDefaults> {
  const given = parseWith(schema.default({}), await readJsonIfPresent(folder, 'generation_config.json'), path.join(folder, 'generation_config.json'));
  const inConfig = parseWith(z.looseObject({ eos_token_id: ids, text_config: z.looseObject({ eos_token_id: ids }).nullish() }), config, path.join(folder, 'config.json'));
  const end = tokenizer.roles.get('eos_token');
  const stop = given.eos_token_id ?? inConfig.eos_token_id ?? inConfig.text_config?.eos_token_id ?? (end === undefined ? undefined : tokenizer.idOf(end));
  if (stop === undefined) throw new ModelError('STOP_TOKEN_MISSING', { what: `checkpoint ${folder} does not say which token ends an answer`, expected: 'eos_token_id in generation_config.json or config.json, or eos_token in tokenizer_config.json' });
  return {
    stopTokens: typeof stop === 'number' ? [stop] : stop,
    sample: given.do_sample ?? false,
    ...(typeof given.temperature === 'number' && { temperature: given.temperature }),
    ...(typeof given.top_p === 'number' && { topP: given.top_p }),
    ...(typeof given.top_k === 'number' && { topK: given.top_k }),
    ...(typeof given.repetition_penalty === 'number' && { repetitionPenalty: given.repetition_penalty }),
  };
}
