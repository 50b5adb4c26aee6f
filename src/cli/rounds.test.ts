// Tests of when rounds of questions are due.
import { expect, test } from 'vitest';
import { createRounds } from './rounds.ts';

const dueAt = (everySec: number, times: readonly number[]) => {
  const isDue = createRounds(everySec);
  return times.filter(isDue);
};

test('rounds count from the first frame', () => {
  expect(dueAt(2, [100, 101, 102, 103, 104, 105])).toEqual([102, 104]);
});

test('intervals that the stream jumps past make one round, and the rhythm stays', () => {
  expect(dueAt(10, [0, 5, 47, 48, 50, 59, 60])).toEqual([47, 50, 60]);
});

test('a frame a hair early is on time, and the first frame never is', () => {
  expect(dueAt(2, [0.1, 1.1, 2.0999999, 3.1, 4.1])).toEqual([2.0999999, 4.1]);
  expect(dueAt(0.1, [0, 0.5, 1])).toEqual([0.5, 1]);
});
