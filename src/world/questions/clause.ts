// Puts an event into a clause: "a person in red picks up a blue bag".
import type { EventKind, SceneKind, WorldEvent } from '../types.ts';
import type { World } from '../world.ts';

/** "an orange bag": the article follows the sound. */
export function withArticle(words: string): string {
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** "a person in red", "a blue car", "a lamp". */
export function nounOf(world: World, id: string): string {
  const { kind, look } = world.actor(id);
  if (kind === 'person') return `a person in ${look.colour}`;
  return kind === 'lamp' ? 'a lamp' : withArticle(`${look.colour} ${kind}`);
}

export const IN_PLACE: Readonly<Record<SceneKind, string>> = { street: 'on a street', shop: 'in a shop', room: 'in a room', park: 'in a park' };

type Verbs = readonly [string, ...string[]];

/** Verbs for each event, the usual one first; `{object}` and `{other}` are nouns. */
const VERBS: Readonly<Record<EventKind, Verbs>> = {
  enter: ['comes in', 'enters', 'appears'],
  leave: ['leaves', 'goes away', 'walks off'],
  stop: ['stops', 'comes to a stop'],
  turn: ['turns around', 'turns back'],
  meet: ['meets {other}', 'waves to {other}', 'greets {other}'],
  'pick-up': ['picks up {object}', 'bends and takes {object}', 'lifts {object}'],
  'put-down': ['puts down {object}', 'places {object} on the ground', 'sets down {object}'],
  'hand-over': ['hands {object} to {other}', 'gives {object} to {other}', 'passes {object} to {other}'],
  'get-in': ['gets into {object}', 'climbs into {object}', 'enters {object}'],
  'get-out': ['gets out of {object}', 'climbs out of {object}', 'comes out of {object}'],
  fall: ['falls', 'falls down', 'falls to the ground'],
  run: ['runs', 'is running', 'runs fast'],
  open: ['opens {object}', 'is opening {object}'],
  close: ['closes {object}', 'shuts {object}'],
  'switch-on': ['switches on a lamp', 'turns on a lamp', 'switches a lamp on'],
  'switch-off': ['switches off a lamp', 'turns off a lamp', 'switches a lamp off'],
  appear: ['appears', 'suddenly appears'],
  vanish: ['vanishes', 'disappears'],
};

const BICYCLE_VERBS: Readonly<Partial<Record<EventKind, Verbs>>> = {
  'get-in': ['gets on {object}', 'climbs on {object}'],
  'get-out': ['gets off {object}', 'climbs off {object}'],
};

const VEHICLE_VERBS: Readonly<Partial<Record<EventKind, Verbs>>> = {
  enter: ['arrives', 'comes along', 'comes in'],
  leave: ['drives away', 'goes away', 'leaves'],
};

/** The verbs of an event with its nouns filled in, the usual one first. */
export function verbsOf(world: World, event: WorldEvent): readonly string[] {
  const { kind } = world.actor(event.actor);
  const onBicycle = event.object !== undefined && world.actor(event.object).kind === 'bicycle';
  const verbs = (onBicycle ? BICYCLE_VERBS[event.kind] : kind === 'car' || kind === 'bicycle' ? VEHICLE_VERBS[event.kind] : undefined) ?? VERBS[event.kind];
  return verbs.map((verb) => verb
    .replace('{object}', event.object === undefined ? 'something' : nounOf(world, event.object))
    .replace('{other}', event.other === undefined ? 'someone' : nounOf(world, event.other)));
}

/** "a person in red picks up a blue bag". */
export function clauseOf(world: World, event: WorldEvent): string {
  return `${nounOf(world, event.actor)} ${verbsOf(world, event)[0]!}`;
}

/** Every word that clauses can hold, for the vocabulary. */
export const CLAUSE_TEXTS: readonly string[] = [...Object.values(VERBS), ...Object.values(BICYCLE_VERBS), ...Object.values(VEHICLE_VERBS)].flat().concat(Object.values(IN_PLACE));
