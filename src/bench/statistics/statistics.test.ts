// Tests of the statistics against examples computed by hand, with scipy (McNemar) and with numpy (bootstrap).
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { clusteredMean, pairedDifference, quantile, type PairedValue } from './bootstrap.ts';
import { exactP, mcnemar } from './mcnemar.ts';
import { nonInferiority } from './non-inferiority.ts';

describe('McNemar’s exact p equals scipy.stats.binomtest', () => {
  test.each([
    [0, 0, 1],
    [1, 0, 1],
    [10, 2, 0.03857421875],
    [25, 14, 0.10812902140605732],
    [700, 650, 0.1823103494670065],
    [3, 12, 0.03515625],
  ])('%i against %i', (b, c, p) => {
    expect(exactP(b, c)).toBeCloseTo(p, 10);
    expect(exactP(c, b)).toBe(exactP(b, c));
  });

  test('thousands of pairs do not underflow', () => {
    expect(exactP(3000, 3000)).toBeCloseTo(1, 10);
  });

  test('counts', () => {
    const pairs = [
      [true, true],
      [true, false],
      [true, false],
      [false, true],
      [false, false],
    ].map(([method, baseline]) => ({ method: method!, baseline: baseline! }));
    expect(mcnemar(pairs)).toMatchObject({ bothRight: 1, onlyMethod: 2, onlyBaseline: 1, bothWrong: 1 });
  });
});

/** 40 videos with one to five questions each; the same in the numpy script that gave the expected figures. */
function sample(): PairedValue[] {
  return Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 1 + (i % 5) }, (_one, j): PairedValue => ({
      cluster: `video ${i}`,
      method: (i * 7 + j * 3) % 10 < 7 ? 1 : 0,
      baseline: (i * 5 + j * 11) % 12 < 9 ? 1 : 0,
    })),
  ).flat();
}

describe('paired difference', () => {
  test('interval and standard error equal a clustered bootstrap in numpy of a million draws', () => {
    const difference = pairedDifference(sample(), createRandom(1), { resamples: 100_000 });
    expect(difference).toMatchObject({ estimate: 0, pairs: 120, clusters: 40, isDegenerate: false });
    expect(Math.abs(difference.low - -0.0984)).toBeLessThan(0.0025);
    expect(Math.abs(difference.high - 0.1032)).toBeLessThan(0.0025);
    expect(Math.abs(difference.standardError - 0.05152)).toBeLessThan(0.0005);
  });

  test('one seed, one interval', () => {
    expect(pairedDifference(sample(), createRandom(7))).toEqual(pairedDifference(sample(), createRandom(7)));
    expect(pairedDifference(sample(), createRandom(7))).not.toEqual(pairedDifference(sample(), createRandom(8)));
  });

  test('questions of one video count as one draw: copies of a question do not narrow the interval', () => {
    const once = sample().filter((value, index, all) => all.findIndex((other) => other.cluster === value.cluster) === index);
    const copied = once.flatMap((value) => Array.from({ length: 20 }, () => value));
    const narrow = pairedDifference(once, createRandom(3));
    const wide = pairedDifference(copied, createRandom(3));
    expect(wide.high - wide.low).toBeCloseTo(narrow.high - narrow.low, 9);
  });

  test('no difference in any pair is no proof: the exact bound over so many videos remains', () => {
    const alike = Array.from({ length: 10 }, (_, index) => ({ cluster: String(index), method: 1, baseline: 1 }));
    const difference = pairedDifference(alike, createRandom(1));
    expect(difference.isDegenerate).toBe(true);
    expect(difference.low).toBeCloseTo(-(1 - 0.025 ** 0.1), 12);
    expect(nonInferiority(difference, 0.01).verdict).toBe('undecided');
  });

  test('one video says nothing of others', () => {
    const difference = pairedDifference(
      [
        { cluster: 'a', method: 1, baseline: 0 },
        { cluster: 'a', method: 1, baseline: 1 },
      ],
      createRandom(1),
    );
    expect([difference.low, difference.high]).toEqual([-0.5, 1.5]);
  });

  test('no pairs are refused', () => {
    expect(() => pairedDifference([], createRandom(1))).toThrow(RangeError);
  });
});

describe('non-inferiority', () => {
  const base = { pairs: 1000, clusters: 100, isDegenerate: false, standardError: 0.01 };

  test('the verdict follows the interval and the margin', () => {
    expect(nonInferiority({ ...base, estimate: 0.01, low: -0.005, high: 0.02 }, 0.01)).toEqual({ margin: 0.01, verdict: 'yes' });
    expect(nonInferiority({ ...base, estimate: -0.03, low: -0.04, high: -0.02 }, 0.01)).toEqual({ margin: 0.01, verdict: 'no' });
    expect(nonInferiority({ ...base, estimate: 0, low: -0.02, high: 0.02 }, 0.01).verdict).toBe('undecided');
    // On the margin is not above it.
    expect(nonInferiority({ ...base, estimate: 0, low: -0.01, high: 0.02 }, 0.01).verdict).toBe('undecided');
  });

  test('the sample that would decide grows with the square of error over margin', () => {
    // By hand: (1.959964 + 0.841621)² · (0.01 / 0.01)² = 7.84888.
    expect(nonInferiority({ ...base, estimate: 0, low: -0.02, high: 0.02 }, 0.01).required).toEqual({ questions: 7849, videos: 785 });
    expect(nonInferiority({ ...base, estimate: 0, low: -0.02, high: 0.02 }, 0.005).required).toEqual({ questions: 31_396, videos: 3140 });
  });

  test('a handful of videos decides nothing, however clear it looks', () => {
    const few = { ...base, clusters: 3, pairs: 12 };
    expect(nonInferiority({ ...few, estimate: 0.1, low: 0.05, high: 0.2 }, 0.01)).toEqual({ margin: 0.01, verdict: 'undecided', required: { questions: 80, videos: 20 } });
    expect(nonInferiority({ ...few, estimate: -0.3, low: -0.4, high: -0.2 }, 0.01)).toEqual({ margin: 0.01, verdict: 'undecided', required: { questions: 80, videos: 20 } });
    // 7.84888 · (0.02 / 0.01)² = 31.4 times as many.
    expect(nonInferiority({ ...few, estimate: 0, low: -0.2, high: 0.2, standardError: 0.02 }, 0.01)).toEqual({ margin: 0.01, verdict: 'undecided', required: { questions: 377, videos: 95 } });
  });

  test('without any difference 368 videos decide a margin of one point', () => {
    const alike = Array.from({ length: 30 }, (_, index) => ({ cluster: String(index), method: 1, baseline: 1 }));
    // By hand: ln 0.025 / ln 0.99 = 367.04.
    expect(nonInferiority(pairedDifference(alike, createRandom(1)), 0.01).required?.videos).toBe(368);
    const enough = Array.from({ length: 368 }, (_, index) => ({ cluster: String(index), method: 1, baseline: 1 }));
    expect(nonInferiority(pairedDifference(enough, createRandom(1)), 0.01).verdict).toBe('yes');
  });
});

test('quantiles interpolate as numpy does', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3, 4], 0.95)).toBeCloseTo(3.85, 12);
  expect(quantile([5], 0.3)).toBe(5);
});

test('the mean of one method is bracketed by its own interval', () => {
  const { estimate, low, high } = clusteredMean(
    sample().map(({ cluster, method }) => ({ cluster, value: method })),
    createRandom(2),
  );
  expect(estimate).toBeCloseTo(88 / 120, 12);
  expect(low).toBeLessThan(estimate);
  expect(high).toBeGreaterThan(estimate);
});
