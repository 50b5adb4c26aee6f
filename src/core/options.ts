// Options from outside: parsed by a schema, with errors that name the option, what came and what was expected.
import { inspect } from 'node:util';
import type { z } from 'zod';
import { UserError } from './errors.ts';

/**
 * Parses what a caller gave.
 * @param where who asks, for the message: `openModel`, `memory method fifo`
 * @throws UserError `BAD_OPTION` that names every wrong option
 */
export function parseOptions<S extends z.ZodType>(schema: S, given: unknown, where: string): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const name = issue.path.join('.');
    return name ? `${name}: ${issue.message}` : issue.message;
  });
  const [first] = result.error.issues;
  throw new UserError('BAD_OPTION', { what: `wrong options for ${where}: ${faults.join('; ')}`, got: show(valueAt(given, first?.path ?? [])), cause: result.error });
}

/** The value of an option that was given as text, such as `frames=32`: a number or a truth value where it reads as one, else the text. */
export function optionValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value !== null && typeof value === 'object' ? (value as Record<PropertyKey, unknown>)[key] : undefined), given);
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : inspect(value, { depth: 2, breakLength: Infinity });
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
