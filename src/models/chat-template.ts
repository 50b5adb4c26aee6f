// A checkpoint's chat template: found where Transformers looks for it, run by Jinja.
import { Template } from '@huggingface/jinja';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';
import { parseWith, readJsonIfPresent, readTextIfPresent } from './json.ts';

/** A message as chat templates see it. */
export interface ChatMessage {
  readonly role: string;
  readonly content: readonly ({ readonly type: 'text'; readonly text: string } | { readonly type: 'image' | 'video' })[];
}

/** Messages to text; placeholders of pictures not yet expanded. */
export type ChatTemplate = (messages: readonly ChatMessage[], options: { readonly generate: boolean }) => string;

const templateField = z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))], 'a template, or a list of { name, template }');
const holder = z.looseObject({ chat_template: templateField.nullish() }).nullish();

/**
 * The template of `chat_template.jinja`, else of `chat_template.json`, `processor_config.json` or `tokenizer_config.json`.
 * Of several named ones, the one named `default`.
 * @param roles special tokens that the template may write (`bos_token`, …)
 * @throws ModelError when there is none or it is not valid Jinja
 */
export async function openChatTemplate(folder: string, roles: ReadonlyMap<string, string>): Promise<ChatTemplate> {
  const { file, text } = await findTemplate(folder);
  let template: Template;
  try {
    template = new Template(text);
  } catch (cause) {
    throw new ModelError('CHAT_TEMPLATE_INVALID', { what: `the chat template of ${file} is broken`, got: messageOf(cause), expected: 'a Jinja template', cause });
  }
  return (messages, { generate }) => {
    try {
      return template.render({ ...Object.fromEntries(roles), messages, add_generation_prompt: generate });
    } catch (cause) {
      throw new ModelError('CHAT_TEMPLATE_FAILED', { what: `the chat template of ${file} refuses the dialogue`, got: messageOf(cause), cause });
    }
  };
}

async function findTemplate(folder: string): Promise<{ file: string; text: string }> {
  const jinja = await readTextIfPresent(folder, 'chat_template.jinja');
  if (jinja !== undefined) return { file: path.join(folder, 'chat_template.jinja'), text: jinja };
  const places = ['chat_template.json', 'processor_config.json', 'tokenizer_config.json'];
  for (const name of places) {
    const file = path.join(folder, name);
    const field = parseWith(holder, await readJsonIfPresent(folder, name), file)?.chat_template;
    if (field === undefined || field === null) continue;
    if (typeof field === 'string') return { file, text: field };
    const named = field.find((entry) => entry.name === 'default');
    if (named !== undefined) return { file, text: named.template };
    throw new ModelError('CHAT_TEMPLATE_MISSING', { what: `${file} has no default chat template`, got: field.map((entry) => entry.name).join(', '), expected: 'one named "default"' });
  }
  throw new ModelError('CHAT_TEMPLATE_MISSING', { what: `checkpoint ${folder} has no chat template`, expected: `chat_template.jinja, or a field chat_template in ${places.join(', ')}`, todo: 'download the whole checkpoint, and choose one that was tuned on dialogues' });
}
