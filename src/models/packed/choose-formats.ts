// Chooses a format for every linear layer: the cheapest set whose errors, carried to the logits, stay inside a budget.
import type { Format, QuantizedPrecision } from './formats.ts';
import { costs, ladders } from './formats.ts';
import type { StepMeasure } from './measure.ts';

/** Format of each layer, by step and role. */
export type ChosenFormats = readonly Readonly<Record<string, Format>>[];

interface Candidate {
  readonly step: number;
  readonly role: string;
  /** Relative square error of the logits that each format brings, from the fastest on. */
  readonly errors: readonly number[];
  readonly size: number;
  rung: number;
}

/**
 * Errors of different layers are taken as independent, so their squares add up. Layers are made more exact one by one, those first that take
 * away most error for their cost.
 * @param budget relative square error of the logits
 */
export function chooseFormats(measures: readonly StepMeasure[], precision: QuantizedPrecision, budget: number): ChosenFormats {
  const formats = ladders[precision];
  const candidates: Candidate[] = [];
  let gain = 1;
  for (let step = measures.length - 1; step >= 0; step--) {
    const measure = measures[step]!;
    for (const [role, { sensitivity, errors, size }] of Object.entries(measure.linears)) {
      candidates.push({ step, role, errors: formats.map((format) => gain * sensitivity * errors[format]!), size, rung: 0 });
    }
    gain *= measure.gain;
  }
  let total = candidates.reduce((sum, { errors }) => sum + errors[0]!, 0);
  while (total > budget) {
    let best: { readonly candidate: Candidate; readonly rung: number; readonly worth: number } | undefined;
    for (const candidate of candidates) {
      for (let rung = candidate.rung + 1; rung < formats.length; rung++) {
        const saved = candidate.errors[candidate.rung]! - candidate.errors[rung]!;
        const worth = saved / (candidate.size * (costs[formats[rung]!] - costs[formats[candidate.rung]!]));
        if (saved > 0 && worth > (best?.worth ?? 0)) best = { candidate, rung, worth };
      }
    }
    if (!best) break;
    const { candidate, rung } = best;
    total -= candidate.errors[candidate.rung]! - candidate.errors[rung]!;
    candidate.rung = rung;
  }
  const chosen: Record<string, Format>[] = measures.map(() => ({}));
  for (const { step, role, rung } of candidates) chosen[step]![role] = formats[rung]!;
  return chosen;
}
