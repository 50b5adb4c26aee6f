// Tests of the pauses between attempts.
import { expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { pauseSecOf } from './backoff.ts';

const limits = { minPauseSec: 0.5, maxPauseSec: 30 };

test('pauses double with jitter, up to the limit, for any number of attempts', () => {
  const random = createRandom(1);
  for (const [attempt, fullSec] of [[1, 0.5], [2, 1], [3, 2], [7, 30], [5000, 30]] as const) {
    for (let draw = 0; draw < 50; draw++) {
      const pauseSec = pauseSecOf(attempt, limits, random);
      expect(pauseSec).toBeGreaterThanOrEqual(fullSec / 2);
      expect(pauseSec).toBeLessThanOrEqual(fullSec);
    }
  }
});

test('the seed decides the jitter', () => {
  const pauses = (seed: number) => Array.from({ length: 5 }, ((random) => (_: unknown, index: number) => pauseSecOf(index + 1, limits, random))(createRandom(seed)));
  expect(pauses(3)).toEqual(pauses(3));
  expect(pauses(3)).not.toEqual(pauses(4));
});
