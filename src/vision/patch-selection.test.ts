// Which patches are selected: thresholds, noise, neighbours, refresh, cuts.
import { expect, test } from 'vitest';
import type { PatchView } from './method.ts';
import { createPatchSelector, type SelectionOptions } from './patch-selection.ts';

const grid = { columns: 4, rows: 4 };
const defaults: SelectionOptions = { threshold: 0.1, noiseFactor: 3, spread: 1, refreshFrames: 0, cutRatio: 0.6 };
const open = (options: Partial<SelectionOptions> = {}) => createPatchSelector({ ...defaults, ...options }, grid);

/** A frame in which these patches changed by so much. */
function view(changes: Readonly<Record<number, number>>, { grain = 0 }: { readonly grain?: number } = {}): PatchView {
  const change = new Float32Array(16);
  for (const [patch, by] of Object.entries(changes)) change[Number(patch)] = by;
  return { ...grid, timeSec: 0, age: new Int32Array(16).fill(1), difference: change, change, grain };
}
const chosen = (selector: ReturnType<typeof open>, of: PatchView) => [...selector.withRefresh(selector.select(of), of)];

test('what changed by the threshold or more is computed', () => {
  expect(chosen(open(), view({ 2: 0.2, 3: 0.09, 10: 0.11 }))).toEqual([2, 10]);
  expect(chosen(open(), view({}))).toEqual([]);
});

test('in a noisy picture the noise sets the threshold', () => {
  expect(chosen(open(), view({ 2: 0.2, 10: 0.11 }, { grain: 0.05 }))).toEqual([2]);
  expect(chosen(open({ noiseFactor: 0 }), view({ 2: 0.2, 10: 0.11 }, { grain: 0.05 }))).toEqual([2, 10]);
});

test('a neighbour of a changed patch needs to change less, and does not pass that on', () => {
  // 5 changed; 6 beside it and 0 at its corner a little; 7 beside 6 as much, 15 far away.
  const frame = view({ 5: 0.2, 6: 0.06, 0: 0.06, 7: 0.06, 15: 0.06 });
  expect(chosen(open({ spread: 0.5 }), frame)).toEqual([0, 5, 6]);
  expect(chosen(open({ spread: 0 }), frame)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10]);
  // Patches at opposite edges of neighbouring rows are no neighbours.
  expect(chosen(open({ spread: 0.5 }), view({ 4: 0.2, 3: 0.09, 7: 0.09 }))).toEqual([4]);
});

test('every patch is refreshed once in the stated number of frames, evenly', () => {
  const selector = open({ refreshFrames: 8 });
  const age = new Int32Array(16);
  const computed = new Int32Array(16);
  for (let frame = 0; frame < 32; frame++) {
    age.forEach((value, patch) => (age[patch] = value + 1));
    const rows = chosen(selector, { ...view({}), age });
    expect(rows.length).toBeLessThanOrEqual(2);
    for (const patch of rows) {
      computed[patch]!++;
      age[patch] = 0;
    }
    expect(Math.max(...age)).toBeLessThanOrEqual(8);
  }
  expect([Math.min(...computed), Math.max(...computed)]).toEqual([4, 4]);
});

test('a refresh never takes more than it is left', () => {
  const selector = open({ refreshFrames: 1 });
  const frame = view({ 1: 1, 2: 1 });
  expect(selector.withRefresh(selector.select(frame), frame, 5)).toHaveLength(5);
  expect(selector.withRefresh(selector.select(frame), frame, 2)).toHaveLength(2);
});

test('after a cut the frame is computed whole', () => {
  const changes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, patch) => [patch, 1]));
  expect(open().select(view(changes(9))).cut).toBe(false);
  expect(open().select(view(changes(10))).cut).toBe(true);
});
