// The time that is left: nothing while it is too soon to tell, and never from work that an earlier run did.
import { expect, it } from 'vitest';
import { createTimeLeft } from './time-left.ts';

it('goes by how fast it went since the first call', () => {
  let nowMs = 0;
  const timeLeft = createTimeLeft(() => nowMs);
  expect(timeLeft(0.5)).toBe('');
  nowMs = 1000;
  expect(timeLeft(0.55)).toBe('');
  nowMs = 10_000;
  expect(timeLeft(0.6)).toBe(', 40 s left');
  expect(createTimeLeft(() => nowMs)(0)).toBe('');
});
