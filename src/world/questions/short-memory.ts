// SM, short-term memory: what happened seconds ago.
import { anyBetween, byPerson, deedOf, DEEDS, witnessedBetween } from './happenings.ts';
import { doing } from './simple-facts.ts';
import { now } from './template.ts';
import type { Draft, Template } from './template.ts';
import type { Span, Viewing } from './viewing.ts';
import type { WorldEvent } from '../types.ts';

/** "Just" reaches this far back. */
const JUST_SEC = 6;

function spanOf(event: WorldEvent): Span {
  return [Math.max(0, event.startSec - 0.5), event.endSec];
}

/** Deeds plain to see that ended just now, of which nobody else did the like. */
function justDone(viewing: Viewing, timeSec: number): { event: WorldEvent; did: string; clause: string }[] {
  return witnessedBetween(viewing, timeSec - 10, timeSec).flatMap((event) => {
    const words = event.endSec < timeSec - JUST_SEC ? null : deedOf(viewing, event);
    if (words === null) return [];
    const alike = anyBetween(viewing, event.kind, timeSec - 12, timeSec, 'person');
    return alike.every((e) => e.id === event.id) ? [{ event, ...words }] : [];
  });
}

const whatDid: Template = {
  id: 'sm-what-did', class: 'SM', weight: 3,
  wordings: ['What did the person in {colour} just do?', 'What has the person wearing {colour} just done?', 'The person in {colour}, what did they do a moment ago?', 'What was the last thing done by the person in {colour}?', 'A moment ago the person in {colour} did what?', 'What happened with the person in {colour} just now?'],
  find: (v, t) => justDone(v, t).flatMap(({ event, did }): Draft[] => {
    // The last deed of this person, and the only one of late.
    const others = v.world.events.filter((e) => e.id !== event.id && e.actor === event.actor && e.kind !== 'stop' && e.endSec > event.startSec - 2 && e.startSec < t);
    if (others.some((e) => DEEDS[e.kind] !== undefined || e.kind === 'leave')) return [];
    return [{ slots: { colour: v.world.actor(event.actor).look.colour }, answer: did, evidence: [spanOf(event)], subjects: [event.actor], events: [event] }];
  }),
};

const whoDid: Template = {
  id: 'sm-who-did', class: 'SM', weight: 3,
  wordings: ['Who just {did}? Give the colour.', 'Someone just {did}: in what colour?', 'What colour does the one wear who just {did}?', 'Which person {did} a moment ago?', 'In which colour was the one who just {did}?', 'A moment ago someone {did}. Which colour did they wear?'],
  find: (v, t) => justDone(v, t).filter(({ event }) => event.kind !== 'meet')
    .map(({ event, clause }) => ({ slots: { did: clause }, answer: v.world.actor(event.actor).look.colour, evidence: [spanOf(event)], subjects: [event.actor], events: [event] })),
};

export const ITEM_VERBS = { 'pick-up': 'picked up', 'put-down': 'put down', 'hand-over': 'handed over' } as const;

function itemEvents(viewing: Viewing, timeSec: number): { event: WorldEvent; verb: string }[] {
  return witnessedBetween(viewing, timeSec - 10, timeSec).flatMap((event) => {
    if (event.kind !== 'pick-up' && event.kind !== 'put-down' && event.kind !== 'hand-over') return [];
    return event.endSec >= timeSec - JUST_SEC && anyBetween(viewing, event.kind, timeSec - 12, timeSec).length === 1 ? [{ event, verb: ITEM_VERBS[event.kind] }] : [];
  });
}

const itemWhat: Template = {
  id: 'sm-item', class: 'SM', weight: 1,
  wordings: ['What was just {verb}?', 'Which thing was {verb} a moment ago?', 'Something was just {verb}: what was it?', 'Was a bag or a box just {verb}?', 'What did someone have {verb} just now?'],
  find: (v, t) => itemEvents(v, t).map(({ event, verb }) => ({ slots: { verb }, answer: v.world.actor(event.object!).kind, evidence: [spanOf(event)], subjects: [event.object!, event.actor], events: [event] })),
};

const itemColour: Template = {
  id: 'sm-item-colour', class: 'SM', weight: 1.5,
  wordings: ['What colour is the thing that was just {verb}?', 'Which colour has what was {verb} a moment ago?', 'Something was just {verb}: of what colour?', 'The thing {verb} just now, what colour is it?', 'Tell me the colour of what was just {verb}.'],
  find: (v, t) => itemEvents(v, t).map(({ event, verb }) => ({ slots: { verb }, answer: v.world.actor(event.object!).look.colour, evidence: [spanOf(event)], subjects: [event.object!, event.actor], events: [event] })),
};

