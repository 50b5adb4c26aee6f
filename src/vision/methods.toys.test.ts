// Vision methods on examples worked out by hand: a frame of 2 × 2 tokens, one patch each, features two wide.
import { describe, expect, test } from 'vitest';
import { matchTokens } from './bipartite-matching.ts';
import type { TokenView, VisionMethodStream } from './method.ts';
import dtd from './methods/dtd.ts';
import evs from './methods/evs.ts';
import rlt from './methods/rlt.ts';
import tome from './methods/tome.ts';
import type { TokenLayout } from './projector.ts';
import { cosineDistances, tokenMeans } from './token-plan.ts';
import { selectTokens } from './token-selection.ts';

const layout: TokenLayout = { count: 4, columns: 2, rows: 2, sources: 1, patches: Int32Array.of(0, 1, 2, 3) };
const context = { columns: 2, rows: 2, layout };
const all = Int32Array.of(0, 1, 2, 3);

/** Shows a frame to a stream; `difference` is that of its patches, absent for a first frame. */
function show(stream: VisionMethodStream, { difference, tokens = new Float32Array(8).fill(1), lost = [] }: { readonly difference?: readonly number[]; readonly tokens?: Float32Array; readonly lost?: readonly number[] }): number[] | undefined {
  const common = { columns: 2, rows: 2, ...(difference && { difference: Float32Array.from(difference) }) };
  const rows = difference ? (stream.patches?.({ ...common, timeSec: 0, age: new Int32Array(4) }) ?? all) : all;
  const view: TokenView = { ...common, changed: rows, tokens, first: !difference, lost: new Set(lost) };
  const plan = stream.tokens?.(view);
  return plan && [...plan];
}

/** Two numbers for each token: unit vectors at these angles. */
const at = (...degrees: readonly number[]) => Float32Array.from(degrees.flatMap((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]));

test('a token that goes on because the memory lost it is what later ones are compared with', () => {
  const { tokens } = selectTokens({ tokens: 'new', tokenThreshold: 0.01, heldBack: 'hidden' }, { layout });
  const stream: VisionMethodStream = { tokens: tokens! };
  const changed = [1, 1, 1, 1];
  show(stream, { tokens: at(0, 0, 0, 0) });
  expect(show(stream, { difference: changed, tokens: at(5, 0, 0, 20), lost: [0] })).toEqual([0, -1, -1, 1]);
  // 10 degrees from what went on first, but 5 from what went on last.
  expect(show(stream, { difference: changed, tokens: at(10, 10, 0, 20) })).toEqual([-1, 0, -1, -1]);
});

test('a token of several patches differs by their mean, weighted where they are shared', () => {
  const squares = { count: 2, columns: 2, rows: 1, sources: 2, patches: Int32Array.of(0, 2, 1, 3) };
  expect([...tokenMeans(Float32Array.of(1, 2, 3, 4), squares, new Float32Array(2))]).toEqual([2, 3]);
  expect([...tokenMeans(Float32Array.of(1, 2, 3, 4), { ...squares, shares: Float32Array.of(1, 0, 0.25, 0.75) }, new Float32Array(2))]).toEqual([1, 3.5]);
});

test('cosine distances by hand: the same, a right angle, the opposite, and nothing at all', () => {
  expect([...cosineDistances(at(10, 0, 0, 0), at(10, 90, 180, 0), new Float32Array(4))]).toEqual([0, 1, 2, 0]);
  expect([...cosineDistances(new Float32Array(4), Float32Array.of(0, 0, 1, 0), new Float32Array(2))]).toEqual([0, 1]);
});

describe('dtd', () => {
  test('drops what is below the threshold by pixels; what is at it stays', () => {
    const stream = dtd.open({ by: 'pixels', threshold: 0.25 }, context);
    expect(show(stream, {})).toBeUndefined();
    expect(show(stream, { difference: [0.24, 0.25, 0, 0.9] })).toEqual([-1, 0, -1, 1]);
    expect(show(stream, { difference: [1, 1, 1, 1] })).toBeUndefined();
  });

  test('compares features with those of the frame before, not with those that were kept', () => {
    const stream = dtd.open({ by: 'features', threshold: 0.5 }, context);
    show(stream, { tokens: at(0, 0, 0, 0) });
    // cos 50° = 0.64: nearer than 0.5; cos 70° = 0.34: farther.
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(50, 70, 0, 0) })).toEqual([-1, 0, -1, -1]);
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(100, 140, 0, 0) })).toEqual([-1, 0, -1, -1]);
  });

  test('after a failure the next frame goes on whole, whatever came before', () => {
    const stream = dtd.open({ by: 'features', threshold: 0.5 }, context);
    show(stream, { tokens: at(0, 0, 0, 0) });
    expect(show(stream, { tokens: at(0, 0, 0, 0) })).toBeUndefined();
  });
});

