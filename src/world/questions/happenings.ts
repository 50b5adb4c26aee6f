// Events as viewers speak of them: what to call them, which of them were plain to see, and who or what was in them.
import type { ActorClass, EventKind, WorldEvent } from '../types.ts';
import type { Viewing } from './viewing.ts';

/** Answer to "what did they just do", and the same as a clause for "who …". People only. */
export const DEEDS: Readonly<Partial<Record<EventKind, { readonly did: string; readonly clause: string }>>> = {
  'pick-up': { did: 'picked up', clause: 'picked something up' },
  'put-down': { did: 'put down', clause: 'put something down' },
  'hand-over': { did: 'handed over', clause: 'handed something over' },
  fall: { did: 'fell', clause: 'fell down' },
  run: { did: 'ran', clause: 'ran' },
  open: { did: 'opened', clause: 'opened the door' },
  close: { did: 'closed', clause: 'closed the door' },
  'switch-on': { did: 'switched on', clause: 'switched the lamp on' },
  'switch-off': { did: 'switched off', clause: 'switched the lamp off' },
  meet: { did: 'waved', clause: 'waved' },
  turn: { did: 'turned', clause: 'turned back' },
  'get-in': { did: 'got in', clause: 'got into a car' },
  'get-out': { did: 'got out', clause: 'got out of a car' },
  enter: { did: 'came in', clause: 'came in' },
};

/** What people did in an event, in words; null where it is nothing that is asked about, or not done by a person. */
export function deedOf(viewing: Viewing, event: WorldEvent): { readonly did: string; readonly clause: string } | null {
  const words = DEEDS[event.kind];
  if (words === undefined || !byPerson(viewing, event)) return null;
  if (event.object !== undefined && viewing.world.actor(event.object).kind === 'bicycle') {
    if (event.kind === 'get-in') return { did: 'got on', clause: 'got on a bicycle' };
    if (event.kind === 'get-out') return { did: 'got off', clause: 'got off a bicycle' };
  }
  return words;
}

/** Events plain to see, in time order, ended before a time and not more than so long ago. */
export function witnessedBetween(viewing: Viewing, startSec: number, endSec: number): WorldEvent[] {
  return viewing.world.events.filter((e) => e.endSec <= endSec && e.startSec >= startSec && viewing.witnessed(e));
}

/** All events that touch a span, seen or not: one half seen makes a question about "the" event unfair. */
export function anyBetween(viewing: Viewing, kind: EventKind, startSec: number, endSec: number, actorKind?: ActorClass): WorldEvent[] {
  return viewing.world.events.filter((e) => e.kind === kind && e.endSec > startSec && e.startSec < endSec && (actorKind === undefined || viewing.world.actor(e.actor).kind === actorKind));
}

/** True for events done by people; a meeting has two. */
export function byPerson(viewing: Viewing, event: WorldEvent): boolean {
  return viewing.world.actor(event.actor).kind === 'person';
}
