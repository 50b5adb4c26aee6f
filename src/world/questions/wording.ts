// The words of a question: which of a template's wordings a split may use.
import type { Random } from '../../core/random.ts';
import { isHeldOutWording } from '../held-out.ts';
import type { Split } from '../types.ts';
import { TRAINING_WORDINGS } from './training-wordings.ts';

/** Share of test questions in a wording that training never sees. */
const HELD_OUT_WORDING_SHARE = 0.25;

export interface Wording {
  /** Index into the template's wordings, then into those that training has beside them. */
  readonly index: number;
  readonly text: string;
  readonly heldOut: boolean;
}

/** Test questions are worded as the template lists them, held-out wordings in a share of their own; training questions in many more ways. */
export function pickWording({ id, wordings }: { readonly id: string; readonly wordings: readonly string[] }, split: Split, random: Random): Wording {
  const heldOut = split === 'test' && random.next() < HELD_OUT_WORDING_SHARE;
  const open = wordings.flatMap((_, index) => (isHeldOutWording(index) === heldOut ? [index] : []));
  const more = split === 'train' ? (TRAINING_WORDINGS[id] ?? []) : [];
  const index = random.pick([...open, ...more.map((_, i) => wordings.length + i)]);
  return { index, text: wordings[index] ?? more[index - wordings.length]!, heldOut };
}
