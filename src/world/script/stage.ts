// A stage: one scene while its script is written. It knows who is there, where there is room, and what the camera sees.
import type { Random } from '../../core/random.ts';
import { COLOURS_OF } from '../colours.ts';
import { isHeldOutColour } from '../held-out.ts';
import { pathX } from '../camera.ts';
import { VIEW_WIDTH } from '../scene/layout.ts';
import type { ScenePlan } from '../scene/layout.ts';
import type { ActorClass, ColourName, EventKind, Look, Pose, SceneLayout, Shot, WorldEvent, WorldSpec } from '../types.ts';
import { Track } from './track.ts';

/** An actor while its script is written. */
export interface Performer {
  readonly id: string;
  readonly kind: ActorClass;
  readonly look: Look;
  readonly track: Track;
  /** The thing in this person's hands. */
  carries: Performer | null;
  /** Who has this thing, or who sits in this vehicle. */
  by: Performer | null;
  /** Out of the scene, but may come back. */
  away: boolean;
  gone: boolean;
}

/** What all stages of a world write to. */
export interface Script {
  readonly spec: WorldSpec;
  readonly performers: { readonly scene: number; readonly performer: Performer }[];
  readonly events: WorldEvent[];
}

export type Details = Partial<Pick<WorldEvent, 'object' | 'other' | 'towards' | 'through'>>;

export const WALK_PX_PER_SEC = 58;
export const RUN_PX_PER_SEC = 118;

const TROUSERS = ['#39425c', '#5b5348', '#2e3136', '#6b6f78', '#4a3a30'];
const SKINS = ['#f0c8a4', '#d9a47c', '#b27a52', '#7d5236'];
const HAIRS = ['#2a1b12', '#4a2f1c', '#8a6a3c', '#6f6f72'];
/** A colour of a class may return this long after its last bearer left. */
const COLOUR_REST_SEC = 75;

export class Stage {
  readonly layout: SceneLayout;
  readonly cast: Performer[] = [];
  readonly random: Random;
  readonly index: number;
  shot: Shot;
  /** Set while an activity runs that training never shows in this place. */
  heldOutNow = false;
  started = false;
  /** The time for which the director is deciding. */
  nowSec = 0;
  readonly #script: Script;

  constructor(script: Script, index: number, plan: ScenePlan, shot: Shot, random: Random) {
    this.#script = script;
    this.index = index;
    this.layout = plan.layout;
    this.shot = shot;
    this.random = random;
    for (const fixture of plan.fixtures) {
      const lit = fixture.kind === 'lamp' && random.next() < 0.5 ? 1 : 0;
      const performer = this.add(fixture.kind, shot.startSec, fixture.x, fixture.y, 1, { variant: fixture.variant, value: lit });
      if (performer === null) continue;
      performer.track.restPose = 'stand';
    }
  }

  get spec(): WorldSpec {
    return this.#script.spec;
  }

  /** Those who are here and have nothing to do at this time. */
  free(kind: ActorClass, timeSec: number): Performer[] {
    return this.cast.filter((p) => p.kind === kind && !p.gone && !p.away && p.track.endSec <= timeSec + 1e-9);
  }

  /** Those who are here, busy or not, as far as the camera has not left them behind. */
  present(kind: ActorClass): Performer[] {
    const { left, right } = this.view(this.nowSec);
    return this.cast.filter((p) => p.kind === kind && !p.gone && !p.away && (p.track.endSec > this.nowSec || (p.track.x > left - 70 && p.track.x < right + 70)));
  }

  /** World x that the camera sees at a time. */
  view(timeSec: number): { left: number; right: number } {
    const middle = pathX(this.shot, timeSec);
    const half = VIEW_WIDTH / 2 / this.shot.zoom;
    return { left: middle - half, right: middle + half };
  }

  /** World x that stays in view throughout. */
  safe(startSec: number, endSec: number, marginPx = 34): { left: number; right: number } {
    let left = -Infinity;
    let right = Infinity;
    for (let step = 0; step <= 4; step++) {
      const view = this.view(startSec + ((endSec - startSec) * step) / 4);
      left = Math.max(left, view.left);
      right = Math.min(right, view.right);
    }
    return { left: left + marginPx, right: right - marginPx };
  }

  inView(performer: Performer, startSec: number, endSec: number, marginPx = 26): boolean {
    const { left, right } = this.safe(startSec, endSec, marginPx);
    return performer.track.x >= left && performer.track.x <= right;
  }

  /** The roomiest of several random places on the ground that stay in view, or null. `lanes` narrows the choice. */
  spot(startSec: number, endSec: number, lanes: readonly number[] = this.layout.lanes, clearPx = 34): { x: number; y: number } | null {
    const { left, right } = this.safe(startSec, endSec);
    if (right - left < 60) return null;
    let best: { x: number; y: number } | null = null;
    let bestRoom = clearPx;
    for (let attempt = 0; attempt < 12; attempt++) {
      const x = left + this.random.next() * (right - left);
      const y = this.random.pick(lanes);
      let room = 400;
      for (const other of this.cast) {
        if (other.gone || other.away || other.by !== null) continue;
        if (other.kind === 'door' || other.kind === 'lamp') continue;
        const apart = Math.abs(other.track.x - x) + Math.abs(other.track.y - y) * 0.5;
        room = Math.min(room, other.kind === 'car' ? apart - 26 : apart);
      }
      if (room > bestRoom) {
        bestRoom = room;
        best = { x, y };
      }
    }
    return best;
  }

