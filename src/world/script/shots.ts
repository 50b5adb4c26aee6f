// Plans the takes: which scenes there are, which is shown when, and how the camera moves.
import type { Random } from '../../core/random.ts';
import { planScene, VIEW_WIDTH } from '../scene/layout.ts';
import type { ScenePlan } from '../scene/layout.ts';
import type { SceneKind, Shot, WorldSpec } from '../types.ts';

export interface ShotPlan {
  readonly scenes: readonly ScenePlan[];
  readonly shots: readonly Shot[];
}

/** A moving camera changes place at least this often; longer footage is several takes. */
const LONGEST_TAKE_SEC = 90;
const HALF_VIEW = VIEW_WIDTH / 2;
const KINDS: readonly SceneKind[] = ['street', 'street', 'shop', 'room', 'park'];

function otherKind(random: Random, than: SceneKind | null): SceneKind {
  return random.pick(KINDS.filter((kind) => kind !== than));
}

function shotOf(startSec: number, endSec: number, scene: number, style: Shot['style'], random: Random, path: Shot['path'], zoom = 1): Shot {
  return { startSec, endSec, scene, style, path, seed: Math.round(random.next() * 6283) / 1000, zoom };
}

/** Holds on one part of the scene, then swings to another, again and again. */
function panPath(startSec: number, endSec: number, widthPx: number, random: Random): Shot['path'] {
  const path: { timeSec: number; x: number }[] = [];
  let x = random.int(HALF_VIEW, widthPx - HALF_VIEW);
  let t = startSec;
  path.push({ timeSec: t, x });
  while (t < endSec) {
    t += 5 + random.next() * 3;
    path.push({ timeSec: t, x });
    const step = random.int(90, 180) * (x > widthPx / 2 ? -1 : 1);
    x = Math.min(widthPx - HALF_VIEW, Math.max(HALF_VIEW, x + step));
    t += 2 + random.next();
    path.push({ timeSec: t, x });
  }
  return path;
}

/** Walks along the scene, now and then standing still for a while. */
function walkPath(startSec: number, endSec: number, random: Random): { path: Shot['path']; widthPx: number } {
  const speed = 12 + random.next() * 7;
  const path: { timeSec: number; x: number }[] = [{ timeSec: startSec, x: HALF_VIEW }];
  let x = HALF_VIEW;
  let t = startSec;
  while (t < endSec) {
    const walking = 4 + random.next() * 4;
    t += walking;
    x += walking * speed;
    path.push({ timeSec: t, x: Math.round(x) });
    t += 2 + random.next() * 3;
    path.push({ timeSec: t, x: Math.round(x) });
  }
  return { path, widthPx: Math.ceil(x + HALF_VIEW) };
}

function movingTake(startSec: number, endSec: number, scene: number, kind: SceneKind, style: 'pan' | 'handheld' | 'walk', random: Random): { shot: Shot; plan: ScenePlan } {
  if (style === 'walk') {
    const { path, widthPx } = walkPath(startSec, endSec, random);
    return { shot: shotOf(startSec, endSec, scene, style, random, path), plan: planScene(kind, widthPx, random) };
  }
  if (style === 'pan') {
    const widthPx = 600;
    return { shot: shotOf(startSec, endSec, scene, style, random, panPath(startSec, endSec, widthPx, random)), plan: planScene(kind, widthPx, random) };
  }
  return { shot: shotOf(startSec, endSec, scene, style, random, [{ timeSec: startSec, x: 165 }], 1), plan: planScene(kind, 330, random) };
}

function cutShots(durationSec: number, random: Random): ShotPlan {
  const scenes: ScenePlan[] = [];
  const shots: Shot[] = [];
  let t = 0;
  // Sets of two or three places that the cuts go back and forth between; long footage moves on to a new set.
  while (t < durationSec) {
    const setEnd = Math.min(durationSec, t + 100 + random.next() * 40);
    const first = scenes.length;
    const count = durationSec < 25 ? 2 : 3;
    const kinds = random.shuffle(['street', 'shop', 'room', 'park'] as const).slice(0, count);
    for (const kind of kinds) scenes.push(planScene(kind, 320, random));
    let scene = -1;
    while (t < setEnd) {
      let endSec = Math.round((t + 5.5 + random.next() * 5) * 8) / 8;
      // The last take of a set takes what is left: no take is too short to see.
      if (setEnd - endSec < 3.5) endSec = setEnd;
      scene = random.pick(kinds.map((_, i) => first + i).filter((i) => i !== scene));
      const zoom = random.next() < 0.4 ? 1.1 : 1;
      shots.push(shotOf(t, endSec, scene, random.next() < 0.3 ? 'handheld' : 'fixed', random, [{ timeSec: t, x: 160 }], zoom));
      t = endSec;
    }
  }
  return { scenes, shots };
}

/** Plans scenes and takes for a clip. */
export function planShots(spec: WorldSpec, random: Random): ShotPlan {
  const { durationSec, footage, scene } = spec;
  if (footage === 'cuts') return cutShots(durationSec, random);
  if (footage === 'fixed') {
    // The draw comes first, so that everything else is as the seed has it.
    const drawn = random.pick(KINDS);
    return { scenes: [planScene(scene ?? drawn, 320, random)], shots: [shotOf(0, durationSec, 0, 'fixed', random, [{ timeSec: 0, x: 160 }])] };
  }
  const scenes: ScenePlan[] = [];
  const shots: Shot[] = [];
  let kind: SceneKind | null = null;
  let t = 0;
  while (t < durationSec) {
    const length = footage === 'ego' ? 14 + random.next() * 12 : LONGEST_TAKE_SEC * (0.7 + 0.3 * random.next());
    let endSec = Math.round((t + length) * 8) / 8;
    if (durationSec - endSec < 8 || (footage === 'moving' && durationSec <= LONGEST_TAKE_SEC)) endSec = durationSec;
    kind = otherKind(random, kind);
    const style = footage === 'ego' ? 'walk' : random.pick(['pan', 'handheld', 'walk'] as const);
    const { shot, plan } = movingTake(t, endSec, scenes.length, scene ?? kind, style, random);
    scenes.push(plan);
    shots.push(shot);
    t = endSec;
  }
  return { scenes, shots };
}
