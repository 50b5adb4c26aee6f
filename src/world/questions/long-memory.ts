// LM, long-term memory: what happened a good while ago, and what has added up since the start.
import { byPerson, deedOf } from './happenings.ts';
import { nameOf, now, NUMBERS, THINGS } from './template.ts';
import type { Draft, Template } from './template.ts';
import type { Span, Viewing } from './viewing.ts';

/** "Earlier" begins here. */
const EARLIER_SEC = 12;
/** How far back a question without a time may reach: beyond it a class is seldom unique. */
const HORIZON_SEC = 3600;

function first(viewing: Viewing, id: string): Span {
  const [from, to] = viewing.sightings(id)[0]!;
  return [Math.max(0, from - 0.5), Math.min(to, from + 4)];
}

const firstPlace: Template = {
  id: 'lm-first-place', class: 'LM', weight: 0.8,
  wordings: ['What was the first place shown?', 'Where did the video begin?', 'Which place did we see at the very start?', 'At the beginning, where were we?', 'What kind of place opened the video?'],
  find(v, t) {
    const [shot] = v.world.shots;
    return shot!.endSec > t - EARLIER_SEC ? [] : [{ slots: {}, answer: v.place(0), evidence: [[0, 2]], subjects: [], group: v.place(t) }];
  },
};

const colourThen: Template = {
  id: 'lm-colour', class: 'LM', weight: 3,
  wordings: ['What colour was the {thing} that was seen earlier?', 'Earlier there was a {thing}: of what colour?', 'Which colour did the {thing} have that is gone now?', 'Do you remember the colour of the {thing}?', 'What was the colour of the {thing} from before?', 'The {thing} of earlier, what colour was it?'],
  find: (v, t) => THINGS.flatMap((kind): Draft[] => {
    const seen = v.seenBetween(kind, Math.max(0, t - HORIZON_SEC), t);
    const glimpsed = v.glimpsedBetween(kind, Math.max(0, t - HORIZON_SEC), t);
    const [id] = seen;
    if (seen.length !== 1 || id === undefined || glimpsed.size !== 1) return [];
    const last = v.sightings(id).findLast(([from]) => from < t);
    if (last === undefined || last[1] > t - EARLIER_SEC || !v.absent(id, t)) return [];
    return [{ slots: { thing: kind }, answer: v.world.actor(id).look.colour, evidence: [[Math.max(last[0], last[1] - 4), last[1]]], subjects: [id], group: kind }];
  }),
};

const seenYet: Template = {
  id: 'lm-seen', class: 'LM', weight: 0.9,
  wordings: ['Has a {colour} {thing} been seen so far?', 'Did a {colour} {thing} show up earlier?', 'Was there a {colour} {thing} before?', 'Have you seen a {colour} {thing} so far?', 'Up to now, did any {colour} {thing} appear?'],
  find: (v, t) => THINGS.flatMap((kind): Draft[] => {
    if (t < EARLIER_SEC + 3 || t > 600) return [];
    const seen = v.seenBetween(kind, 0, t);
    const colours = new Set([...v.glimpsedBetween(kind, 0, t)].map((id) => v.world.actor(id).look.colour));
    const yes = seen.filter((id) => v.absent(id, t)).slice(0, 1).map((id): Draft => ({ slots: { colour: v.world.actor(id).look.colour, thing: kind }, answer: 'yes', evidence: [first(v, id)], subjects: [id] }));
    // A plausible no: a colour that something else had.
    const others = THINGS.filter((k) => k !== kind).flatMap((k) => v.seenBetween(k, 0, t)).filter((id) => !colours.has(v.world.actor(id).look.colour));
    const no = colours.size === 0 ? [] : others.slice(0, 1).map((id): Draft => ({ slots: { colour: v.world.actor(id).look.colour, thing: kind }, answer: 'no', evidence: [[0, t]], subjects: seen }));
    return [...yes, ...no];
  }),
};

const cameFirst: Template = {
  id: 'lm-first', class: 'LM', weight: 0.8,
  wordings: ['Which was seen first: {a} or {b}?', 'What came first, {a} or {b}?', 'Of {a} and {b}, which showed up first?', 'Which appeared earlier, {a} or {b}?', 'Who or what was there first: {a} or {b}?'],
  find(v, t) {
    if (t > 300) return [];
    const ids = THINGS.flatMap((kind) => (kind === 'door' ? [] : v.seenBetween(kind, 0, t)));
    const drafts: Draft[] = [];
    for (const a of ids) {
      for (const b of ids) {
        // Each pair once, the sides given by the colours' alphabet, so that the order of words tells nothing.
        if (a >= b || v.world.actor(a).kind === v.world.actor(b).kind) continue;
        const [startA, startB] = [v.sightings(a)[0]![0], v.sightings(b)[0]![0]];
        if (Math.abs(startA - startB) < 4 || Math.max(startA, startB) > t - 4) continue;
        const [x, y] = v.world.actor(a).look.colour <= v.world.actor(b).look.colour ? [a, b] : [b, a];
        const names = [x, y].map((id) => nameOf(v, id, 0, t));
        if (names.includes(null)) continue;
        const answer = startA < startB ? a : b;
        drafts.push({ slots: { a: names[0]!, b: names[1]! }, answer: v.world.actor(answer).kind, evidence: [first(v, a), first(v, b)], subjects: [answer, answer === a ? b : a], group: [v.world.actor(a).kind, v.world.actor(b).kind].sort().join('-') });
      }
    }
    return drafts;
  },
};