describe('rlt', () => {
  test('recomputes and passes on the patches that left their last kept state', () => {
    const stream = rlt.open({ threshold: 0.125 }, context);
    expect(show(stream, {})).toBeUndefined();
    expect([...stream.patches!({ columns: 2, rows: 2, timeSec: 0, age: new Int32Array(4), difference: Float32Array.of(0.05, 0.2, 0.125, 0) })!]).toEqual([1, 2]);
    expect(show(stream, { difference: [0.05, 0.2, 0, 0] })).toEqual([-1, 0, -1, -1]);
    expect(show(stream, { difference: [0, 0, 0, 0] })).toEqual([-1, -1, -1, -1]);
  });
});

describe('evs', () => {
  test('keeps the largest quarter of a frame, where the window is one frame', () => {
    const stream = evs.open({ dropRatio: 0.75, windowFrames: 1 }, context);
    expect(show(stream, { tokens: at(0, 0, 0, 0) })).toBeUndefined();
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(10, 30, 20, 0) })).toEqual([-1, 0, -1, -1]);
  });

  test('a frame of a livelier window keeps less; over the window the share is kept', () => {
    const stream = evs.open({ dropRatio: 0.5, windowFrames: 2 }, context);
    show(stream, { tokens: at(0, 0, 0, 0) });
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(40, 50, 60, 70) })).toEqual([-1, -1, 0, 1]);
    // Angles to the frame before: 5, 65, 10 and 0; with 40, 50, 60 and 70 the four largest of eight are 50, 60, 65 and 70.
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(45, 115, 70, 70) })).toEqual([-1, 0, -1, -1]);
    // The first has left the window: 5, 65, 10, 0, 20, 30, 1 and 2.
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(65, 145, 71, 72) })).toEqual([0, 1, -1, -1]);
  });

  test('of equal differences the older and the first are kept, and no more than the share', () => {
    const stream = evs.open({ dropRatio: 0.5, windowFrames: 2 }, context);
    show(stream, { tokens: at(0, 0, 0, 0) });
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(0, 0, 0, 0) })).toEqual([0, 1, -1, -1]);
    expect(show(stream, { difference: [0, 0, 0, 0], tokens: at(0, 0, 0, 0) })).toEqual([-1, -1, -1, -1]);
  });
});

describe('tome', () => {
  test('joins along the best edges between every other token and the rest', () => {
    // First set 0°, 90°; second set 10°, 60°. Best edges: 0–1 (10° apart) and 2–3 (30° apart).
    expect([...matchTokens(at(0, 10, 90, 60), 4, 3)]).toEqual([0, 0, 1, 2]);
    expect([...matchTokens(at(0, 10, 90, 60), 4, 2)]).toEqual([0, 0, 1, 1]);
    expect([...matchTokens(at(0, 10, 90, 60), 4, 1)]).toEqual([0, 0, 0, 0]);
  });

  test('two may join the same token; ties go to the first', () => {
    expect([...matchTokens(at(20, 25, 30, 170), 4, 2)]).toEqual([0, 0, 0, 1]);
    expect([...matchTokens(at(0, 0, 0, 0), 4, 3)]).toEqual([0, 0, 1, 2]);
  });

  test('a later round weighs a group by its size', () => {
    // First 0°, 0° and 30° join, at 9.9°, as do 170° and 185°, at 177.5°. Of these 177.5° is nearer to 95°; a mean of means, at 15°, would be nearer still.
    expect([...matchTokens(at(0, 0, 30, 95, 170, 185), 6, 2)]).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test('keeps the stated share of a frame, rounded up', () => {
    const stream = tome.open({ keepRatio: 0.6 }, context);
    expect(new Set(show(stream, { tokens: at(0, 10, 90, 60) })).size).toBe(3);
  });
});
