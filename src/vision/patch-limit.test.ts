// The limit on patches, on a frame of 2 × 2 tokens of one patch each.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineVisionMethod, type PatchView, type TokenView, type VisionMethodStream } from './method.ts';
import { withPatchLimit } from './patch-limit.ts';

const context = { columns: 2, rows: 2, layout: { count: 4, columns: 2, rows: 2, sources: 1, patches: Int32Array.of(0, 1, 2, 3) } };
const method = (stream: VisionMethodStream) => defineVisionMethod({ summary: 'a test', source: 'none', options: z.strictObject({}), needs: [], open: () => stream });
const view = (...change: readonly number[]): PatchView => ({ columns: 2, rows: 2, timeSec: 0, age: new Int32Array(4), change: Float32Array.from(change), grain: 0 });
const tokens = (...changed: readonly number[]): TokenView => ({ columns: 2, rows: 2, changed: Int32Array.from(changed), tokens: new Float32Array(8), first: false, lost: new Set() });

test('of the patches that a method wants, those that changed most are computed; whole frames too', () => {
  const limit = { ratio: 0.5 };
  const some = withPatchLimit(method({ patches: () => Int32Array.of(0, 2, 3) }), limit).open({}, context);
  expect([...some.patches!(view(0.1, 9, 0.3, 0.2))!]).toEqual([2, 3]);
  const all = withPatchLimit(method({}), limit).open({}, context);
  expect([...all.patches!(view(0.1, 9, 0.3, 0.1))!]).toEqual([1, 2]);
  limit.ratio = 0.01;
  expect([...all.patches!(view(0, 0, 0, 0))!]).toEqual([0]);
  limit.ratio = 1;
  expect(all.patches!(view(0, 0, 0, 0))).toBeUndefined();
});

test('a frame under the limit passes on what was computed alone, in the order of the plan', () => {
  const limit = { ratio: 0.5 };
  const merging = withPatchLimit(method({ tokens: () => Int32Array.of(0, 1, 0, 2) }), limit).open({}, context);
  merging.patches!(view(1, 0, 1, 1));
  expect([...merging.tokens!(tokens(2, 3))!]).toEqual([-1, -1, 0, 1]);
  expect([...merging.tokens!({ ...tokens(0, 1, 2, 3), first: true })!]).toEqual([0, 1, 0, 2]);
  const plain = withPatchLimit(method({}), limit).open({}, context);
  plain.patches!(view(1, 0, 0, 0));
  expect([...plain.tokens!(tokens(0))!]).toEqual([0, -1, -1, -1]);
  limit.ratio = 1;
  plain.patches!(view(1, 0, 0, 0));
  expect(plain.tokens!(tokens(0, 1, 2, 3))).toBeUndefined();
});

test('what a method says of itself stays, and differences are asked for', () => {
  const inner = defineVisionMethod({ ...method({ steadyPx: 3 }), runLengths: true });
  const limited = withPatchLimit(inner, { ratio: 1 });
  expect(limited).toMatchObject({ runLengths: true, needs: ['difference'] });
  expect(limited.open({}, context).steadyPx).toBe(3);
});
