// Tests of sampling by rate.
import { expect, test } from 'vitest';
import { createSampler } from './sampling.ts';

function keptOf(timesSec: readonly number[], fps?: number): number[] {
  const sampler = createSampler(fps);
  return timesSec.filter((timeSec) => sampler.keep(timeSec));
}
const steps = (count: number, stepSec: number) => Array.from({ length: count }, (_, index) => index * stepSec);

test('without a rate every picture is kept', () => {
  expect(keptOf([0, 0.1, 7])).toEqual([0, 0.1, 7]);
});

test('30 frames a second become 2, each at its half second', () => {
  const kept = keptOf(steps(90, 1 / 30), 2);
  expect(kept.map((timeSec) => timeSec.toFixed(3))).toEqual(['0.000', '0.500', '1.000', '1.500', '2.000', '2.500']);
});

test('a rate above that of the source repeats nothing and loses nothing', () => {
  expect(keptOf(steps(50, 0.04), 60)).toHaveLength(50);
  expect(keptOf(steps(50, 0.04), 25)).toHaveLength(50);
});

test('times rounded to milliseconds, as in Matroska, do not cost frames', () => {
  const rounded = steps(300, 1 / 30).map((timeSec) => Math.round(timeSec * 1000) / 1000);
  expect(keptOf(rounded, 30)).toHaveLength(300);
  expect(keptOf(rounded, 10)).toHaveLength(100);
});

test('with a variable frame rate the first picture after each point is kept, and gaps are not made up for', () => {
  expect(keptOf([0, 0.1, 0.2, 1, 1.05, 1.6, 3, 3.1], 2)).toEqual([0, 1, 1.6, 3]);
});

test('25 to 10 frames a second keeps the rate over a minute', () => {
  expect(keptOf(steps(1500, 0.04), 10)).toHaveLength(600);
});