  /** A new actor, or null where no colour of its class is to be had. */
  add(kind: ActorClass, timeSec: number, x: number, y: number, facing: 1 | -1, options: { variant?: number; value?: number } = {}): Performer | null {
    const colour = this.#colour(kind, timeSec);
    if (colour === null) return null;
    const random = this.random;
    const look: Look = {
      colour,
      trousers: random.pick(TROUSERS), skin: random.pick(SKINS), hair: random.pick(HAIRS),
      hairStyle: random.pick(['short', 'long', 'bun'] as const),
      hat: kind === 'person' && random.next() < 0.4 ? random.pick(COLOURS_OF.person.filter((c) => c !== colour && !isHeldOutColour('person', c))) : null,
      size: kind === 'person' ? Math.round((0.95 + random.next() * 0.11) * 1000) / 1000 : 1,
      variant: options.variant ?? random.int(0, 2),
    };
    const number = this.#script.performers.length;
    const performer: Performer = {
      id: `${kind}-${number}`, kind, look, track: new Track(timeSec, x, y, facing, options.value ?? 0),
      carries: null, by: null, away: false, gone: false,
    };
    this.#script.performers.push({ scene: this.index, performer });
    this.cast.push(performer);
    return performer;
  }

  #colour(kind: ActorClass, timeSec: number): ColourName | null {
    const { spec, performers } = this.#script;
    const taken = new Set<ColourName>();
    // The newest first; in an hour's script the old ones cannot matter, and looking at all would cost quadratic time.
    for (let i = performers.length - 1; i >= 0 && i >= performers.length - 160; i--) {
      const { performer } = performers[i]!;
      if (performer.kind !== kind) continue;
      const out = performer.gone || performer.away;
      if (!out || performer.track.endSec > timeSec - (spec.durationSec <= 180 ? Infinity : COLOUR_REST_SEC)) taken.add(performer.look.colour);
    }
    const mayHold = spec.split === 'test' && spec.heldOut;
    const held = COLOURS_OF[kind].filter((c) => isHeldOutColour(kind, c) && !taken.has(c));
    if (mayHold && held.length > 0 && this.random.next() < 0.5) return held[0]!;
    const usual = COLOURS_OF[kind].filter((c) => !isHeldOutColour(kind, c));
    const open = usual.filter((c) => !taken.has(c));
    if (open.length > 0) return this.random.pick(open);
    // Fixtures must exist whatever their colour; a second red person would make "the person in red" mean two.
    return kind === 'door' || kind === 'lamp' ? this.random.pick(usual) : null;
  }

  /** Writes an event down. */
  event(kind: EventKind, startSec: number, endSec: number, actor: Performer, details: Details = {}): void {
    const { events } = this.#script;
    const r = (t: number) => Math.round(t * 1000) / 1000;
    events.push({ id: events.length, kind, scene: this.index, startSec: r(startSec), endSec: r(endSec), actor: actor.id, ...details, heldOut: this.heldOutNow });
  }

  /** Moves along a straight line and returns the time of arrival. */
  move(p: Performer, timeSec: number, x: number, y: number, pose: 'walk' | 'run' = 'walk', speed?: number): number {
    p.track.restUntil(timeSec);
    const dx = x - p.track.x;
    const distance = Math.hypot(dx, y - p.track.y);
    const pace = speed ?? (pose === 'run' ? RUN_PX_PER_SEC : WALK_PX_PER_SEC);
    const facing = dx > 0.5 ? 1 : dx < -0.5 ? -1 : p.track.facing;
    p.track.add(distance / pace, { x, y, pose, facing });
    if (p.carries) p.carries.track.restUntil(p.track.endSec);
    return p.track.endSec;
  }

  /** Stays in place in this pose and returns the end. */
  act(p: Performer, timeSec: number, durationSec: number, pose: Pose, facing: 1 | -1 = p.track.facing): number {
    p.track.restUntil(timeSec);
    p.track.add(durationSec, { pose, facing });
    if (p.carries) p.carries.track.restUntil(p.track.endSec);
    return p.track.endSec;
  }

  /** Takes the performer, and what it carries, out of the scene at the end of its track. */
  exit(p: Performer, canReturn: boolean): void {
    if (canReturn) p.away = true;
    else p.gone = true;
    const { carries } = p;
    if (carries !== null) {
      carries.track.restUntil(p.track.endSec);
      if (canReturn) carries.away = true;
      else carries.gone = true;
    }
  }

  /** Brings someone back who was away: unseen from when it left until now. */
  comeBack(p: Performer, timeSec: number, x: number, y: number, facing: 1 | -1): void {
    for (const who of p.carries ? [p, p.carries] : [p]) {
      const { track } = who;
      if (timeSec > track.endSec) track.add(timeSec - track.endSec, { pose: 'inside' });
      track.alpha = 1;
      who.away = false;
    }
    p.track.jump(x, y, facing);
  }

  /** Drops those who left for good, so that an hour-long script stays quick to write. */
  prune(timeSec: number): void {
    for (let i = this.cast.length - 1; i >= 0; i--) {
      const p = this.cast[i]!;
      if (p.away && p.track.endSec < timeSec - COLOUR_REST_SEC * 0.8) {
        p.gone = true;
        p.away = false;
      }
      if (p.gone && p.track.endSec < timeSec) this.cast.splice(i, 1);
    }
  }
}
