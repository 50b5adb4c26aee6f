// CI, conversational interaction: questions that only the dialogue before makes clear.
import { carriedBy } from './object-search.ts';
import { doing } from './simple-facts.ts';
import { now } from './template.ts';
import type { Draft, Template, Turn } from './template.ts';
import type { ColourName } from '../types.ts';
import { PAINT } from '../colours.ts';

/** A follow-up refers to what was said this recently. */
const FRESH_SEC = 30;

function last(dialogue: readonly Turn[], timeSec: number): Turn | null {
  const turn = dialogue.at(-1);
  return turn === undefined || turn.timeSec < timeSec - FRESH_SEC || turn.subjects.length === 0 ? null : turn;
}

function spanTo(turn: Turn, timeSec: number): Draft['evidence'] {
  return [[Math.max(0, turn.timeSec - 1), turn.timeSec], now(timeSec)];
}

function isColour(text: string): text is ColourName {
  return Object.hasOwn(PAINT, text);
}

/** The one whom the last question was about, if it was about one alone. */
function one(turn: Turn | null): string | null {
  if (turn === null) return null;
  return /count|wheels|legs|exists|first$|people|often/.test(turn.template) ? null : turn.subjects[0]!;
}

const where: Template = {
  id: 'ci-where', class: 'CI', weight: 3,
  wordings: ['And on which side is it now?', 'Where is that one now: left, middle or right?', 'And where do you see it now?', 'On which side of the picture is that now?', 'Left, middle or right: where is it?', 'And its side now?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    if (turn === null || id === null || v.world.actor(id).kind === 'lamp' || ['left', 'middle', 'right'].includes(turn.answer)) return [];
    const side = v.steadySide(id, t);
    return side === null ? [] : [{ slots: {}, answer: side, evidence: spanTo(turn, t), subjects: [id] }];
  },
};

const doingNow: Template = {
  id: 'ci-doing', class: 'CI', weight: 3,
  wordings: ['And what is that person doing now?', 'What are they doing now?', 'And how is that person occupied now?', 'What is this person up to at the moment?', 'And now, what does that person do?', 'That person, what are they doing?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    if (turn === null || id === null || v.world.actor(id).kind !== 'person' || turn.template === 'sf-who-does' || turn.template === 'sf-action') return [];
    return doing(v, t).filter((p) => p.id === id).map((p) => ({ slots: {}, answer: p.action, evidence: spanTo(turn, t), subjects: [id] }));
  },
};

const colourOf: Template = {
  id: 'ci-colour', class: 'CI', weight: 3,
  wordings: ['And what colour is it?', 'Of what colour is that?', 'And its colour?', 'Which colour does it have?', 'What is the colour of that one?', 'And in which colour is it?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    if (turn === null || id === null) return [];
    const { kind, look } = v.world.actor(id);
    // Neither the question nor its answer may have named the colour.
    if (kind === 'lamp' || kind === 'person' || `${turn.question} ${turn.answer}`.includes(look.colour) || v.clear(id, t) === null) return [];
    return [{ slots: {}, answer: look.colour, evidence: spanTo(turn, t), subjects: [id] }];
  },
};

const carries: Template = {
  id: 'ci-carries', class: 'CI', weight: 1.5,
  wordings: ['Is that person carrying a bag, a box or nothing?', 'And what does that person carry?', 'What does this person have in hand?', 'And what is in their hands?', 'Does that one hold a bag, a box or nothing?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    if (turn === null || id === null || v.world.actor(id).kind !== 'person' || /held|holder|carried|item/.test(turn.template)) return [];
    const found = carriedBy(v, id, t);
    return found === null ? [] : [{ slots: {}, answer: found.answer, evidence: spanTo(turn, t), subjects: [id] }];
  },
};

const other: Template = {
  id: 'ci-other', class: 'CI', weight: 2,
  wordings: ['And the other person, what colour do they wear?', 'In which colour is the other person?', 'What about the other one: which colour?', 'And who else is there? Give the colour.', 'The second person wears which colour?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    const people = v.all('person', t);
    if (turn === null || id === null || people?.length !== 2 || !people.some((p) => p.id === id)) return [];
    const rest = people.find((p) => p.id !== id)!;
    return `${turn.question} ${turn.answer}`.includes(rest.colour) ? [] : [{ slots: {}, answer: rest.colour, evidence: spanTo(turn, t), subjects: [rest.id] }];
  },
};

const still: Template = {
  id: 'ci-still', class: 'CI', weight: 0.7,
  wordings: ['Is it still there?', 'Can you still see it?', 'Is that one still in the picture?', 'And is it still in view?', 'Does it still show?'],
  find(v, t, dialogue) {
    const turn = last(dialogue, t);
    const id = one(turn);
    if (turn === null || id === null || v.world.actor(id).kind === 'lamp' || turn.template.startsWith('lm') || turn.template === 'os-last-seen' || turn.template === 'sm-gone' || turn.template === 'sm-direction') return [];
    const answer = v.clear(id, t) !== null ? 'yes' : v.absent(id, t) ? 'no' : null;
    return answer === null ? [] : [{ slots: {}, answer, evidence: spanTo(turn, t), subjects: [id] }];
  },
};

const said: Template = {
  id: 'ci-said', class: 'CI', weight: 0.8,
  wordings: ['Which colour did you name last?', 'What was the last colour in your answers?', 'Repeat the colour you gave last.', 'Which colour did you say before?', 'What colour did you tell me last?'],
  find(_, t, dialogue) {
    const turn = dialogue.findLast((d) => isColour(d.answer) && d.timeSec > t - 60);
    return turn === undefined || turn.template === 'ci-said' ? [] : [{ slots: {}, answer: turn.answer, evidence: [[Math.max(0, turn.timeSec - 1), turn.timeSec]], subjects: [] }];
  },
};

export const CONVERSATION: readonly Template[] = [where, doingNow, colourOf, carries, other, still, said];
