// The contract of a question template, and what it makes.
import type { ActorClass, WorldEvent } from '../types.ts';
import type { Span, Viewing } from './viewing.ts';

/** StreamBench's six classes: object search, long- and short-term memory, conversation, knowledge, simple fact. */
export type QuestionClass = 'OS' | 'LM' | 'SM' | 'CI' | 'KG' | 'SF';
export const QUESTION_CLASSES: readonly QuestionClass[] = ['OS', 'LM', 'SM', 'CI', 'KG', 'SF'];

/** A question before it is worded. */
export interface Draft {
  readonly slots: Readonly<Record<string, string>>;
  readonly answer: string;
  /** Times whose pictures carry the evidence. */
  readonly evidence: readonly Span[];
  /** Actors that question and answer are about; the first is what "it" would mean afterwards. */
  readonly subjects: readonly string[];
  readonly events?: readonly WorldEvent[];
  /** Part of the question that tells something about the answer: answers are balanced within each. */
  readonly group?: string;
}

/** An earlier question of the dialogue, with its answer. */
export interface Turn {
  readonly timeSec: number;
  readonly question: string;
  readonly answer: string;
  readonly template: string;
  readonly subjects: readonly string[];
}

export interface Template {
  readonly id: string;
  readonly class: QuestionClass;
  /** Relative frequency within its class. */
  readonly weight: number;
  /** Every fifth is held out of training. Slots in braces. */
  readonly wordings: readonly string[];
  /** All right answers at this time, none where nothing can be asked; `dialogue` is what was said before. */
  find(viewing: Viewing, timeSec: number, dialogue: readonly Turn[]): Draft[];
}

export const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen'] as const;

/** The span of the last second, the evidence of what is asked about now. */
export function now(timeSec: number): Span {
  return [Math.max(0, timeSec - 1), timeSec];
}

export const PLURALS: Readonly<Record<ActorClass, string>> = {
  person: 'people', car: 'cars', bicycle: 'bicycles', dog: 'dogs', bag: 'bags', box: 'boxes', door: 'doors', lamp: 'lamps',
};

/** Classes that have a colour and are not people. */
export const THINGS = ['car', 'bicycle', 'dog', 'bag', 'box', 'door'] as const satisfies readonly ActorClass[];

/** "the person in red", "the red car": a name that means one actor alone in a span, or null. */
export function nameOf(viewing: Viewing, id: string, startSec: number, endSec: number): string | null {
  const { kind, look } = viewing.world.actor(id);
  for (const other of viewing.glimpsedBetween(kind, startSec, endSec)) {
    if (other !== id && viewing.world.actor(other).look.colour === look.colour) return null;
  }
  return kind === 'person' ? `the person in ${look.colour}` : `the ${look.colour} ${kind}`;
}
