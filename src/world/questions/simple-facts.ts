// SF, simple facts: what is plain to see now.
import type { Pose } from '../types.ts';
import { now, NUMBERS, PLURALS, THINGS } from './template.ts';
import type { Draft, Template } from './template.ts';
import type { Viewing } from './viewing.ts';

/** What a pose is called in answers; poses that a still picture does not tell apart have none. */
export const DOING: Readonly<Partial<Record<Pose, string>>> = {
  stand: 'standing', walk: 'walking', run: 'running', lie: 'lying', bend: 'bending', wave: 'waving', ride: 'riding', reach: 'reaching',
};

/** People plain to see now, each with a pose that has lasted. */
export function doing(viewing: Viewing, timeSec: number): { id: string; colour: string; action: string }[] {
  return viewing.look(timeSec).objects.flatMap((seen) => {
    if (seen.kind !== 'person') return [];
    const pose = viewing.steadyPose(seen.id, timeSec);
    const action = pose === null ? undefined : DOING[pose];
    return action === undefined ? [] : [{ id: seen.id, colour: seen.colour, action }];
  });
}

const colour: Template = {
  id: 'sf-colour', class: 'SF', weight: 2,
  wordings: ['What colour is the {thing}?', 'Which colour does the {thing} have?', 'Tell me the colour of the {thing}.', 'The {thing} here, what colour is it?', 'In what colour is the {thing}?', 'Name the colour of the {thing} in view.'],
  find: (v, t) => THINGS.flatMap((kind): Draft[] => {
    const all = v.all(kind, t);
    return all?.length === 1 ? [{ slots: { thing: kind }, answer: all[0]!.colour, evidence: [now(t)], subjects: [all[0]!.id], group: kind }] : [];
  }),
};

const top: Template = {
  id: 'sf-top', class: 'SF', weight: 1.5,
  wordings: ['What colour is the person wearing?', 'What is the colour of the shirt of the person here?', 'Which colour does the person in view wear?', 'What colour are the clothes of the person?', 'In which colour is the person dressed?'],
  find(v, t) {
    const all = v.all('person', t);
    return all?.length === 1 ? [{ slots: {}, answer: all[0]!.colour, evidence: [now(t)], subjects: [all[0]!.id] }] : [];
  },
};

const who: Template = {
  id: 'sf-who-does', class: 'SF', weight: 2,
  wordings: ['What colour does the person who is {action} wear?', 'Someone is {action}: in which colour?', 'What is the shirt colour of the one who is {action}?', 'Which colour is worn by the person {action} now?', 'Who is {action}? Give the colour of the shirt.', 'The person who is {action} wears which colour?'],
  find(v, t) {
    const all = v.all('person', t);
    const people = doing(v, t);
    if (all === null || all.length < 2 || people.length !== all.length) return [];
    return people.filter((p) => people.filter((o) => o.action === p.action).length === 1)
      .map((p) => ({ slots: { action: p.action }, answer: p.colour, evidence: [now(t)], subjects: [p.id] }));
  },
};

const count: Template = {
  id: 'sf-count', class: 'SF', weight: 2,
  wordings: ['How many {things} are there now?', 'How many {things} can be seen?', 'Count the {things} in the picture.', 'What is the number of {things} here?', 'How many {things} do you see at the moment?', 'Tell me how many {things} are in view.'],
  find: (v, t) => (['person', 'bag', 'box', 'car', 'dog'] as const).flatMap((kind): Draft[] => {
    const all = v.all(kind, t);
    if (all === null || all.length > 5) return [];
    // Things that are rarely there at all would make "zero" a safe guess.
    if (all.length === 0 && (kind === 'car' || kind === 'dog')) return [];
    return [{ slots: { things: PLURALS[kind] }, answer: NUMBERS[all.length]!, evidence: [now(t)], subjects: all.map((o) => o.id), group: kind }];
  }),
};

const place: Template = {
  id: 'sf-place', class: 'SF', weight: 0.8,
  wordings: ['Where is this?', 'What place is shown?', 'Which kind of place is this?', 'Where are we now?', 'Name the place in the picture.'],
  find: (v, t) => (v.settled(t) ? [{ slots: {}, answer: v.place(t), evidence: [now(t)], subjects: [] }] : []),
};

const action: Template = {
  id: 'sf-action', class: 'SF', weight: 2.5,
  wordings: ['What is the person in {colour} doing?', 'What does the person wearing {colour} do now?', 'The one in {colour}, what are they doing?', 'Describe in a word what the person in {colour} is doing.', 'How is the person dressed in {colour} occupied?', 'What is going on with the person in {colour}?'],
  find: (v, t) => doing(v, t).map((p) => ({ slots: { colour: p.colour }, answer: p.action, evidence: [now(t)], subjects: [p.id] })),
};

const lamp: Template = {
  id: 'sf-lamp', class: 'SF', weight: 0.6,
  wordings: ['Is the lamp on or off?', 'Is the lamp lit, on or off?', 'What is the state of the lamp, on or off?', 'On or off: how is the lamp?', 'Does the lamp shine, on or off?'],
  find(v, t) {
    const lamps = v.all('lamp', t);
    const before = v.all('lamp', t - 0.5);
    if (lamps?.length !== 1 || before?.length !== 1 || lamps[0]!.value !== before[0]!.value) return [];
    return [{ slots: {}, answer: lamps[0]!.value > 0.5 ? 'on' : 'off', evidence: [now(t)], subjects: [lamps[0]!.id] }];
  },
};

const door: Template = {
  id: 'sf-door', class: 'SF', weight: 0.6,
  wordings: ['Is the {colour} door open or closed?', 'The {colour} door: open or closed?', 'How is the {colour} door, open or closed?', 'Does the {colour} door stand open or is it closed?', 'Say whether the {colour} door is open or closed.'],
  find: (v, t) => v.look(t).objects.flatMap((seen): Draft[] => {
    if (seen.kind !== 'door' || v.clear(seen.id, t) === null) return [];
    const before = v.look(t - 0.5).objects.find((o) => o.id === seen.id);
    if (before?.value !== seen.value || (seen.value > 0 && seen.value < 1)) return [];
    const alike = v.look(t).objects.some((o) => o.id !== seen.id && o.kind === 'door' && o.colour === seen.colour);
    return alike ? [] : [{ slots: { colour: seen.colour }, answer: seen.value === 1 ? 'open' : 'closed', evidence: [now(t)], subjects: [seen.id] }];
  }),
};

const hat: Template = {
  id: 'sf-hat', class: 'SF', weight: 1,
  wordings: ['What colour is the hat of the person in {colour}?', 'Which colour is the hat that the person wearing {colour} has?', 'The person in {colour} wears a hat of what colour?', 'Name the colour of the hat on the person in {colour}.', 'What is the hat colour of the one dressed in {colour}?'],
  find: (v, t) => v.look(t).objects.flatMap((seen): Draft[] => {
    if (seen.kind !== 'person' || seen.box[3] < 80 || seen.visible < 0.85 || v.clear(seen.id, t) === null) return [];
    const { hat: worn } = v.world.actor(seen.id).look;
    return worn === null || (seen.pose !== 'stand' && seen.pose !== 'walk') ? [] : [{ slots: { colour: seen.colour }, answer: worn, evidence: [now(t)], subjects: [seen.id] }];
  }),
};

export const SIMPLE_FACTS: readonly Template[] = [colour, top, who, count, place, action, lamp, door, hat];
