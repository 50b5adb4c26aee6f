// A world: its script, the state of every actor at any time, and what the camera sees of it. Exact, without drawing anything.
import { UserError } from '../core/errors.ts';
import { cameraOf, project, wander } from './camera.ts';
import { extentOf, solidOf } from './extent.ts';
import type { Extent } from './extent.ts';
import { scaleAt, VIEW_WIDTH, WORLD_HEIGHT } from './scene/layout.ts';
import { directScript } from './script/director.ts';
import type { DirectedScript } from './script/director.ts';
import type { Actor, ActorClass, CameraPose, ColourName, Motion, Occluder, Pose, Shot, WorldSpec } from './types.ts';

/** An actor at one moment. Positions in world pixels. */
export interface ActorState {
  readonly actor: Actor;
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly pose: Pose;
  readonly facing: 1 | -1;
  /** Seconds since the pose began, share of it that is over, and pixels covered since its start. */
  readonly elapsedSec: number;
  readonly progress: number;
  readonly travelPx: number;
  readonly alpha: number;
  readonly value: number;
  readonly holder: Actor | null;
  /** Place in the order of drawing: larger is nearer. */
  readonly depth: number;
}

/** What can be seen of one actor in one picture. Pixels of a 320×240 picture; boxes are clipped to it. */
export interface Seen {
  readonly id: string;
  readonly kind: ActorClass;
  readonly colour: ColourName;
  /** left, top, width, height. */
  readonly box: readonly [number, number, number, number];
  /** Share of the whole actor that is inside the picture and not hidden, 0–1. */
  readonly visible: number;
  readonly pose: Pose;
  readonly facing: 1 | -1;
  /** A door's opening or a lamp's light. */
  readonly value: number;
  readonly holder: string | null;
}

/** One moment as the camera has it. */
export interface Observation {
  readonly timeSec: number;
  readonly scene: number;
  readonly camera: CameraPose;
  /** Far to near; only what has some part in the picture and is not entirely hidden. */
  readonly objects: readonly Seen[];
}

/** A world: what is where at any moment of its script. */
export interface World extends DirectedScript {
  readonly spec: WorldSpec;
  readonly durationSec: number;
  shotAt(timeSec: number): Shot;
  /** Everyone in the scene on show, far to near; hidden ones left out. */
  statesAt(timeSec: number): readonly ActorState[];
  stateOf(actorId: string, timeSec: number): ActorState | null;
  observe(timeSec: number): Observation;
  actor(id: string): Actor;
}

const BUCKET_SEC = 20;
const lerp = (from: number, to: number, share: number) => from + (to - from) * share;
const round1 = (value: number) => Math.round(value * 10) / 10;

/** Checks a spec, writes its script, and gives access to every moment of it. @throws UserError `BAD_WORLD` */
export function createWorld(spec: WorldSpec): World {
  if (!(spec.durationSec >= 1 && spec.durationSec <= 4 * 3600)) {
    throw new UserError('BAD_WORLD', { what: 'cannot make a world of this length', got: `${spec.durationSec} s`, expected: 'between 1 second and 4 hours' });
  }
  if (!Number.isSafeInteger(spec.seed)) throw new UserError('BAD_WORLD', { what: 'cannot make a world from this seed', got: String(spec.seed), expected: 'an integer' });
  if (spec.heldOut && spec.split === 'train') throw new UserError('BAD_WORLD', { what: 'held-out colours and activities belong to the test split', got: 'split "train" with heldOut' });
  if (spec.scene !== undefined && spec.footage !== 'fixed' && spec.footage !== 'moving') throw new UserError('BAD_WORLD', { what: 'footage of several places cannot be of one', got: `footage "${spec.footage}" with scene "${spec.scene}"`, expected: 'fixed or moving footage', todo: 'leave the scene out' });
  const script = directScript(spec);
  const byId = new Map(script.actors.map((actor) => [actor.id, actor]));
  const buckets = bucketsOf(script.actors);

  const shotAt = (timeSec: number): Shot => {
    let low = 0;
    let high = script.shots.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (script.shots[middle]!.startSec <= timeSec) low = middle;
      else high = middle - 1;
    }
    return script.shots[low]!;
  };
  const stateOf = (id: string, timeSec: number): ActorState | null => {
    const actor = byId.get(id);
    return actor === undefined ? null : stateAt(actor, timeSec, byId);
  };
  const statesAt = (timeSec: number): ActorState[] => {
    const { scene } = shotAt(timeSec);
    const states: ActorState[] = [];
    for (const actor of buckets.get(`${scene} ${Math.floor(timeSec / BUCKET_SEC)}`) ?? []) {
      const state = stateAt(actor, timeSec, byId);
      if (state !== null && state.pose !== 'inside' && state.alpha > 0) states.push(state);
    }
    return states.sort((a, b) => a.depth - b.depth);
  };
  return {
    ...script, spec, durationSec: spec.durationSec, shotAt, statesAt, stateOf,
    observe: (timeSec) => observe(statesAt(timeSec), shotAt(timeSec), script.occluders, timeSec),
    actor(id) {
      const actor = byId.get(id);
      if (actor === undefined) throw new UserError('NO_SUCH_ACTOR', { what: 'no such actor in this world', got: id });
      return actor;
    },
  };
}

