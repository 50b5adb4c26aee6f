// Questions about a whole walk with five options, as EgoSchema asks them; none can be answered from one moment alone.
import type { Random } from '../../core/random.ts';
import { COLOURS_OF } from '../colours.ts';
import { isHeldOutColour } from '../held-out.ts';
import type { ActorClass, SceneKind } from '../types.ts';
import { clauseOf, withArticle } from './clause.ts';
import type { HeldOutFlags } from './question.ts';
import { showHeldOutColour } from './question.ts';
import { NUMBERS } from './template.ts';
import type { Span, Viewing } from './viewing.ts';
import { pickWording } from './wording.ts';

export interface EgoQuestion {
  readonly template: string;
  readonly wording: number;
  readonly question: string;
  /** Five, one right. */
  readonly options: readonly string[];
  readonly correct: number;
  readonly evidence: readonly Span[];
  /** Actors that the right option is about. */
  readonly subjects: readonly string[];
  readonly heldOut: HeldOutFlags;
}

interface EgoDraft {
  readonly right: string;
  /** At least four, different from each other and from the right one. */
  readonly wrong: readonly string[];
  readonly slots?: Readonly<Record<string, string>>;
  readonly evidence: readonly Span[];
  readonly subjects: readonly string[];
}

interface EgoTemplate {
  readonly id: string;
  readonly wordings: readonly string[];
  draft(viewing: Viewing, random: Random): EgoDraft | null;
}

const PLACES: readonly SceneKind[] = ['street', 'shop', 'room', 'park'];

/** The places of the walk, in order, one after the other. */
function route(viewing: Viewing): SceneKind[] {
  return viewing.world.shots.map((shot) => viewing.world.scenes[shot.scene]!.kind);
}

/** A walk that could have been: consecutive places differ, as in every real one. */
function otherRoute(length: number, random: Random): SceneKind[] {
  const out: SceneKind[] = [];
  while (out.length < length) out.push(random.pick(PLACES.filter((p) => p !== out.at(-1))));
  return out;
}

const order: EgoTemplate = {
  id: 'ego-route',
  wordings: ['Through which places does the walk go, in this order?', 'In which order are the places walked through?', 'What is the route of the whole walk?', 'Which list gives the places in the order of the walk?', 'Place after place, where does the walker go?'],
  draft(v, random) {
    const places = route(v);
    if (places.length < 2) return null;
    const right = places.join(', ');
    const wrong = new Set<string>();
    for (let attempt = 0; attempt < 200 && wrong.size < 4; attempt++) {
      const other = otherRoute(places.length, random).join(', ');
      if (other !== right) wrong.add(other);
    }
    return { right, wrong: [...wrong], evidence: v.world.shots.map((s): Span => [s.startSec + 1, Math.min(s.endSec, s.startSec + 3)]), subjects: [] };
  },
};

/** Names of all that is plain to see at some time in the walk. */
function sights(viewing: Viewing): { id: string; name: string; kind: ActorClass }[] {
  return (['person', 'car', 'bicycle', 'dog', 'bag', 'box'] as const).flatMap((kind) => viewing.seenBetween(kind, 0, viewing.world.durationSec).map((id) => {
    const { colour } = viewing.world.actor(id).look;
    return { id, kind, name: kind === 'person' ? `a person in ${colour}` : withArticle(`${colour} ${kind}`) };
  }));
}

/** Names of what was not there, not even at a glance. */
function absentees(viewing: Viewing, random: Random): string[] {
  const { spec, durationSec } = viewing.world;
  const names: { kind: ActorClass; name: string }[] = [];
  for (const kind of ['person', 'car', 'bicycle', 'dog', 'bag', 'box'] as const) {
    const there = new Set([...viewing.glimpsedBetween(kind, 0, durationSec)].map((id) => viewing.world.actor(id).look.colour));
    for (const colour of COLOURS_OF[kind]) {
      if (there.has(colour) || (spec.split === 'train' && isHeldOutColour(kind, colour))) continue;
      names.push({ kind, name: kind === 'person' ? `a person in ${colour}` : withArticle(`${colour} ${kind}`) });
    }
  }
  return byClass(names, random).map((n) => n.name);
}

/** A random order in which each class is as likely as any other to come next, however many of it there are. */
function byClass<T extends { readonly kind: ActorClass }>(items: readonly T[], random: Random): T[] {
  const left = new Map<ActorClass, T[]>();
  for (const item of random.shuffle(items)) left.set(item.kind, [...(left.get(item.kind) ?? []), item]);
  const out: T[] = [];
  while (left.size > 0) {
    const kind = random.pick([...left.keys()]);
    const own = left.get(kind)!;
    out.push(own.pop()!);
    if (own.length === 0) left.delete(kind);
  }
  return out;
}

const seen: EgoTemplate = {
  id: 'ego-seen',
  wordings: ['Which of these is seen during the walk?', 'What does the walker come across?', 'Only one of these shows up in the video. Which?', 'Which of these does the walk pass?', 'What can be seen at some time of the walk?'],
  draft(v, random) {
    const there = sights(v);
    if (there.length === 0) return null;
    // By class first: people are seen most, and would be the best guess.
    const chosen = byClass(there, random)[0]!;
    return { right: chosen.name, wrong: absentees(v, random).slice(0, 4), evidence: v.sightings(chosen.id).slice(0, 1), subjects: [chosen.id] };
  },
};

