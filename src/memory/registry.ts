// Memory methods by name: files of methods/, and two of them joined by a plus, which act one after the other.
import { z } from 'zod';
import { UserError } from '../core/errors.ts';
import { loadMethods, methodNamed } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import type { MemoryMethod } from './method.ts';
import { finest } from './part.ts';
import { slotFormats, type SlotFormat } from './slots.ts';

/** All memory methods, by name. */
export function memoryMethods(): Promise<ReadonlyMap<string, MemoryMethod>> {
  return loadMethods<MemoryMethod>(new URL('./methods/', import.meta.url));
}

/**
 * A method by its name, or two that work together: `merge+fifo` merges, and of what is left keeps the latest frames.
 * @throws UserError for a name that is none, or for methods that cannot work together
 */
export async function memoryMethodNamed(name: string): Promise<MemoryMethod> {
  const methods = await memoryMethods();
  const [first, second, ...more] = name.split('+').map((part) => methodNamed(methods, 'memory', part));
  if (second === undefined) return first!;
  if (more.length > 0) throw new UserError('UNKNOWN_METHOD', { what: 'too many memory methods at once', got: `"${name}"`, expected: 'one, or two joined by a plus' });
  return combined(name, first!, second);
}

const shapeOf = (method: MemoryMethod): z.ZodRawShape => (method.options as unknown as z.ZodObject).shape;

/** The options of one method out of those of all that work together. */
export function optionsOf(method: MemoryMethod, all: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const shape = shapeOf(method);
  return method.options.parse(Object.fromEntries(Object.entries(all).filter(([option]) => option in shape)));
}

/** The first merges or picks as it likes; the second only drops what has been attended. An option that both have goes to both. */
function combined(name: string, first: MemoryMethod, second: MemoryMethod): MemoryMethod {
  const refuse = (got: string, expected: string): never => {
    throw new UserError('METHODS_APART', { what: `memory methods ${name} cannot work together`, got, expected });
  };
  if (first.parts ?? second.parts) refuse('one that is joined already', 'two single ones');
  if (first === second) refuse('the same twice', 'two different ones');
  if (second.inline) refuse(`a second that would ${second.inline}`, 'one that acts while a chunk comes in as the first');
  if (first.inline === 'select' && first.scope !== finest([first, second])) refuse('heads that come to differ under one that picks for all', 'a second method of the same scope');
  return {
    summary: `${first.summary}; then ${second.summary}`,
    source: `${first.source}; then ${second.source}`,
    options: z.strictObject({ ...shapeOf(second), ...shapeOf(first) }),
    needs: [...new Set([...first.needs, ...second.needs])],
    ...(first.adapter && { adapter: first.adapter }),
    ...(first.inline && { inline: first.inline }),
    scope: finest([first, second]),
    ...((second.budget ?? first.budget) && { budget: (second.budget ?? first.budget)! }),
    positions: first.positions === 'stream' ? second.positions : first.positions,
    scoreBias: first.scoreBias === 'log-count' || second.scoreBias === 'log-count' ? 'log-count' : 'none',
    parts: [first, second],
    open: () => ({}),
  };
}

export interface ParsedMemoryOptions {
  /** The method's own. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly slotFormat: SlotFormat;
}

const storageOptions = z.object({ slotFormat: z.enum(slotFormats).default('float32') });

/**
 * Parses a memory's options: those of the method, and `slotFormat`, which every method takes.
 * @throws UserError `BAD_OPTION`
 */
export function parseMemoryOptions(method: MemoryMethod, name: string, given: Readonly<Record<string, unknown>>): ParsedMemoryOptions {
  const where = `memory method ${name}`;
  const { slotFormat, ...own } = given;
  return { ...parseOptions(storageOptions, { slotFormat }, where), options: parseOptions(method.options, own, where) };
}
