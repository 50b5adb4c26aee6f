// JSON files of a checkpoint: read with clear errors, checked by schemas, duplicate keys found.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { messageOf, ModelError } from '../core/errors.ts';

/** No published tokenizer comes near this; a larger "JSON" is some other file. */
const maxJsonBytes = 256 << 20;

/**
 * Text of a file of the folder, or `undefined` when there is none.
 * @throws ModelError when the file cannot be read or is not UTF-8
 */
export async function readTextIfPresent(folder: string, name: string): Promise<string | undefined> {
  const file = path.join(folder, name);
  try {
    const { size } = await stat(file);
    if (size > maxJsonBytes) throw new ModelError('FILE_UNREADABLE', { what: `${file} is too large`, got: `${size} bytes`, expected: `at most ${maxJsonBytes} bytes` });
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    if (isMissing(cause)) return undefined;
    throw new ModelError('FILE_UNREADABLE', { what: `cannot read ${file}`, got: messageOf(cause), expected: 'a readable file in UTF-8', cause });
  }
}

/** A JSON file of the folder, or `undefined` when there is none. */
export async function readJsonIfPresent(folder: string, name: string): Promise<unknown> {
  const text = await readTextIfPresent(folder, name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ModelError('JSON_INVALID', { what: `${path.join(folder, name)} is broken`, got: messageOf(cause), expected: 'valid JSON', todo: 'download the file again', cause });
  }
}

/** A JSON file that the checkpoint cannot do without. */
export async function readJson(folder: string, name: string): Promise<unknown> {
  const value = await readJsonIfPresent(folder, name);
  if (value === undefined) {
    throw new ModelError('FILE_MISSING', { what: `checkpoint ${folder} has no ${name}`, expected: 'a Hugging Face checkpoint folder', todo: 'download the whole checkpoint' });
  }
  return value;
}

/**
 * A value checked by a schema.
 * @param where the file, for the message
 * @throws ModelError naming the field, what was got and what was expected
 */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.map(String).join('.');
  throw new ModelError('CONFIG_INVALID', {
    what: `${where}: ${field === '' ? 'the document' : `field ${field}`} is not what it should be`,
    got: short(issue.input),
    expected: issue.message.replace(/^Invalid input: expected /, '').replace(/, received .*$/, ''),
  });
}

/** A value in a few characters, for messages. */
export function short(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/**
 * The first key that stands twice in one object, or `undefined`. `JSON.parse` keeps the last of them without a word.
 * @param text valid JSON
 */
export function duplicateKey(text: string): string | undefined {
  // One entry per open bracket: the keys so far for an object, nothing for a list.
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{') {
      open.push(new Set());
      expectKey = true;
    } else if (character === '[') {
      open.push(undefined);
    } else if (character === '}' || character === ']') {
      open.pop();
      expectKey = false;
    } else if (character === ',') {
      expectKey = open.at(-1) !== undefined;
    } else if (character === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (!expectKey) continue;
      expectKey = false;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
}
