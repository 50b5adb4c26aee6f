// How much room each actor takes in the picture, for boxes and for what hides what. Units of the drawings, feet at the origin, facing right.
import type { ActorClass, Pose } from './types.ts';

/** left, top, right, bottom. */
export type Extent = readonly [number, number, number, number];

const PEOPLE: Readonly<Record<Pose, Extent>> = {
  stand: [-15, -102, 16, 1],
  walk: [-23, -102, 25, 1],
  run: [-36, -98, 36, 1],
  bend: [-24, -84, 38, 1],
  reach: [-14, -102, 32, 1],
  give: [-13, -102, 36, 1],
  wave: [-15, -108, 20, 1],
  fall: [-52, -88, 38, 3],
  lie: [-50, -20, 56, 5],
  rise: [-52, -88, 38, 3],
  ride: [-18, -108, 26, -8],
  inside: [0, 0, 0, 0],
};

const THINGS: Readonly<Record<Exclude<ActorClass, 'person' | 'lamp'>, Extent>> = {
  car: [-67, -55, 67, 1],
  bicycle: [-45, -54, 45, 1],
  dog: [-31, -47, 40, 1],
  bag: [-15, -37, 15, 0],
  box: [-19, -32, 19, 0],
  door: [-31, -122, 31, 0],
};

const LAMPS: readonly Extent[] = [[-13, -153, 13, 0], [-20, -118, 20, 0], [-24, -170, 24, -142]];

/** The box around an actor in this pose. */
export function extentOf(kind: ActorClass, pose: Pose, variant: number): Extent {
  if (kind === 'person') return PEOPLE[pose];
  if (kind === 'lamp') return LAMPS[variant]!;
  if (kind === 'dog' && pose === 'lie') return [-31, -36, 40, 1];
  return THINGS[kind];
}

/** The part of the box that is solid enough to hide what is behind it. */
export function solidOf(kind: ActorClass, [left, top, right, bottom]: Extent): Extent {
  const inset = kind === 'person' ? 0.18 : kind === 'bicycle' ? 0.34 : kind === 'lamp' ? 0.4 : 0.06;
  const width = (right - left) * inset;
  return [left + width, top + (bottom - top) * (kind === 'bicycle' ? 0.4 : 0.06), right - width, bottom];
}
