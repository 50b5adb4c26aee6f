// What a watcher loses who takes one moment for another, by the exact truth of the world or by the model's own visual tokens.
import { cheapRatio } from '../gate/method.ts';
import type { Observation, Seen, World } from '../world/world.ts';

/** Cells that the changed part of a picture is counted in; pictures of truth are 320 × 240. */
const cells = { columns: 16, rows: 12, sidePx: 20 } as const;

/** Camera motion that is no longer the same view, in pixels. */
const viewShiftPx = 40;

/** What changed between two moments. */
export interface Change {
  /** 0 nothing, 1 something that a question could be about. */
  readonly worth: number;
  /** Share of the picture in which it happened. */
  readonly share: number;
  /** How much of a rectangle (shares of the picture's width and height) changed: 0 to 1. */
  at(left: number, top: number, right: number, bottom: number): number;
}

/** Loss of each path of the gate (full, cheap, skip), when that much changed since the last full frame. */
export function lossOfPaths({ worth, share }: Pick<Change, 'worth' | 'share'>): readonly [number, number, number] {
  // The cheap path recomputes where most changed: what does not fit into its share is lost.
  return [0, share > cheapRatio ? worth * (1 - cheapRatio / share) : 0, worth];
}

/** By the world's own truth. */
export function changeInWorld(world: World, fromSec: number, toSec: number): Change {
  const [from, to] = [world.observe(fromSec), world.observe(toSec)];
  const changed = new Float32Array(cells.columns * cells.rows);
  let worth = Math.min(1, cameraShiftPx(from, to) / viewShiftPx);
  if (worth > 0.05) changed.fill(worth);
  const before = new Map(from.objects.map((seen) => [seen.id, seen]));
  for (const now of to.objects) {
    const then = before.get(now.id);
    before.delete(now.id);
    const weight = changeOf(then, now);
    worth = Math.max(worth, weight);
    cover(changed, now, weight);
    if (then) cover(changed, then, weight);
  }
  for (const gone of before.values()) {
    const weight = presence(gone);
    worth = Math.max(worth, weight);
    cover(changed, gone, weight);
  }
  return { worth, share: changed.filter((value) => value > 0.1).length / changed.length, at: (...place) => largest(changed, cells, place) };
}

function cameraShiftPx(a: Observation, b: Observation): number {
  if (a.scene !== b.scene) return Infinity;
  const zoom = Math.abs(Math.log(b.camera.zoom / a.camera.zoom)) * 160;
  return Math.hypot(b.camera.x - a.camera.x, b.camera.y - a.camera.y) * b.camera.zoom + zoom + Math.abs(b.camera.rollRad - a.camera.rollRad) * 160;
}

/** How much there is to see of something: a hand's breadth in the distance is no event. */
function presence({ box, visible }: Seen): number {
  return Math.min(1, (visible * box[2] * box[3]) / 60);
}

function changeOf(then: Seen | undefined, now: Seen): number {
  if (!then) return presence(now);
  if (then.pose !== now.pose || then.holder !== now.holder || Math.abs(then.value - now.value) > 0.5) return Math.max(presence(then), presence(now));
  const [dx, dy] = [now.box[0] + now.box[2] / 2 - then.box[0] - then.box[2] / 2, now.box[1] + now.box[3] / 2 - then.box[1] - then.box[3] / 2];
  // Half its own size away is elsewhere; less than two pixels is nowhere.
  const moved = Math.hypot(dx, dy);
  const away = moved < 2 ? 0 : Math.min(1, (2 * moved) / Math.max(8, now.box[2], now.box[3]));
  return Math.max(away, Math.min(1, 2 * Math.abs(now.visible - then.visible))) * presence(now);
}

function cover(changed: Float32Array, { box: [left, top, width, height] }: Seen, weight: number): void {
  if (weight === 0) return;
  const { columns, rows, sidePx } = cells;
  for (let y = Math.max(0, Math.floor(top / sidePx)); y <= Math.min(rows - 1, Math.floor((top + height) / sidePx)); y++) {
    for (let x = Math.max(0, Math.floor(left / sidePx)); x <= Math.min(columns - 1, Math.floor((left + width) / sidePx)); x++) {
      changed[y * columns + x] = Math.max(changed[y * columns + x]!, weight);
    }
  }
}

/** The largest value of a grid of cells within a rectangle. */
function largest(changed: Float32Array, { columns, rows }: { readonly columns: number; readonly rows: number }, [left, top, right, bottom]: readonly [number, number, number, number]): number {
  let most = 0;
  // Edges are moved inwards a little, or a patch would reach into the next cell.
  for (let y = Math.floor(top * rows + 1e-3); y <= Math.min(rows - 1, Math.floor(bottom * rows - 1e-3)); y++) {
    for (let x = Math.floor(left * columns + 1e-3); x <= Math.min(columns - 1, Math.floor(right * columns - 1e-3)); x++) most = Math.max(most, changed[y * columns + x]!);
  }
  return most;
}

/** 1 − cosine from which on a visual token says something else entirely. */
const otherToken = 0.5;

/**
 * By the model's visual tokens: how far each moved.
 * @param distances float32 [tokens], 1 − cosine, row by row
 */
export function changeInTokens(distances: Float32Array, columns: number): Change {
  const rows = distances.length / columns;
  const changed = distances.map((distance) => Math.min(1, distance / otherToken));
  return {
    worth: changed.reduce((most, value) => Math.max(most, value), 0),
    share: changed.filter((value) => value > 0.1).length / changed.length,
    at: (...place) => largest(changed, { columns, rows }, place),
  };
}
