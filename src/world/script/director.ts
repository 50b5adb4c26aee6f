// The director: goes through the takes in order and has activities follow one another until the footage is over.
import { createRandom } from '../../core/random.ts';
import type { Random } from '../../core/random.ts';
import { HELD_OUT_ACTIVITIES, isHeldOutActivity } from '../held-out.ts';
import type { Actor, Occluder, SceneLayout, Shot, WorldEvent, WorldSpec } from '../types.ts';
import type { Activity } from './activity.ts';
import { FIXTURE_ACTIVITIES } from './fixtures.ts';
import { ITEM_ACTIVITIES } from './items.ts';
import { PEOPLE_ACTIVITIES } from './people.ts';
import { planShots } from './shots.ts';
import { Stage } from './stage.ts';
import type { Script } from './stage.ts';
import { place, VEHICLE_ACTIVITIES } from './vehicles.ts';

export const ACTIVITIES: readonly Activity[] = [...PEOPLE_ACTIVITIES, ...ITEM_ACTIVITIES, ...FIXTURE_ACTIVITIES, ...VEHICLE_ACTIVITIES];

/** All that a world consists of before it is drawn. */
export interface DirectedScript {
  readonly scenes: readonly SceneLayout[];
  readonly shots: readonly Shot[];
  readonly actors: readonly Actor[];
  readonly events: readonly WorldEvent[];
  readonly occluders: readonly Occluder[];
}

function setScene(stage: Stage, timeSec: number): void {
  const { random, layout } = stage;
  stage.nowSec = timeSec;
  const kinds = ['person', 'person', random.pick(['bag', 'box'] as const)] as ('person' | 'car' | 'bicycle' | 'dog' | 'bag' | 'box')[];
  if (random.next() < 0.5) kinds.push('person');
  if (random.next() < 0.5) kinds.push(random.pick(['bag', 'box'] as const));
  if (layout.kind === 'street' && random.next() < 0.6) kinds.push('car');
  if ((layout.kind === 'street' || layout.kind === 'park') && random.next() < 0.35) kinds.push('bicycle');
  if (layout.kind !== 'shop' && rareAllowed(stage.spec, 'dog', timeSec) && random.next() < 0.35) kinds.push('dog');
  // A scene with some who are not there yet leaves room for arrivals.
  for (const kind of random.shuffle(kinds)) if (random.next() < 0.85) place(stage, timeSec, kind);
  // Some have their hands full from the start: without, nobody could put down or hand over anything in a short clip.
  const [person] = stage.free('person', timeSec).filter((p) => p.carries === null);
  const [item] = [...stage.free('bag', timeSec), ...stage.free('box', timeSec)];
  if (person !== undefined && item !== undefined && random.next() < 0.45) {
    item.track.holder = person.id;
    item.by = person;
    person.carries = item;
  }
}

/** In long footage dogs and bicycles show up in one minute of six only, so that there is something to remember. */
function rareAllowed(spec: WorldSpec, kind: 'dog' | 'bicycle', timeSec: number): boolean {
  if (spec.durationSec <= 120) return true;
  const block = Math.floor(timeSec / 360);
  const minute = Math.floor((timeSec % 360) / 60);
  const chosen = createRandom(`${spec.seed} ${kind} ${block}`).int(0, Math.min(6, Math.ceil(spec.durationSec / 60)));
  return minute === chosen;
}

const RARE: Readonly<Record<string, 'dog' | 'bicycle'>> = { 'dog-in': 'dog', 'ride-past': 'bicycle', dismount: 'bicycle' };

function allowed(activity: Activity, stage: Stage, timeSec: number): boolean {
  const { spec, layout } = stage;
  if (activity.scenes !== undefined && !activity.scenes.includes(layout.kind)) return false;
  if (isHeldOutActivity(layout.kind, activity.name) && !(spec.split === 'test' && spec.heldOut)) return false;
  const rare = RARE[activity.name];
  return rare === undefined || rareAllowed(spec, rare, timeSec);
}

