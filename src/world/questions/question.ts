// A finished question: worded, with its evidence, and with flags that say what of it training never sees.
import type { Random } from '../../core/random.ts';
import { isHeldOutColour } from '../held-out.ts';
import type { World } from '../world.ts';
import type { Candidate } from './balance.ts';
import type { QuestionClass, Turn } from './template.ts';
import type { Span } from './viewing.ts';
import { pickWording } from './wording.ts';

/** Which parts of a question are held out of training. */
export interface HeldOutFlags {
  readonly wording: boolean;
  /** A colour of a class, of an actor in question or answer. */
  readonly colour: boolean;
  /** An activity in this place. */
  readonly activity: boolean;
}

/** A question about a clip, with its answer and all that a trainer may want to know of it. */
export interface WorldQuestion extends Turn {
  readonly class: QuestionClass;
  /** Index into the template's wordings, then into those that training has beside them. */
  readonly wording: number;
  /** Times whose pictures carry the evidence. */
  readonly evidence: readonly Span[];
  readonly heldOut: HeldOutFlags;
  /** What must have been said before for the question to make sense; empty for most. */
  readonly history: readonly Turn[];
}

/** Whether an actor in question or answer has a colour that training never shows of its class. */
export function showHeldOutColour(world: World, subjects: readonly string[]): boolean {
  return subjects.some((id) => {
    const { kind, look } = world.actor(id);
    return isHeldOutColour(kind, look.colour);
  });
}

/** Gives a candidate one of its wordings. */
export function word(world: World, candidate: Candidate, random: Random, history: readonly Turn[] = []): WorldQuestion {
  const { template, draft, timeSec } = candidate;
  const wording = pickWording(template, world.spec.split, random);
  const filled = wording.text.replace(/\{(\w+)\}/g, (_, slot: string) => draft.slots[slot]!).replace(/\ba (?=orange)/g, 'an ');
  return {
    timeSec,
    question: filled[0]!.toUpperCase() + filled.slice(1),
    answer: draft.answer,
    class: template.class,
    template: template.id,
    wording: wording.index,
    // What goes on being seen after the question is no evidence for it.
    evidence: draft.evidence.map(([from, to]) => [Math.round(from * 100) / 100, Math.round(Math.min(to, timeSec) * 100) / 100] as const),
    subjects: draft.subjects,
    heldOut: {
      wording: wording.heldOut,
      colour: showHeldOutColour(world, draft.subjects),
      activity: (draft.events ?? []).some((event) => event.heldOut),
    },
    history,
  };
}