/** For each scene and stretch of 20 seconds, who has a motion in it: keeps an hour as quick to look into as a minute. */
function bucketsOf(actors: readonly Actor[]): Map<string, Actor[]> {
  const buckets = new Map<string, Actor[]>();
  for (const actor of actors) {
    const first = Math.floor(actor.motions[0]!.startSec / BUCKET_SEC);
    const last = Math.floor(actor.motions.at(-1)!.endSec / BUCKET_SEC);
    for (let b = first; b <= last; b++) {
      const key = `${actor.scene} ${b}`;
      const list = buckets.get(key);
      if (list === undefined) buckets.set(key, [actor]);
      else list.push(actor);
    }
  }
  return buckets;
}

function motionAt(motions: readonly Motion[], timeSec: number): Motion | null {
  if (timeSec < motions[0]!.startSec || timeSec > motions.at(-1)!.endSec) return null;
  let low = 0;
  let high = motions.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (motions[middle]!.startSec <= timeSec) low = middle;
    else high = middle - 1;
  }
  return motions[low]!;
}

/** Where a thing in someone's hands is, in units of the holder's body, forward and down from the feet. */
function carried(kind: ActorClass, pose: Pose, progress: number): readonly [number, number] {
  if (pose === 'give') return kind === 'box' ? [40, -57] : [38, -38];
  const rest: readonly [number, number] = kind === 'box' ? [27, -50] : [10, -12];
  if (pose !== 'bend') return rest;
  const depth = Math.sin(Math.min(1, progress) * Math.PI) ** 0.6;
  return [lerp(rest[0], 26, depth), lerp(rest[1], 0, depth)];
}

function stateAt(actor: Actor, timeSec: number, byId: ReadonlyMap<string, Actor>): ActorState | null {
  const motion = motionAt(actor.motions, timeSec);
  if (motion === null) return null;
  const share = (timeSec - motion.startSec) / (motion.endSec - motion.startSec);
  let x = lerp(motion.x0, motion.x1, share);
  let y = lerp(motion.y0, motion.y1, share);
  let { facing, pose } = motion;
  let alpha = lerp(motion.alpha0, motion.alpha1, share);
  let scale = scaleAt(y) * actor.look.size;
  let depth = actor.kind === 'door' ? y - 40 : actor.kind === 'lamp' ? y - 20 : y;
  let holder: Actor | null = null;
  if (motion.holder !== null) {
    holder = byId.get(motion.holder) ?? null;
    const by = holder === null ? null : stateAt(holder, timeSec, byId);
    if (holder === null || by === null) return null;
    if (by.pose === 'inside' || by.alpha === 0) pose = 'inside';
    ({ facing, y } = by);
    if (actor.kind === 'person') {
      // On a bicycle, or unseen inside a car.
      x = by.x - 10 * by.facing * by.scale;
      y = by.y - 6 * by.scale;
      scale = by.scale;
      depth = by.depth + 0.02;
      if (holder.kind === 'bicycle') return { actor, x, y, scale, pose: 'ride', facing, elapsedSec: timeSec - motion.startSec, progress: share, travelPx: by.travelPx, alpha, value: 0, holder, depth };
    } else {
      const [forward, down] = carried(actor.kind, by.pose, by.progress);
      x = by.x + forward * by.facing * by.scale;
      y = by.y + down * by.scale;
      // Keeps its own size: a thing does not grow when it is lifted.
      scale = scaleAt(by.y);
      depth = by.depth + 0.01;
      alpha = by.alpha;
    }
  }
  const travelPx = Math.hypot(x - motion.x0, y - motion.y0);
  return { actor, x, y, scale, pose, facing, elapsedSec: timeSec - motion.startSec, progress: share, travelPx, alpha, value: lerp(motion.value0, motion.value1, share), holder, depth };
}