const never: EgoTemplate = {
  id: 'ego-never',
  wordings: ['Which of these is never seen during the walk?', 'What does the walker not come across?', 'All but one of these show up. Which does not?', 'Which of these is missing from the whole video?', 'What is not to be seen at any time of the walk?'],
  draft(v, random) {
    const names = new Map(sights(v).map((s) => [s.name, s.id]));
    const four = byClass(sights(v), random).map((s) => [s.name, s.id] as const).filter(([name, id]) => names.get(name) === id).slice(0, 4);
    const absent = absentees(v, random);
    return four.length < 4 || absent.length === 0 ? null : { right: absent[0]!, wrong: four.map(([name]) => name), evidence: four.map(([, id]) => v.sightings(id)[0]!), subjects: four.map(([, id]) => id) };
  },
};

const where: EgoTemplate = {
  id: 'ego-where',
  wordings: ['In which place is {name} seen?', 'Where does the walker see {name}?', 'What kind of place is {name} in?', 'Where along the walk is {name}?', 'In what place does {name} show up?'],
  draft(v, random) {
    const nowhere = random.next() < 0.2;
    if (nowhere) {
      const [name] = absentees(v, random);
      return name === undefined ? null : { right: 'nowhere', wrong: PLACES, slots: { name }, evidence: [[0, v.world.durationSec]], subjects: [] };
    }
    const there = sights(v);
    // A thing that two places have would leave two right answers.
    const open = there.filter((s) => there.filter((o) => o.name === s.name).length === 1);
    if (open.length === 0) return null;
    const kinds = random.shuffle([...new Set(open.map((s) => v.world.scenes[v.world.actor(s.id).scene]!.kind))]);
    const { id, name } = random.pick(open.filter((s) => v.world.scenes[v.world.actor(s.id).scene]!.kind === kinds[0]));
    return { right: kinds[0]!, wrong: [...PLACES.filter((p) => p !== kinds[0]), 'nowhere'], slots: { name }, evidence: v.sightings(id).slice(0, 1), subjects: [id] };
  },
};

const places: EgoTemplate = {
  id: 'ego-places',
  wordings: ['How many places does the walk go through?', 'How many different scenes follow one another?', 'Count the places of the walk, one after the other.', 'In how many places is the walker, one after the other?', 'What is the number of places along the walk?'],
  draft(v, random) {
    const count = v.world.shots.length;
    if (count > 13) return null;
    const low = Math.max(1, count - random.int(0, 5));
    return { right: NUMBERS[count]!, wrong: [0, 1, 2, 3, 4].map((i) => low + i).filter((n) => n !== count).map((n) => NUMBERS[n]!), evidence: v.world.shots.map((s): Span => [s.startSec + 0.5, s.startSec + 2]), subjects: [] };
  },
};

const firstEvent: EgoTemplate = {
  id: 'ego-first',
  wordings: ['Which of these happens first?', 'What comes first in the video?', 'Which of these events is the earliest?', 'Of these, what does the walker see before all others?', 'Which of these takes place before the others?'],
  draft: (v, random) => byOrder(v, random, 'first'),
};

const lastEvent: EgoTemplate = {
  id: 'ego-last',
  wordings: ['Which of these happens last?', 'What comes last in the video?', 'Which of these events is the latest?', 'Of these, what does the walker see after all others?', 'Which of these takes place after the others?'],
  draft: (v, random) => byOrder(v, random, 'last'),
};

function byOrder(v: Viewing, random: Random, which: 'first' | 'last'): EgoDraft | null {
  const clauses = new Map<string, number[]>();
  for (const event of v.world.events) {
    if (event.kind === 'stop' || !v.witnessed(event)) continue;
    const clause = clauseOf(v.world, event);
    clauses.set(clause, [...(clauses.get(clause) ?? []), event.id]);
  }
  const once = [...clauses].filter(([, ids]) => ids.length === 1).map(([clause, ids]) => ({ clause, event: v.world.events[ids[0]!]! }));
  // Something half seen with the same words would spoil the order.
  const plain = once.filter(({ clause }) => v.world.events.filter((e) => clauseOf(v.world, e) === clause).length === 1);
  const five: typeof plain = [];
  for (const item of random.shuffle(plain)) {
    if (five.length < 5 && five.every((o) => Math.abs(o.event.startSec - item.event.startSec) >= 5)) five.push(item);
  }
  if (five.length < 5) return null;
  five.sort((a, b) => (a.event.startSec - b.event.startSec) * (which === 'first' ? 1 : -1));
  return { right: five[0]!.clause, wrong: five.slice(1).map((o) => o.clause), evidence: five.map((o): Span => [o.event.startSec, o.event.endSec]), subjects: five.map((o) => o.event.actor) };
}

export const EGO_TEMPLATES: readonly EgoTemplate[] = [order, seen, never, where, places, firstEvent, lastEvent];

/** Up to `count` questions about a walk, each of another template; the right option is as often in each place. */
export function askEgo(viewing: Viewing, count: number, random: Random): EgoQuestion[] {
  const { world } = viewing;
  const questions: EgoQuestion[] = [];
  for (const template of random.shuffle(EGO_TEMPLATES)) {
    if (questions.length === count) break;
    const draft = template.draft(viewing, random);
    if (draft === null || draft.wrong.length < 4 || new Set([draft.right, ...draft.wrong.slice(0, 4)]).size < 5) continue;
    const wording = pickWording(template, world.spec.split, random);
    const filled = wording.text.replace('{name}', draft.slots?.['name'] ?? '');
    const correct = random.int(0, 5);
    const options = random.shuffle(draft.wrong.slice(0, 4));
    options.splice(correct, 0, draft.right);
    questions.push({
      template: template.id, wording: wording.index, question: filled, options, correct, evidence: draft.evidence, subjects: draft.subjects,
      heldOut: {
        wording: wording.heldOut,
        colour: showHeldOutColour(world, draft.subjects),
        activity: false,
      },
    });
  }
  return questions;
}
