// Captions: what the main thing in a short clip is, said in twenty ways, as MSR-VTT's annotators do.
import type { Random } from '../core/random.ts';
import { IN_PLACE, nounOf, verbsOf, withArticle } from './questions/clause.ts';
import type { Viewing } from './questions/viewing.ts';
import type { EventKind, SceneKind, WorldEvent } from './types.ts';

export const CAPTIONS_PER_CLIP = 20;

/** What people would mention first. */
const TELLING: readonly EventKind[] = ['hand-over', 'fall', 'pick-up', 'put-down', 'get-in', 'get-out', 'switch-on', 'switch-off', 'meet', 'vanish', 'appear', 'run', 'turn', 'open', 'close', 'leave', 'enter', 'stop'];

const PLACES: Readonly<Record<SceneKind, readonly string[]>> = {
  street: ['on a street', 'on the street', 'in the street', 'in a city street'],
  shop: ['in a shop', 'in the shop', 'inside a shop', 'at a shop'],
  room: ['in a room', 'in the room', 'inside a room', 'at home'],
  park: ['in a park', 'in the park', 'outside in a park', 'on the grass'],
};

/** Different ways to name a person. */
function peopleNames(noun: string): readonly string[] {
  const colour = /^a person in (\w+)$/.exec(noun)?.[1];
  if (colour === undefined) return [noun];
  return [noun, `a person wearing ${colour}`, `someone in ${colour}`, `a person in ${withArticle(colour)} shirt`, `somebody dressed in ${colour}`];
}

/** The event that captions tell of: the most telling of those plain to see, or null in a clip where none is. */
export function mainEvent(viewing: Viewing): WorldEvent | null {
  const events = viewing.world.events.filter((e) => viewing.witnessed(e));
  if (events.length === 0) return null;
  return events.toSorted((a, b) => TELLING.indexOf(a.kind) - TELLING.indexOf(b.kind) || a.startSec - b.startSec)[0]!;
}

/** What the captions are about, when nothing happens: the largest thing in the middle of the clip. */
function stillLife(viewing: Viewing): { subject: string; verbs: readonly string[] } {
  const middle = viewing.look(viewing.world.durationSec / 2).objects.filter((o) => o.kind !== 'lamp' && o.kind !== 'door' && viewing.isClear(o));
  const people = middle.filter((o) => o.kind === 'person');
  const seen = [...(people.length > 0 ? people : middle)].sort((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3])[0];
  if (seen === undefined) return { subject: 'nobody', verbs: ['is there', 'can be seen', 'is in view'] };
  return { subject: nounOf(viewing.world, seen.id), verbs: seen.kind === 'person' ? ['stands', 'is standing', 'waits'] : ['is there', 'can be seen', 'is in view'] };
}

/** Twenty references for one clip, lower case, without a full stop; the usual wording is the most frequent. */
export function captionsOf(viewing: Viewing, random: Random): string[] {
  const { world } = viewing;
  const event = mainEvent(viewing);
  const { subject, verbs } = event === null ? stillLife(viewing) : { subject: nounOf(world, event.actor), verbs: verbsOf(world, event) };
  const place = PLACES[event === null ? viewing.place(world.durationSec / 2) : world.scenes[event.scene]!.kind];
  const names = peopleNames(subject);
  const usual = <T>(items: readonly T[], share: number): T => (random.next() < share ? items[0]! : random.pick(items));
  const captions: string[] = [];
  for (let i = 0; i < CAPTIONS_PER_CLIP; i++) {
    const name = usual(names, 0.55);
    const verb = usual(verbs, 0.55);
    const where = usual(place, 0.5);
    const form = random.next();
    captions.push(form < 0.65 ? `${name} ${verb} ${where}` : form < 0.85 ? `${name} ${verb}` : `${where} ${name} ${verb}`);
  }
  return captions;
}

/** All texts that captions are made from, for the vocabulary. */
export function captionTexts(): string[] {
  return [...Object.values(PLACES).flat(), ...Object.values(IN_PLACE), ...peopleNames('a person in red'), 'stands is standing waits is there can be seen is in view nobody an'];
}