/** Performs one activity, chosen by weight among those that can be done; returns its end or null. */
function next(stage: Stage, timeSec: number, ambient: boolean): number | null {
  const { random, spec, layout } = stage;
  stage.nowSec = timeSec;
  const open = ACTIVITIES.filter((a) => (!ambient || a.ambient === true) && allowed(a, stage, timeSec)).map((activity) => {
    const held = HELD_OUT_ACTIVITIES[layout.kind].includes(activity.name) && spec.heldOut;
    const crowded = stage.present('person').length >= 3 && (activity.name === 'enter' || activity.name === 'bring' || activity.name === 'come-in');
    // Exponential race: the order is a weighted draw without replacement.
    return { activity, key: -Math.log(1 - random.next()) / (activity.weight * (held ? 3 : 1) * (crowded ? 0.25 : 1)) };
  });
  open.sort((a, b) => a.key - b.key);
  for (const { activity } of open) {
    stage.heldOutNow = isHeldOutActivity(layout.kind, activity.name);
    const end = activity.perform(stage, timeSec);
    stage.heldOutNow = false;
    if (end !== null) return end;
  }
  return null;
}

function direct(stage: Stage, shot: Shot, spec: WorldSpec): void {
  const { random } = stage;
  stage.shot = shot;
  if (!stage.started) {
    stage.started = true;
    setScene(stage, shot.startSec);
  }
  if (spec.activities === 'one') {
    next(stage, shot.startSec + 0.6, false);
    return;
  }
  let main = shot.startSec + 0.3 + random.next() * 0.6;
  let ambient = shot.startSec + 1 + random.next() * 6;
  while (Math.min(main, ambient) < shot.endSec - 1.5) {
    if (main <= ambient) {
      stage.prune(main);
      const end = next(stage, main, false);
      main = end === null ? main + 1 : end + 0.2 + random.next() * 0.9;
    } else {
      next(stage, ambient, true);
      ambient += 7 + random.next() * 9;
    }
  }
}

function planOccluders(spec: WorldSpec, random: Random): Occluder[] {
  const occluders: Occluder[] = [];
  if (spec.activities === 'one') return occluders;
  for (let t = 6 + random.next() * 14; t < spec.durationSec - 3; t += 14 + random.next() * 22) {
    occluders.push({
      startSec: Math.round(t * 1000) / 1000,
      endSec: Math.round((t + 1.3 + random.next() * 1.2) * 1000) / 1000,
      direction: random.pick([1, -1] as const),
      widthPx: random.int(44, 96),
      tone: random.pick(['#2a2b30', '#3a332e', '#2b3430']),
    });
  }
  return occluders;
}

/** Writes the whole script of a clip. An hour takes some thousand stretches of motion: less than a few megabytes. */
export function directScript(spec: WorldSpec): DirectedScript {
  const random = createRandom(`thalweg world ${spec.split} ${spec.footage} ${spec.activities} ${spec.heldOut} ${spec.seed}`);
  const { scenes, shots } = planShots(spec, random.fork('shots'));
  const script: Script = { spec, performers: [], events: [] };
  const stageRandom = random.fork('stages');
  const stages = new Map<number, Stage>();
  const lastShot = new Map<number, number>();
  for (const shot of shots) lastShot.set(shot.scene, shot.endSec);
  for (const shot of shots) {
    let stage = stages.get(shot.scene);
    if (stage === undefined) {
      stage = new Stage(script, shot.scene, scenes[shot.scene]!, shot, stageRandom.fork(`stage ${shot.scene}`));
      stages.set(shot.scene, stage);
    }
    direct(stage, shot, spec);
    if (lastShot.get(shot.scene) !== shot.endSec) continue;
    // This place is not seen again: its cast stays until the end of the take and frees its colours.
    for (const p of stage.cast) {
      if (!p.gone && !p.away) p.track.restUntil(shot.endSec);
      p.gone = true;
    }
    stages.delete(shot.scene);
  }
  const actors = script.performers
    .filter(({ performer }) => performer.track.motions.length > 0)
    .map(({ scene, performer: { id, kind, look, track } }): Actor => ({ id, kind, scene, look, motions: track.motions }));
  const events = script.events.filter((e) => e.startSec < spec.durationSec).sort((a, b) => a.startSec - b.startSec || a.id - b.id).map((e, id) => ({ ...e, id }));
  return { scenes: scenes.map((s) => s.layout), shots, actors, events, occluders: planOccluders(spec, random.fork('occluders')) };
}
