// Pieces of config.json that the families share: numbers, named options, rotary positions, options that must be off.
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { short } from './json.ts';

/** A size: at least 1, and small enough that no product of three leaves the safe range. */
export const count = z.int().min(1, 'a whole number ≥ 1').max(1 << 24, 'a whole number ≤ 16777216');
export const positive = z.number().positive('a number > 0');

/** A field that names one of several things, mapped to this project's name of it. */
export function option<const V extends string>(what: string, names: Readonly<Record<string, V>>) {
  return z.string().transform((value, context): V => {
    if (Object.hasOwn(names, value)) return names[value]!;
    context.addIssue({ code: 'custom', input: value, message: `a supported ${what}: ${Object.keys(names).join(', ')}` });
    return z.NEVER;
  });
}

/**
 * Refuses options whose mathematics this family does not have.
 * @param off values that mean "off", by field
 * @throws ModelError naming the field and what is supported
 */
export function refuseOptions(config: Readonly<Record<string, unknown>>, where: string, off: Readonly<Record<string, readonly unknown[]>>): void {
  for (const [field, values] of Object.entries(off)) {
    const value = config[field];
    if (value === undefined || value === null || values.includes(value)) continue;
    throw new ModelError('CONFIG_UNSUPPORTED', { what: `${where}: field ${field} has a value that is not supported`, got: short(value), expected: ['absent', ...values.map(short)].join(' or ') });
  }
}

const ropeSchema = z
  .looseObject({ rope_type: z.string().optional(), type: z.string().optional(), rope_theta: positive.optional(), partial_rotary_factor: z.literal(1, '1, every channel turned').optional() })
  .nullish();

/** Fields of rotary positions: `rope_theta` and `rope_scaling` (Transformers 4) or `rope_parameters` (5). */
export const ropeFields = { rope_theta: positive.nullish(), rope_scaling: ropeSchema, rope_parameters: ropeSchema };

/**
 * The base of the rotary embedding.
 * @throws ModelError for scaled positions of any kind
 */
export function ropeTheta(config: { readonly [K in keyof typeof ropeFields]?: z.output<(typeof ropeFields)[K]> }, where: string, fallback: number): number {
  for (const field of ['rope_scaling', 'rope_parameters'] as const) {
    const kind = config[field]?.rope_type ?? config[field]?.type ?? 'default';
    if (kind === 'default') continue;
    throw new ModelError('CONFIG_UNSUPPORTED', { what: `${where}: field ${field} asks for scaled rotary positions`, got: JSON.stringify(kind), expected: 'absent, null or type "default"' });
  }
  return config.rope_parameters?.rope_theta ?? config.rope_scaling?.rope_theta ?? config.rope_theta ?? fallback;
}
