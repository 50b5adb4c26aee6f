// What a viewer can know: the world looked at twice a second, and judgements of what is plain to see, doubtful or hidden.
import { VIEW_WIDTH } from '../scene/layout.ts';
import type { ActorClass, Pose, SceneKind, WorldEvent } from '../types.ts';
import type { Observation, Seen, World } from '../world.ts';

/** Seconds between looks: a fact that lasts for two looks is visible at 2 frames a second. */
export const LOOK_SEC = 0.5;
/** Below this share nobody would say that a thing is there; above `CLEAR` everybody would. */
const HIDDEN = 0.1;
const CLEAR = 0.55;

export type Side = 'left' | 'middle' | 'right';

/** The area that a thing must have in a 320×240 picture to be told apart at half that size. */
const SMALLEST_AREA: Readonly<Record<ActorClass, number>> = { person: 1500, car: 2200, bicycle: 1500, dog: 900, bag: 480, box: 480, door: 1800, lamp: 500 };

/** A stretch of time in which what an answer needs can be seen. */
export type Span = readonly [startSec: number, endSec: number];

/** For each actor the stretches in which it showed. */
interface Timeline {
  readonly sightings: ReadonlyMap<string, readonly Span[]>;
  readonly glimpses: ReadonlyMap<string, readonly Span[]>;
}

export class Viewing {
  readonly world: World;
  readonly #looks = new Map<number, Observation>();
  readonly #witnessed = new Map<number, boolean>();
  #spans: Timeline | null = null;

  constructor(world: World) {
    this.world = world;
  }

  /** The look nearest to a time. */
  look(timeSec: number): Observation {
    const index = Math.max(0, Math.min(Math.round(timeSec / LOOK_SEC), Math.floor((this.world.durationSec - 0.01) / LOOK_SEC)));
    let look = this.#looks.get(index);
    if (look === undefined) {
      look = this.world.observe(index * LOOK_SEC);
      this.#looks.set(index, look);
    }
    return look;
  }

  isClear(seen: Seen): boolean {
    return seen.visible >= CLEAR && seen.box[2] * seen.box[3] >= SMALLEST_AREA[seen.kind];
  }

  /** A thing at a time, if it is plain to see then and at the look before, in the same take. */
  clear(id: string, timeSec: number): Seen | null {
    const now = this.look(timeSec).objects.find((o) => o.id === id);
    if (now === undefined || !this.isClear(now) || !this.settled(timeSec)) return null;
    const before = this.look(timeSec - LOOK_SEC).objects.find((o) => o.id === id);
    return before !== undefined && this.isClear(before) ? now : null;
  }

  /** The picture has shown this place for a second or more: no cut lies between what is asked and what is seen. */
  settled(timeSec: number): boolean {
    const shot = this.world.shotAt(timeSec);
    return timeSec - shot.startSec >= 1 || shot.startSec === 0;
  }

  /** Things of a class that are plain to see at this time, or null where some are doubtful. */
  all(kind: ActorClass, timeSec: number): Seen[] | null {
    if (!this.settled(timeSec)) return null;
    // Behind the wheel of a moving car somebody shows, whom one viewer counts and another does not.
    if (kind === 'person' && this.look(timeSec).objects.some((o) => o.kind === 'car' && o.pose === 'walk')) return null;
    const ids: string[] = [];
    for (const seen of this.look(timeSec).objects) {
      if (seen.kind !== kind || seen.visible < HIDDEN) continue;
      if (this.clear(seen.id, timeSec) === null) return null;
      ids.push(seen.id);
    }
    for (const seen of this.look(timeSec - LOOK_SEC).objects) if (seen.kind === kind && seen.visible >= HIDDEN && !ids.includes(seen.id)) return null;
    return this.look(timeSec).objects.filter((o) => ids.includes(o.id));
  }

  /** Nothing of it shows at this time nor shortly before. */
  absent(id: string, timeSec: number): boolean {
    return [0, LOOK_SEC, 2 * LOOK_SEC].every((back) => !this.look(timeSec - back).objects.some((o) => o.id === id && o.visible >= 0.05));
  }

  /** Which third of the picture holds its middle; null near a border. */
  side(seen: Seen): Side | null {
    const x = (seen.box[0] + seen.box[2] / 2) / VIEW_WIDTH;
    if (x < 0.295) return 'left';
    if (x > 0.705) return 'right';
    return x > 0.375 && x < 0.625 ? 'middle' : null;
  }

