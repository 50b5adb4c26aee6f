// Formats by budget: errors add up along the chain, and what is dear in error is made exact first.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { chooseFormats } from './choose-formats.ts';
import type { Format } from './formats.ts';
import type { StepMeasure } from './measure.ts';

const random = createRandom(11);
const step = (): StepMeasure => ({
  gain: 0.5 + 2 * random.next(),
  factors: [],
  linears: Object.fromEntries(['a', 'b', 'c'].map((role) => [role, { sensitivity: random.next(), size: 1000 * random.int(1, 9), errors: { rows7: 1e-3 * (1 + random.next()), rows8: 5e-4 * (1 + random.next()), blocks8: 1e-4 * (1 + random.next()), float32: 0 } }])),
});

function errorOf(measures: readonly StepMeasure[], chosen: readonly Readonly<Record<string, Format>>[]): number {
  let [sum, gain] = [0, 1];
  for (let at = measures.length - 1; at >= 0; at--) {
    for (const [role, { sensitivity, errors }] of Object.entries(measures[at]!.linears)) sum += gain * sensitivity * errors[chosen[at]![role]!]!;
    gain *= measures[at]!.gain;
  }
  return sum;
}

describe('chooseFormats', () => {
  const measures = Array.from({ length: 6 }, step);
  const all = (budget: number) => chooseFormats(measures, 'w8a8', budget);

  test('a budget beyond all errors leaves the fastest, none leaves float32', () => {
    expect(new Set(all(Infinity).flatMap((each) => Object.values(each)))).toEqual(new Set(['rows7']));
    expect(new Set(all(0).flatMap((each) => Object.values(each)))).toEqual(new Set(['float32']));
  });

  test.each([3e-2, 1e-2, 1e-3, 1e-4])('stays inside %f', (budget) => {
    expect(errorOf(measures, all(budget))).toBeLessThanOrEqual(budget * (1 + 1e-9));
  });

  test('the layer that does most harm is made exact first', () => {
    const loud: StepMeasure = { ...measures[2]!, linears: { ...measures[2]!.linears, b: { ...measures[2]!.linears['b']!, sensitivity: 1000 } } };
    const with2 = measures.with(2, loud);
    const chosen = chooseFormats(with2, 'w8a8', 0.9 * errorOf(with2, all(Infinity)));
    expect(chosen[2]!['b']).not.toBe('rows7');
    expect(chosen.flatMap((each) => Object.values(each)).filter((format) => format !== 'rows7')).toHaveLength(1);
  });
});
