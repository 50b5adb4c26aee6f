// Judges without a model: exact match (MSRVTT-QA's rule) and normalised match. Right scores 5, wrong 0.
import { matchesExactly, matchesNormalised } from '../metrics/normalise.ts';
import type { Judge } from './judge.ts';

/** A judge that compares texts: letter by letter, or after normalisation. */
export function matchJudge(rule: 'exact' | 'normalised'): Judge {
  const matches = rule === 'exact' ? matchesExactly : matchesNormalised;
  return {
    description: { name: rule },
    judge: ({ answers, prediction }) => {
      const correct = matches(prediction, answers);
      return Promise.resolve({ kind: 'judged', correct, score: correct ? 5 : 0 });
    },
  };
}