const whoEarlier: Template = {
  id: 'lm-who-did', class: 'LM', weight: 3,
  wordings: ['Earlier someone {did}. In which colour?', 'Who {did} earlier? Give the colour.', 'What colour did the one wear who {did} a while ago?', 'Do you remember who {did}?', 'Which colour was worn by the person who {did} before?', 'A while ago someone {did}: which colour did they wear?'],
  find: (v, t) => v.world.events.flatMap((event): Draft[] => {
    const words = deedOf(v, event);
    if (words === null || event.kind === 'meet' || event.kind === 'enter' || event.endSec > t - EARLIER_SEC || event.endSec < t - HORIZON_SEC || !v.witnessed(event)) return [];
    const alike = v.world.events.some((e) => e.kind === event.kind && e.id !== event.id && e.startSec < t && e.startSec > t - HORIZON_SEC && byPerson(v, e));
    return alike ? [] : [{ slots: { did: words.clause }, answer: v.world.actor(event.actor).look.colour, evidence: [[Math.max(0, event.startSec - 0.5), event.endSec]], subjects: [event.actor], events: [event] }];
  }),
};

export const TIMES = { fall: 'did someone fall', run: 'did a person run', open: 'was a door opened', 'pick-up': 'was something picked up' } as const;

const howOften: Template = {
  id: 'lm-how-often', class: 'LM', weight: 1.2,
  wordings: ['How many times {happened} so far?', 'Until now, how often {happened}? Give a number.', 'Since the start, how many times {happened}?', 'In all, how many times {happened}?', 'Count: how many times {happened} by now?'],
  find: (v, t) => (Object.keys(TIMES) as (keyof typeof TIMES)[]).flatMap((kind): Draft[] => {
    if (t < 15 || t > 240) return [];
    const all = v.world.events.filter((e) => e.kind === kind && e.startSec < t + 1 && byPerson(v, e) && v.look(e.startSec).scene === e.scene);
    if (all.length > 4 || all.some((e) => e.endSec > t - 1 || !v.witnessed(e))) return [];
    return [{ slots: { happened: TIMES[kind] }, answer: NUMBERS[all.length]!, evidence: all.length === 0 ? [[0, t]] : all.map((e): Span => [e.startSec, e.endSec]), subjects: all.map((e) => e.actor), events: all, group: kind }];
  }),
};

const howManyPeople: Template = {
  id: 'lm-people', class: 'LM', weight: 1,
  wordings: ['How many different people have been seen so far?', 'How many people in all have shown up?', 'Count the different people since the start.', 'In total, how many people have you seen?', 'How many persons have appeared up to now?'],
  find(v, t) {
    if (t < 14 || t > 120) return [];
    const seen = v.seenBetween('person', 0, t);
    const doubtful = v.glimpsedBetween('person', 0, t).size !== seen.length;
    return doubtful || seen.length > 7 || seen.length < 1 ? [] : [{ slots: {}, answer: NUMBERS[seen.length]!, evidence: seen.map((id) => first(v, id)), subjects: seen }];
  },
};

const atStart: Template = {
  id: 'lm-start-side', class: 'LM', weight: 1.5,
  wordings: ['Where was {name} at the very beginning?', 'At the start, on which side was {name}?', 'On which side of the first picture was {name}?', 'When the video began, where was {name}?', 'In the first seconds, was {name} left, middle or right?'],
  find(v, t) {
    if (t < EARLIER_SEC + 2 || t > 600) return [];
    return v.look(1).objects.flatMap((seen): Draft[] => {
      if (seen.kind === 'lamp' || seen.holder !== null) return [];
      const where = v.steadySide(seen.id, 1);
      const name = where === null || v.steadySide(seen.id, 2) !== where ? null : nameOf(v, seen.id, 0, t);
      // What stands there still could be looked up now.
      const still = v.steadySide(seen.id, t);
      if (where === null || name === null || still === where) return [];
      return [{ slots: { name }, answer: where, evidence: [[0, 2]], subjects: [seen.id] }];
    });
  },
};

const wherePlace: Template = {
  id: 'lm-where', class: 'LM', weight: 1.5,
  wordings: ['In which place was {name} seen?', 'Where was {name}: street, shop, room or park?', 'What place was {name} in?', 'In what kind of place did you see {name}?', 'Which place had {name} in it?'],
  find(v, t) {
    if (v.world.scenes.length < 2) return [];
    const from = Math.max(0, t - 400);
    return (['person', 'dog', 'bag', 'box'] as const).flatMap((kind) => v.seenBetween(kind, from, t - EARLIER_SEC).flatMap((id): Draft[] => {
      const { scene } = v.world.actor(id);
      if (scene === v.world.shotAt(t).scene || !v.absent(id, t)) return [];
      const name = nameOf(v, id, from, t);
      return name === null ? [] : [{ slots: { name }, answer: v.world.scenes[scene]!.kind, evidence: [first(v, id)], subjects: [id], group: v.place(t) }];
    }));
  },
};

