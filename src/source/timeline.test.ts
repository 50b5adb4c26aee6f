// Tests of the timeline: one media time, whatever containers and cameras say.
import { expect, test } from 'vitest';
import { createTimeline } from './timeline.ts';

test('a file starts at 0 where its container starts elsewhere', () => {
  const timeline = createTimeline({ live: false, originSec: 1.4 });
  expect([1.4, 1.44, 1.48].map((timeSec) => timeline.place(timeSec, undefined, 0).toFixed(2))).toEqual(['0.00', '0.04', '0.08']);
});

test('a live stream starts at 0 with its first picture', () => {
  const timeline = createTimeline({ live: true });
  expect(timeline.place(9000, undefined, 50)).toBe(0);
  expect(timeline.place(9000.04, undefined, 50.04)).toBeCloseTo(0.04, 9);
});

test('across a reconnect the clock on the wall says how long the gap was', () => {
  const timeline = createTimeline({ live: true });
  timeline.place(100, undefined, 10);
  timeline.place(100.04, undefined, 10.04);
  timeline.reconnect();
  expect(timeline.place(0, undefined, 15.04)).toBeCloseTo(5.04, 9);
  expect(timeline.place(0.04, undefined, 15.08)).toBeCloseTo(5.08, 9);
});

test('a camera that restarts its clock, or jumps ahead, does not move media time', () => {
  const timeline = createTimeline({ live: true });
  timeline.place(50, undefined, 0);
  timeline.place(50.1, undefined, 0.1);
  expect(timeline.place(0, undefined, 0.2)).toBeCloseTo(0.2, 9);
  expect(timeline.place(5000, undefined, 0.3)).toBeCloseTo(0.3, 9);
  expect(timeline.place(5000.1, undefined, 0.4)).toBeCloseTo(0.4, 9);
});

test('a long pause inside a file is kept', () => {
  const timeline = createTimeline({ live: false, originSec: 0 });
  timeline.place(0, undefined, 0);
  expect(timeline.place(60, undefined, 0)).toBe(60);
});

test('pictures without a time follow the one before by its length', () => {
  const timeline = createTimeline({ live: false });
  expect([timeline.place(undefined, 0.1, 0), timeline.place(undefined, 0.1, 0), timeline.place(undefined, undefined, 0)].map((timeSec) => timeSec.toFixed(2))).toEqual(['0.00', '0.10', '0.20']);
});

test('pictures that share a time, and files joined end to end, still move forward', () => {
  const timeline = createTimeline({ live: false, originSec: 0 });
  const placed = [0, 0.04, 0.04, 0.03, 0.08, 5, 0, 0.04].map((timeSec) => timeline.place(timeSec, undefined, 0));
  for (let i = 1; i < placed.length; i++) expect(placed[i]).toBeGreaterThan(placed[i - 1]!);
  expect(placed.at(-1)! - placed.at(-2)!).toBeCloseTo(0.04, 6);
});
