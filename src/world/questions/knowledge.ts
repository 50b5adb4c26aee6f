// KG, knowledge: what is seen, joined to what everybody knows.
import type { ActorClass, ColourName, SceneKind } from '../types.ts';
import { now, NUMBERS, THINGS } from './template.ts';
import type { Draft, Template } from './template.ts';

export const SAME_COLOUR: Readonly<Record<ColourName, string>> = {
  red: 'tomato', orange: 'carrot', yellow: 'lemon', green: 'grass', blue: 'sky', purple: 'plum', pink: 'flamingo', brown: 'chocolate', black: 'coal', white: 'snow',
};

export const PURPOSE: Readonly<Record<SceneKind, string>> = { street: 'driving', shop: 'buying', room: 'living', park: 'strolling' };

const like: Template = {
  id: 'kg-like', class: 'KG', weight: 3,
  wordings: ['What has the same colour as {name}: tomato, carrot, lemon, grass, sky, plum, flamingo, chocolate, coal or snow?', 'Name something that has the colour of {name}.', 'Which thing in nature is coloured like {name}?', '{name}: what else has that colour, such as a lemon or a plum?', 'What in nature has the colour of {name}?', 'Think of something as coloured as {name}.'],
  find: (v, t) => [...THINGS, 'person' as const].flatMap((kind): Draft[] => {
    const all = v.all(kind, t);
    if (all?.length !== 1) return [];
    const name = kind === 'person' ? 'the shirt of the person' : `the ${kind}`;
    return [{ slots: { name }, answer: SAME_COLOUR[all[0]!.colour], evidence: [now(t)], subjects: [all[0]!.id], group: kind }];
  }),
};

const wheels: Template = {
  id: 'kg-wheels', class: 'KG', weight: 1.5,
  wordings: ['How many wheels do the vehicles here have in all?', 'Count the wheels: four for a car, two for a bicycle.', 'How many wheels are there on all cars and bicycles in view?', 'What is the number of wheels in the picture?', 'All wheels together, how many are there?'],
  find(v, t) {
    const cars = v.all('car', t);
    const bicycles = v.all('bicycle', t);
    if (cars === null || bicycles === null || (cars.length === 0 && bicycles.length === 0)) return [];
    const count = 4 * cars.length + 2 * bicycles.length;
    return count > 12 ? [] : [{ slots: {}, answer: NUMBERS[count]!, evidence: [now(t)], subjects: [...cars, ...bicycles].map((o) => o.id) }];
  },
};

const legs: Template = {
  id: 'kg-legs', class: 'KG', weight: 1.5,
  wordings: ['How many legs do the people and dogs here have in all?', 'Count the legs of all living beings in view.', 'How many legs are there, of people and of dogs together?', 'What is the number of legs of those in the picture?', 'All legs of people and animals, how many are there?'],
  find(v, t) {
    const people = v.all('person', t);
    const dogs = v.all('dog', t);
    if (people === null || dogs === null) return [];
    const count = 2 * people.length + 4 * dogs.length;
    return count > 12 ? [] : [{ slots: {}, answer: NUMBERS[count]!, evidence: [now(t)], subjects: [...people, ...dogs].map((o) => o.id) }];
  },
};

const indoors: Template = {
  id: 'kg-indoors', class: 'KG', weight: 0.5,
  wordings: ['Is this indoors or outdoors?', 'Are we indoors or outdoors?', 'Indoors or outdoors: which is it?', 'Would rain fall here, or is it indoors? Say indoors or outdoors.', 'Say whether it is indoors or outdoors.'],
  find(v, t) {
    const place = v.place(t);
    return v.settled(t) ? [{ slots: {}, answer: place === 'shop' || place === 'room' ? 'indoors' : 'outdoors', evidence: [now(t)], subjects: [] }] : [];
  },
};

const purpose: Template = {
  id: 'kg-purpose', class: 'KG', weight: 1.2,
  wordings: ['What is this place for: driving, buying, living or strolling?', 'What do people come to such a place for?', 'What is a place like this used for?', 'Which fits this place: driving, buying, living or strolling?', 'Such places are made for what?'],
  find: (v, t) => (v.settled(t) ? [{ slots: {}, answer: PURPOSE[v.place(t)], evidence: [now(t)], subjects: [] }] : []),
};

export const TRAITS: readonly (readonly [ActorClass, string])[] = [['dog', 'can bark'], ['car', 'has an engine'], ['bicycle', 'is driven with pedals'], ['bag', 'has a handle to carry it by'], ['box', 'is a parcel']];

const trait: Template = {
  id: 'kg-trait', class: 'KG', weight: 2.2,
  wordings: ['What colour is the thing here that {trait}?', 'Of which colour is what {trait}?', 'Something here {trait}: what colour is it?', 'Name the colour of the one that {trait}.', 'The thing in the picture that {trait} has which colour?'],
  find: (v, t) => TRAITS.flatMap(([kind, words]): Draft[] => {
    const all = v.all(kind, t);
    return all?.length === 1 ? [{ slots: { trait: words }, answer: all[0]!.colour, evidence: [now(t)], subjects: [all[0]!.id], group: kind }] : [];
  }),
};

const needsHelp: Template = {
  id: 'kg-help', class: 'KG', weight: 0.5,
  wordings: ['Does someone here need help?', 'Has someone had an accident here, so that help is needed?', 'Would you call for help now?', 'Is there someone who needs help?', 'Should anybody here be helped up?'],
  find(v, t) {
    const people = v.all('person', t);
    if (people === null || people.length === 0) return [];
    const poses = people.map((p) => v.steadyPose(p.id, t));
    if (poses.includes(null) || poses.includes('fall') || poses.includes('rise')) return [];
    return [{ slots: {}, answer: poses.includes('lie') ? 'yes' : 'no', evidence: [now(t)], subjects: people.map((p) => p.id) }];
  },
};

export const KNOWLEDGE: readonly Template[] = [like, wheels, legs, indoors, purpose, trait, needsHelp];
