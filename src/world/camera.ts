// The camera: where it looks at a time, and where a world point falls in the picture.
import { VIEW_WIDTH, WORLD_HEIGHT } from './scene/layout.ts';
import type { CameraPose, Shot } from './types.ts';

/** A value that wanders smoothly between −1 and 1: two sines of unrelated periods. */
export function wander(timeSec: number, periodSec: number, phase: number): number {
  return 0.6 * Math.sin((2 * Math.PI * timeSec) / periodSec + phase) + 0.4 * Math.sin((2 * Math.PI * timeSec) / (periodSec * 0.637) + phase * 2.3);
}

/** World x of the middle of the picture, without shake. */
export function pathX(shot: Shot, timeSec: number): number {
  const { path } = shot;
  let index = 0;
  while (index + 1 < path.length && path[index + 1]!.timeSec <= timeSec) index++;
  const from = path[index]!;
  const to = path[index + 1];
  if (to === undefined || timeSec <= from.timeSec) return from.x;
  const share = (timeSec - from.timeSec) / (to.timeSec - from.timeSec);
  const eased = shot.style === 'walk' ? share : share * share * (3 - 2 * share);
  return from.x + (to.x - from.x) * eased;
}

/** Where the camera of a shot looks. */
export function cameraOf(shot: Shot, timeSec: number): CameraPose {
  const x = pathX(shot, timeSec);
  const { seed, zoom } = shot;
  // A closer view keeps the feet of the nearest in the picture.
  const middle = WORLD_HEIGHT / 2 + (zoom - 1) * 95;
  switch (shot.style) {
    case 'fixed':
    case 'pan':
      return { x, y: middle, zoom, rollRad: 0 };
    case 'handheld':
      return {
        x: x + 4.5 * wander(timeSec, 1.9, seed) + 1.2 * wander(timeSec, 0.41, seed + 2),
        y: middle + 3.2 * wander(timeSec, 1.6, seed + 1) + 1 * wander(timeSec, 0.37, seed + 3),
        zoom: zoom * (1.035 + 0.025 * wander(timeSec, 7, seed + 4)),
        rollRad: 0.014 * wander(timeSec, 2.7, seed + 5),
      };
    case 'walk':
      return {
        x: x + 1.6 * Math.sin(timeSec * 5.6 + seed),
        y: middle + 2.6 * Math.sin(timeSec * 11.2 + seed) + 1.5 * wander(timeSec, 3.1, seed),
        zoom: zoom * 1.03,
        rollRad: 0.011 * Math.sin(timeSec * 5.6 + seed + 0.6),
      };
    default:
      throw new TypeError(`unknown camera style ${String(shot.style satisfies never)}`);
  }
}

/** A world point in pixels of a 320×240 picture. */
export function project(camera: CameraPose, x: number, y: number): readonly [number, number] {
  const dx = (x - camera.x) * camera.zoom;
  const dy = (y - camera.y) * camera.zoom;
  const cos = Math.cos(camera.rollRad);
  const sin = Math.sin(camera.rollRad);
  return [VIEW_WIDTH / 2 + dx * cos - dy * sin, WORLD_HEIGHT / 2 + dx * sin + dy * cos];
}
