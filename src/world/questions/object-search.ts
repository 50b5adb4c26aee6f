// OS, object search: where things are, who has them, what is near them.
import { nameOf, now, THINGS } from './template.ts';
import type { Draft, Template } from './template.ts';
import { VIEW_WIDTH } from '../scene/layout.ts';
import type { Seen } from '../world.ts';
import type { Viewing } from './viewing.ts';

const CARRIED = ['bag', 'box'] as const;

/** Who holds a thing that is plain to see: an id, `nobody`, or null where it is not sure. */
export function holderOf(viewing: Viewing, id: string, timeSec: number): string | null {
  const now = viewing.clear(id, timeSec);
  const before = viewing.look(timeSec - 0.5).objects.find((o) => o.id === id);
  if (now === null || before?.holder !== now.holder) return null;
  if (now.holder === null) return 'nobody';
  const holder = viewing.clear(now.holder, timeSec);
  return holder === null || holder.pose === 'bend' || holder.pose === 'give' ? null : now.holder;
}

/** What someone carries: a class, `nothing`, or null where it is not sure. */
export function carriedBy(viewing: Viewing, id: string, timeSec: number): { answer: string; item: string | null } | null {
  const person = viewing.clear(id, timeSec);
  if (person === null || person.pose === 'bend' || person.pose === 'give' || person.pose === 'ride') return null;
  for (const kind of CARRIED) {
    const item = viewing.look(timeSec).objects.find((o) => o.kind === kind && o.holder === id);
    if (item !== undefined) return holderOf(viewing, item.id, timeSec) === id ? { answer: kind, item: item.id } : null;
  }
  // A thing on the ground right before the feet might be taken for one in the hand.
  const close = viewing.look(timeSec).objects.some((o) => (o.kind === 'bag' || o.kind === 'box') && gap(o, person) < 14);
  return close ? null : { answer: 'nothing', item: null };
}

function gap(a: Seen, b: Seen): number {
  const dx = Math.max(0, Math.max(a.box[0], b.box[0]) - Math.min(a.box[0] + a.box[2], b.box[0] + b.box[2]));
  const dy = Math.max(0, Math.max(a.box[1], b.box[1]) - Math.min(a.box[1] + a.box[3], b.box[1] + b.box[3]));
  return Math.hypot(dx, dy);
}

function feetApart(a: Seen, b: Seen): number {
  return Math.hypot(a.box[0] + a.box[2] / 2 - b.box[0] - b.box[2] / 2, a.box[1] + a.box[3] - b.box[1] - b.box[3]);
}

const side: Template = {
  id: 'os-side', class: 'OS', weight: 3,
  wordings: ['Where is {name}: left, middle or right?', 'On which side is {name}?', 'Where in the picture is {name}?', 'Is {name} on the left, in the middle or on the right?', 'Find {name}: left, middle or right?', 'Point me to {name}.'],
  find: (v, t) => v.look(t).objects.flatMap((seen): Draft[] => {
    if (seen.kind === 'lamp' || seen.holder !== null) return [];
    const where = v.steadySide(seen.id, t);
    const name = where === null ? null : nameOf(v, seen.id, t - 1, t);
    return where === null || name === null ? [] : [{ slots: { name }, answer: where, evidence: [now(t)], subjects: [seen.id] }];
  }),
};

const holder: Template = {
  id: 'os-holder', class: 'OS', weight: 2.5,
  wordings: ['Who has the {thing}? Answer with a colour or nobody.', 'Which colour does the one wear who holds the {thing}?', 'Who is carrying the {thing}?', 'In whose hands is the {thing}? Give the colour.', 'Who holds the {thing} now?', 'With whom is the {thing}?'],
  find: (v, t) => CARRIED.flatMap((kind): Draft[] => {
    const all = v.all(kind, t);
    if (all?.length !== 1) return [];
    const id = all[0]!.id;
    const who = holderOf(v, id, t);
    if (who === null) return [];
    return [{ slots: { thing: kind }, answer: who === 'nobody' ? 'nobody' : v.world.actor(who).look.colour, evidence: [now(t)], subjects: who === 'nobody' ? [id] : [id, who] }];
  }),
};

const held: Template = {
  id: 'os-held', class: 'OS', weight: 1.5,
  wordings: ['What is the person in {colour} carrying: bag, box or nothing?', 'What does the person wearing {colour} have in hand?', 'Which thing does the person in {colour} hold?', 'What is in the hands of the one in {colour}?', 'Does the person in {colour} carry a bag, a box or nothing?'],
  find: (v, t) => v.look(t).objects.flatMap((seen): Draft[] => {
    if (seen.kind !== 'person') return [];
    const found = carriedBy(v, seen.id, t);
    return found === null ? [] : [{ slots: { colour: seen.colour }, answer: found.answer, evidence: [now(t)], subjects: found.item === null ? [seen.id] : [seen.id, found.item] }];
  }),
};