const ownerThen: Template = {
  id: 'lm-carried', class: 'LM', weight: 1.2,
  wordings: ['Who had the {thing} earlier? Give the colour.', 'Earlier someone carried the {thing}: in what colour?', 'What colour did the one wear who had the {thing} before?', 'By whom was the {thing} carried a while ago?', 'Who was seen with the {thing} in hand earlier?'],
  find: (v, t) => (['bag', 'box'] as const).flatMap((kind): Draft[] => {
    const from = Math.max(0, t - 120);
    const ids = [...v.glimpsedBetween(kind, from, t)];
    const [id] = ids;
    if (ids.length !== 1 || id === undefined) return [];
    const holders = new Set<string>();
    const span: [number, number] = [Infinity, -Infinity];
    for (let s = from; s <= t; s += 0.5) {
      const seen = v.look(s).objects.find((o) => o.id === id && o.holder !== null);
      if (seen === undefined) continue;
      holders.add(seen.holder!);
      span[0] = Math.min(span[0], s);
      span[1] = Math.max(span[1], s);
    }
    const [holder] = holders;
    if (holders.size !== 1 || holder === undefined || span[1] > t - EARLIER_SEC || span[1] - span[0] < 1.5) return [];
    if (!v.sightings(holder).some(([a, b]) => a <= span[0] + 1 && b >= Math.min(span[1], span[0] + 2))) return [];
    return [{ slots: { thing: kind }, answer: v.world.actor(holder).look.colour, evidence: [span, now(t)], subjects: [holder, id] }];
  }),
};

/** "Three minutes ago" means within this much of it. */
const ABOUT_SEC = 15;
const MINUTES = { one: 1, two: 2, three: 3, five: 5, ten: 10, twenty: 20, thirty: 30 } as const;

/** Minutes that lie far enough back to be asked about at this time. */
function minutesBack(timeSec: number): { words: string; atSec: number }[] {
  return Object.entries(MINUTES).filter(([, n]) => timeSec >= n * 60 + ABOUT_SEC + 5).map(([word, n]) => ({ words: n === 1 ? 'one minute' : `${word} minutes`, atSec: timeSec - n * 60 }));
}

const colourMinutesAgo: Template = {
  id: 'lm-minutes-colour', class: 'LM', weight: 8,
  wordings: ['What colour was the {thing} that was here about {time} ago?', 'About {time} ago there was a {thing}: of what colour?', 'Go back {time}: which colour did the {thing} have?', 'The {thing} of about {time} ago, what colour was it?', 'About {time} ago you saw a {thing}. Its colour?', 'Do you remember the colour of the {thing} of {time} ago?'],
  find: (v, t) => minutesBack(t).flatMap(({ words, atSec }) => THINGS.flatMap((kind): Draft[] => {
    if (kind === 'door') return [];
    // Nobody measures minutes exactly: the class must be rare for a good while around.
    const [id, ...more] = v.glimpsedBetween(kind, atSec - 2 * ABOUT_SEC, atSec + 2 * ABOUT_SEC);
    if (id === undefined || more.length > 0) return [];
    const seen = v.sightings(id).find(([from, to]) => to > atSec - ABOUT_SEC + 1.5 && from < atSec + ABOUT_SEC - 1.5);
    // What is still there needs no memory.
    if (seen === undefined || !v.absent(id, t)) return [];
    return [{ slots: { thing: kind, time: words }, answer: v.world.actor(id).look.colour, evidence: [[Math.max(seen[0], atSec - ABOUT_SEC), Math.min(seen[1], atSec + ABOUT_SEC)]], subjects: [id], group: kind }];
  })),
};

const placeMinutesAgo: Template = {
  id: 'lm-minutes-place', class: 'LM', weight: 3,
  wordings: ['Where were we about {time} ago?', 'Which place was shown about {time} ago?', 'Go back {time}: what place was it?', 'About {time} ago, what kind of place did you see?', 'What was the place {time} ago?'],
  find: (v, t) => minutesBack(t).flatMap(({ words, atSec }): Draft[] => {
    const place = v.place(atSec);
    if (v.world.scenes.length < 2 || v.place(atSec - ABOUT_SEC) !== place || v.place(atSec + ABOUT_SEC) !== place) return [];
    return [{ slots: { time: words }, answer: place, evidence: [[atSec - 2, atSec + 2]], subjects: [], group: v.place(t) }];
  }),
};

export const LONG_MEMORY: readonly Template[] = [colourMinutesAgo, placeMinutesAgo, firstPlace, colourThen, seenYet, cameFirst, whoEarlier, howOften, howManyPeople, atStart, wherePlace, ownerThen];