const direction: Template = {
  id: 'sm-direction', class: 'SM', weight: 1.2,
  wordings: ['Which way did {name} go, left or right?', 'To which side did {name} leave?', 'Did {name} leave to the left or to the right?', 'Where did {name} go: left or right?', 'By which side did {name} go out of the picture?'],
  find: (v, t) => witnessedBetween(v, t - 12, t).flatMap((event): Draft[] => {
    if (event.kind !== 'leave' || event.through !== 'edge' || event.towards === undefined || event.endSec < t - JUST_SEC || !v.absent(event.actor, t)) return [];
    const { kind, look } = v.world.actor(event.actor);
    const alike = [...v.glimpsedBetween(kind, t - 14, t)].filter((id) => id !== event.actor);
    if (alike.some((id) => v.world.actor(id).look.colour === look.colour)) return [];
    const name = kind === 'person' ? `the person in ${look.colour}` : `the ${look.colour} ${kind}`;
    return [{ slots: { name }, answer: event.towards, evidence: [spanOf(event)], subjects: [event.actor], events: [event] }];
  }),
};

const wayIn: Template = {
  id: 'sm-way-in', class: 'SM', weight: 1.2,
  wordings: ['How did the person in {colour} come in: from the left, from the right or by the door?', 'Where did the person in {colour} come from: left, right or door?', 'The person in {colour} just came in. From the left, the right or the door?', 'By which way did the one in {colour} enter: left, right or door?', 'From where did the person wearing {colour} enter?'],
  find: (v, t) => witnessedBetween(v, t - 14, t).flatMap((event): Draft[] => {
    if (event.kind !== 'enter' || event.endSec < t - JUST_SEC || !byPerson(v, event)) return [];
    const answer = event.through === 'door' ? 'door' : event.towards === 'right' ? 'left' : 'right';
    return [{ slots: { colour: v.world.actor(event.actor).look.colour }, answer, evidence: [spanOf(event)], subjects: [event.actor], events: [event] }];
  }),
};

const before: Template = {
  id: 'sm-before', class: 'SM', weight: 1.5,
  wordings: ['What was the person in {colour} doing {ago} seconds ago?', '{ago} seconds ago, what did the person in {colour} do?', 'How was the person wearing {colour} occupied {ago} seconds ago?', 'Go back {ago} seconds: what was the person in {colour} doing?', 'What was the one in {colour} doing {ago} seconds earlier?'],
  find: (v, t) => ([3, 5] as const).flatMap((ago): Draft[] => {
    if (t - ago < 1.5 || v.world.shotAt(t - ago - 1) !== v.world.shotAt(t)) return [];
    const then = doing(v, t - ago);
    // The same a little earlier and later, for nobody counts seconds exactly.
    const around = [doing(v, t - ago - 0.5), doing(v, t - ago + 0.5)];
    return then.filter((p) => around.every((look) => look.some((o) => o.id === p.id && o.action === p.action)))
      .map((p) => ({ slots: { colour: p.colour, ago: ago === 3 ? 'three' : 'five' }, answer: p.action, evidence: [[t - ago - 1, t - ago + 0.5] as Span], subjects: [p.id] }));
  }),
};

const placeBefore: Template = {
  id: 'sm-place-before', class: 'SM', weight: 1,
  wordings: ['What place was shown just before this one?', 'Where were we before the last cut?', 'Which place came before this one?', 'Before this place, where were we?', 'What was the place before?'],
  find(v, t) {
    const shot = v.world.shotAt(t);
    if (shot.startSec < 1.5 || t - shot.startSec < 1 || t - shot.startSec > 12) return [];
    return [{ slots: {}, answer: v.place(shot.startSec - 0.1), evidence: [[Math.max(0, shot.startSec - 2), shot.startSec], now(t)], subjects: [], group: v.place(t) }];
  },
};

const gone: Template = {
  id: 'sm-gone', class: 'SM', weight: 1,
  wordings: ['What has just left or vanished?', 'What was here a moment ago and is gone?', 'Which thing went away just now?', 'What is missing that was here a moment ago?', 'Something has just gone: what was it?'],
  find: (v, t) => witnessedBetween(v, t - 12, t).flatMap((event): Draft[] => {
    if ((event.kind !== 'leave' && event.kind !== 'vanish') || event.endSec < t - JUST_SEC || !v.absent(event.actor, t)) return [];
    const all = [...anyBetween(v, 'leave', t - 10, t + 1), ...anyBetween(v, 'vanish', t - 10, t + 1), ...anyBetween(v, 'get-in', t - 10, t + 1)];
    const { kind } = v.world.actor(event.actor);
    return all.length === 1 ? [{ slots: {}, answer: kind, evidence: [spanOf(event)], subjects: [event.actor], events: [event] }] : [];
  }),
};

export const SHORT_MEMORY: readonly Template[] = [whatDid, whoDid, itemWhat, itemColour, direction, wayIn, before, placeBefore, gone];