  /** The side on which a thing is now and was half a second ago, or null. */
  steadySide(id: string, timeSec: number): Side | null {
    const now = this.clear(id, timeSec);
    const before = this.clear(id, timeSec - LOOK_SEC);
    if (now === null || before === null) return null;
    const side = this.side(now);
    return side !== null && side === this.side(before) ? side : null;
  }

  /** The pose that someone has now and had half a second ago, or null. */
  steadyPose(id: string, timeSec: number): Pose | null {
    const now = this.clear(id, timeSec);
    const before = this.clear(id, timeSec - LOOK_SEC);
    return now !== null && before !== null && now.pose === before.pose ? now.pose : null;
  }

  /** Stretches in which an actor is plain to see for a second or more, over the whole clip. */
  sightings(id: string): readonly Span[] {
    return this.#timeline.sightings.get(id) ?? [];
  }

  /** Actors of a class plain to see at some time in a span. */
  seenBetween(kind: ActorClass, startSec: number, endSec: number): string[] {
    const ids: string[] = [];
    for (const [id, spans] of this.#timeline.sightings) {
      if (this.world.actor(id).kind === kind && spans.some(([from, to]) => to > startSec && from + 0.5 < endSec)) ids.push(id);
    }
    return ids;
  }

  /** Actors of a class of which anything showed in a span, however little. */
  glimpsedBetween(kind: ActorClass, startSec: number, endSec: number): Set<string> {
    const ids = new Set<string>();
    for (const [id, spans] of this.#timeline.glimpses) {
      if (this.world.actor(id).kind === kind && spans.some(([from, to]) => to >= startSec && from <= endSec)) ids.add(id);
    }
    return ids;
  }

  /** When what showed, found in one pass over the clip: a question about an hour must not look through the hour. */
  get #timeline(): Timeline {
    if (this.#spans !== null) return this.#spans;
    const clear = new Map<string, [number, number][]>();
    const any = new Map<string, [number, number][]>();
    const extend = (spans: Map<string, [number, number][]>, id: string, t: number) => {
      let own = spans.get(id);
      if (own === undefined) spans.set(id, (own = []));
      const last = own[own.length - 1];
      if (last !== undefined && t - last[1] <= LOOK_SEC + 1e-9) last[1] = t;
      else own.push([t, t]);
    };
    const count = Math.floor((this.world.durationSec - 0.01) / LOOK_SEC);
    for (let i = 0; i <= count; i++) {
      const t = i * LOOK_SEC;
      for (const seen of this.look(t).objects) {
        if (seen.visible >= 0.03) extend(any, seen.id, t);
        if (this.isClear(seen)) extend(clear, seen.id, t);
      }
    }
    const sightings = new Map([...clear].map(([id, own]) => [id, own.filter(([from, to]) => to - from >= 1)] as const).filter(([, own]) => own.length > 0));
    return (this.#spans = { sightings, glimpses: any });
  }

  /** True where the event's people and things are plain to see for most of it, in one take that shows it. */
  witnessed(event: WorldEvent): boolean {
    let known = this.#witnessed.get(event.id);
    if (known === undefined) this.#witnessed.set(event.id, (known = this.#judge(event)));
    return known;
  }

  #judge(event: WorldEvent): boolean {
    const { world } = this;
    const shot = world.shotAt(event.startSec);
    if (shot.scene !== event.scene || event.endSec > shot.endSec || event.endSec >= world.durationSec) return false;
    const involved = [event.actor, event.object, event.other].filter((id) => id !== undefined);
    let looks = 0;
    const seen = new Map<string, number>();
    for (let t = Math.ceil(event.startSec / LOOK_SEC) * LOOK_SEC; t <= event.endSec; t += LOOK_SEC) {
      looks++;
      for (const o of this.look(t).objects) if (involved.includes(o.id) && this.isClear(o)) seen.set(o.id, (seen.get(o.id) ?? 0) + 1);
    }
    if (looks < 2) return false;
    // Who comes, goes or gets in is out of sight for a part of it.
    const partial = ['enter', 'leave', 'get-in', 'get-out', 'appear', 'vanish'].includes(event.kind);
    return involved.every((id) => (seen.get(id) ?? 0) >= Math.max(2, looks * (partial ? 0.35 : 0.6)));
  }

  place(timeSec: number): SceneKind {
    return this.world.scenes[this.world.shotAt(timeSec).scene]!.kind;
  }
}
