// Reads annotation files: JSON, JSON lines and CSV, with errors that name the file, the item and the field.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, UserError } from '../../core/errors.ts';
import { parseCsv } from './csv.ts';

/**
 * Reads a JSON file (or one JSON value a line, or CSV with a header as a list of objects) and checks it.
 * @throws UserError with file, item and field of the first fault
 */
export async function readAnnotations<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  const text = (
    await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new UserError('UNREADABLE_ANNOTATIONS', { what: `cannot read ${file}`, got: messageOf(cause), cause });
    })
  ).replace(/^\uFEFF/, '');
  const value = /\.csv$/i.test(file) ? parseCsv(text, file) : parseJson(text, file);
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const issue = firstIssue(checked.error.issues);
  const [item, ...rest] = issue.path;
  const where = item === undefined ? 'the file as a whole' : typeof item === 'number' ? `item ${item}` : `"${String(item)}"`;
  throw new UserError('INVALID_ANNOTATIONS', {
    what: `${file}: ${where}${
      rest.length > 0
        ? `, field ${rest
            .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
            .join('')
            .replace(/^\./, '')}`
        : ''
    }: ${issue.message}`,
    todo: 'compare the file with the published one',
  });
}

/** Of a union's faults, those of the alternative that came nearest: the deepest path. */
function firstIssue(issues: readonly z.core.$ZodIssue[]): { readonly path: readonly PropertyKey[]; readonly message: string } {
  const issue = issues[0]!;
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const inner = issue.errors.map((one) => firstIssue(one)).reduce((a, b) => (b.path.length > a.path.length ? b : a));
  return { path: [...issue.path, ...inner.path], message: inner.message };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (lines.length > 1 && lines[0]!.trim().endsWith('}')) return lines.map((line, index) => parseLine(line, index, file));
    throw new UserError('INVALID_JSON', { what: `${file} is not valid JSON`, got: messageOf(cause), todo: 'download it again: it may be cut off', cause });
  }
}

function parseLine(line: string, index: number, file: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new UserError('INVALID_JSON', { what: `${file}: line ${index + 1} is not valid JSON`, got: messageOf(cause), cause });
  }
}

/** Seconds: a number, or a text "83", "1:23" or "00:01:23". */
export const seconds = z.union([
  z.number().nonnegative(),
  z
    .string()
    .regex(/^\s*(?:\d+:){0,2}\d+(?:\.\d+)?\s*$/, 'expected seconds or h:mm:ss')
    .transform(clockSeconds),
]);

function clockSeconds(text: string): number {
  return text.split(':').reduce((total, part) => total * 60 + Number(part), 0);
}

export const text = z.string().refine((value) => value.trim() !== '', 'expected a text that is not empty');