const which: Template = {
  id: 'os-which', class: 'OS', weight: 2.5,
  wordings: ['Which thing is {colour}?', 'What is the {colour} thing?', 'Apart from clothes, what here is {colour}?', 'Find the {colour} thing: what is it?', 'What do you see that is {colour}?', 'Name the thing that is {colour}.'],
  find(v, t) {
    const seen = v.look(t).objects.filter((o) => o.kind !== 'person' && o.kind !== 'lamp');
    // Clothes of that colour would make the question mean two things.
    return seen.filter((o) => v.clear(o.id, t) !== null && v.look(t).objects.filter((p) => p.colour === o.colour && p.kind !== 'lamp').length === 1)
      .map((o) => ({ slots: { colour: o.colour }, answer: o.kind, evidence: [now(t)], subjects: [o.id], group: o.colour }));
  },
};

const exists: Template = {
  id: 'os-exists', class: 'OS', weight: 0.8,
  wordings: ['Is there a {colour} {thing}?', 'Can you see a {colour} {thing}?', 'Do you see a {colour} {thing} here?', 'Is a {colour} {thing} in the picture?', 'Look for a {colour} {thing}: is there one?'],
  find: (v, t) => THINGS.flatMap((kind): Draft[] => {
    const all = v.all(kind, t);
    if (all === null || all.length === 0) return [];
    // A plausible no: the class is there in another colour, and the colour is there on something else.
    const own = new Set(all.map((o) => o.colour));
    const others = v.look(t).objects.filter((o) => o.kind !== kind && o.kind !== 'lamp' && !own.has(o.colour) && v.clear(o.id, t) !== null);
    const yes = all.slice(0, 1).map((o): Draft => ({ slots: { colour: o.colour, thing: kind }, answer: 'yes', evidence: [now(t)], subjects: [o.id] }));
    const no = others.slice(0, 1).map((o): Draft => ({ slots: { colour: o.colour, thing: kind }, answer: 'no', evidence: [now(t)], subjects: all.map((a) => a.id) }));
    return [...yes, ...no];
  }),
};

const nearest: Template = {
  id: 'os-nearest', class: 'OS', weight: 1.5,
  wordings: ['Who is nearest to the {thing}? Give the colour.', 'What colour does the person closest to the {thing} wear?', 'Which person stands nearest to the {thing}?', 'Next to the {thing} is someone: in what colour?', 'Who is right beside the {thing}?', 'The person closest to the {thing} wears what?'],
  find: (v, t) => (['car', 'bicycle', 'dog', 'bag', 'box', 'door'] as const).flatMap((kind): Draft[] => {
    const things = v.all(kind, t);
    const people = v.all('person', t);
    if (things?.length !== 1 || people === null || people.length < 2 || things[0]!.holder !== null) return [];
    // Its rider is on it, not near it.
    if (people.some((p) => p.holder === things[0]!.id)) return [];
    // Who is cut off by the edge might stand anywhere beyond it.
    if ([things[0]!, ...people].some((o) => o.box[0] < 2 || o.box[0] + o.box[2] > VIEW_WIDTH - 2)) return [];
    const thing = things[0]!;
    const ranked = people.map((p) => ({ p, d: feetApart(p, thing) })).sort((a, b) => a.d - b.d);
    if (ranked[0]!.d > 85 || ranked[1]!.d < ranked[0]!.d * 1.7 + 12) return [];
    return [{ slots: { thing: kind }, answer: ranked[0]!.p.colour, evidence: [now(t)], subjects: [ranked[0]!.p.id, thing.id] }];
  }),
};

const lastSeen: Template = {
  id: 'os-last-seen', class: 'OS', weight: 2,
  wordings: ['Where was {name} last seen: left, middle or right?', 'On which side was {name} when last in view?', 'Where did you see {name} the last time?', 'I am looking for {name}: where was it last?', 'Where was {name} before it was gone?'],
  find: (v, t) => (['person', 'car', 'dog', 'bag', 'box', 'bicycle'] as const).flatMap((kind) => v.seenBetween(kind, Math.max(0, t - 20), t - 1.5).flatMap((id): Draft[] => {
    if (!v.absent(id, t)) return [];
    const last = v.sightings(id).findLast(([, to]) => to < t);
    // What walks out of the picture passes through the edge: no question, then.
    if (last === undefined || last[1] < t - 20) return [];
    const from = v.clear(id, last[1]);
    const where = from === null || from.holder !== null ? null : v.side(from);
    const again = v.look(last[1] + 0.5).objects.find((o) => o.id === id);
    if (where === null || (again !== undefined && v.side(again) !== where)) return [];
    const name = nameOf(v, id, last[0], t);
    return name === null ? [] : [{ slots: { name }, answer: where, evidence: [[Math.max(last[0], last[1] - 1.5), last[1] + 0.5]], subjects: [id] }];
  })),
};

export const OBJECT_SEARCH: readonly Template[] = [side, holder, held, which, exists, nearest, lastSeen];
