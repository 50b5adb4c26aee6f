// The words of the world's language: all that occur in questions, answers, options and captions; and a corpus of them.
import { createRandom } from '../core/random.ts';
import { captionsOf, captionTexts } from './captions.ts';
import { TEMPLATES } from './questions/ask.ts';
import { createBalance } from './questions/balance.ts';
import { CLAUSE_TEXTS } from './questions/clause.ts';
import { askEgo, EGO_TEMPLATES } from './questions/ego.ts';
import { DEEDS } from './questions/happenings.ts';
import { PURPOSE, SAME_COLOUR, TRAITS } from './questions/knowledge.ts';
import { TIMES } from './questions/long-memory.ts';
import { ITEM_VERBS } from './questions/short-memory.ts';
import { DOING } from './questions/simple-facts.ts';
import { NUMBERS, PLURALS } from './questions/template.ts';
import { TRAINING_WORDINGS } from './questions/training-wordings.ts';
import { Viewing } from './questions/viewing.ts';
import { askDensely } from './questions/ask.ts';
import { CLASS_NAMES, COLOUR_NAMES } from './supervision.ts';
import type { Footage, Split } from './types.ts';
import { createWorld } from './world.ts';

/** Words of a text in lower case, without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+|\d+/g) ?? [];
}

/** Every word that questions, answers, options and captions can hold, sorted. Held-out wordings are included. */
export function vocabulary(): string[] {
  const texts = [
    ...TEMPLATES.flatMap((t) => t.wordings), ...EGO_TEMPLATES.flatMap((t) => t.wordings), ...Object.values(TRAINING_WORDINGS).flat(), ...CLAUSE_TEXTS, ...captionTexts(),
    ...Object.values(DEEDS).flatMap(({ did, clause }) => [did, clause]), 'got on got off a bicycle',
    ...Object.values(DOING), ...Object.values(PURPOSE), ...Object.values(SAME_COLOUR), ...TRAITS.map(([, words]) => words),
    ...Object.values(TIMES), ...Object.values(ITEM_VERBS), ...NUMBERS, ...Object.values(PLURALS), ...CLASS_NAMES, ...COLOUR_NAMES,
    'yes no on off open closed left right middle door nobody nothing nowhere indoors outdoors street shop room park',
    'the shirt of the person in a an someone something three five minute minutes twenty thirty',
  ];
  // Slots in braces are names for the program, not words of the language.
  return [...new Set(texts.flatMap((text) => wordsOf(text.replaceAll(/\{\w+\}/g, ' '))))].sort();
}

/** Texts as they occur, for training a tokenizer or a text model: questions, answers, options and captions, without end. */
export function* corpus(seed: number, split: Split): Generator<string> {
  const balance = createBalance();
  const kinds: readonly Footage[] = ['fixed', 'moving', 'cuts', 'ego'];
  for (let i = 0; ; i++) {
    const random = createRandom(`corpus ${split} ${seed} ${i}`);
    const footage = kinds[i % kinds.length]!;
    const spec = { seed: random.int(0, 2 ** 31), split, footage, durationSec: footage === 'ego' ? 90 : 30, activities: 'many', heldOut: false } as const;
    const viewing = new Viewing(createWorld(spec));
    for (const question of askDensely(viewing, balance, random, { everySec: 2, perTime: 3 })) yield* [question.question, question.answer];
    if (footage === 'ego') for (const question of askEgo(viewing, 4, random)) yield* [question.question, ...question.options];
    yield* new Set(captionsOf(viewing, random));
  }
}