interface Rect { left: number; top: number; right: number; bottom: number }

/** The box around an extent after the camera has turned and magnified it. */
function place(camera: CameraPose, state: ActorState, [left, top, right, bottom]: Extent): Rect {
  const rect: Rect = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const ux of [left, right]) {
    for (const uy of [top, bottom]) {
      const [x, y] = project(camera, state.x + ux * state.facing * state.scale, state.y + uy * state.scale);
      rect.left = Math.min(rect.left, x);
      rect.right = Math.max(rect.right, x);
      rect.top = Math.min(rect.top, y);
      rect.bottom = Math.max(rect.bottom, y);
    }
  }
  return rect;
}

/** Left edge of a passing occluder, in pixels of a 320-wide picture, or null when it is not there. */
export function occluderAt(occluder: Occluder, timeSec: number): number | null {
  if (timeSec < occluder.startSec || timeSec > occluder.endSec) return null;
  const share = (timeSec - occluder.startSec) / (occluder.endSec - occluder.startSec);
  const travel = VIEW_WIDTH + occluder.widthPx;
  return occluder.direction > 0 ? -occluder.widthPx + share * travel : VIEW_WIDTH - share * travel;
}

function observe(states: readonly ActorState[], shot: Shot, occluders: readonly Occluder[], timeSec: number): Observation {
  const camera = cameraOf(shot, timeSec);
  const covers: Rect[] = [];
  for (const occluder of occluders) {
    const left = occluderAt(occluder, timeSec);
    if (left !== null) covers.push({ left, right: left + occluder.widthPx, top: 0, bottom: WORLD_HEIGHT });
  }
  const objects: Seen[] = [];
  // Near to far, so that whatever has been passed already may hide the next.
  for (let i = states.length - 1; i >= 0; i--) {
    const state = states[i]!;
    const { actor } = state;
    const extent = extentOf(actor.kind, state.pose, actor.look.variant);
    const whole = place(camera, state, extent);
    const left = Math.max(0, whole.left);
    const top = Math.max(0, whole.top);
    const right = Math.min(VIEW_WIDTH, whole.right);
    const bottom = Math.min(WORLD_HEIGHT, whole.bottom);
    if (right > left && bottom > top) {
      const area = (whole.right - whole.left) * (whole.bottom - whole.top);
      const inside = ((right - left) * (bottom - top)) / area;
      const visible = inside * shown({ left, top, right, bottom }, covers) * Math.min(1, state.alpha);
      if (visible > 0.01) {
        objects.push({
          id: actor.id, kind: actor.kind, colour: actor.look.colour,
          box: [round1(left), round1(top), round1(right - left), round1(bottom - top)],
          visible: Math.round(visible * 1000) / 1000,
          pose: state.pose, facing: state.facing, value: Math.round(state.value * 100) / 100, holder: state.holder?.id ?? null,
        });
      }
    }
    if (state.alpha > 0.5) covers.push(place(camera, state, solidOf(actor.kind, extent)));
  }
  return { timeSec, scene: shot.scene, camera, objects: objects.reverse() };
}

/** Share of a box that none of the covers hides, from a grid of 8×8 points. */
function shown(box: Rect, covers: readonly Rect[]): number {
  const near = covers.filter((c) => c.left < box.right && c.right > box.left && c.top < box.bottom && c.bottom > box.top);
  if (near.length === 0) return 1;
  let open = 0;
  for (let row = 0; row < 8; row++) {
    const y = lerp(box.top, box.bottom, (row + 0.5) / 8);
    for (let column = 0; column < 8; column++) {
      const x = lerp(box.left, box.right, (column + 0.5) / 8);
      if (!near.some((c) => x > c.left && x < c.right && y > c.top && y < c.bottom)) open++;
    }
  }
  return open / 64;
}

/** How bright the scene is, 0–1: daylight that wanders, and lamps that are on or off indoors. */
export function brightnessAt(world: World, timeSec: number, states: readonly ActorState[]): number {
  const { kind } = world.scenes[world.shotAt(timeSec).scene]!;
  const daylight = 0.95 + 0.05 * wander(timeSec, kind === 'room' || kind === 'shop' ? 41 : 23, world.spec.seed % 17);
  if (kind === 'street' || kind === 'park') return daylight;
  const lamps = states.filter((s) => s.actor.kind === 'lamp');
  return lamps.length === 0 || lamps.some((l) => l.value > 0.5) ? daylight : daylight * 0.84;
}
