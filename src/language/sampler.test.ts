// The sampler: filters worked out by hand in the order of Transformers, and draws that follow their probabilities.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createSampler, type SamplingOptions } from './sampler.ts';

/** Logits of given probabilities. */
const logits = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
const probabilities = (options: SamplingOptions, of: Float32Array, seen: readonly number[] = []) => {
  const sampler = createSampler({ temperature: 1, ...options });
  sampler.observe(seen);
  return [...sampler.probabilities(of)].map((value) => Math.round(value * 1e4) / 1e4);
};

describe('probabilities', () => {
  test('temperature divides logits', () => expect(probabilities({ temperature: 0.5 }, logits(0.2, 0.8))).toEqual([0.0588, 0.9412]));
  test('temperature 0 takes the first of the likeliest', () => expect(probabilities({ temperature: 0, topK: 2 }, logits(0.2, 0.4, 0.4))).toEqual([0, 1, 0]));
  test('top-k keeps k, and ties of the k-th', () => {
    expect(probabilities({ topK: 2 }, logits(0.1, 0.5, 0.15, 0.25))).toEqual([0, 0.6667, 0, 0.3333]);
    expect(probabilities({ topK: 1 }, logits(0.4, 0.2, 0.4))).toEqual([0.5, 0, 0.5]);
    expect(probabilities({ topK: 9 }, logits(0.4, 0.6))).toEqual([0.4, 0.6]);
  });
  test('top-p keeps the fewest that reach p', () => {
    expect(probabilities({ topP: 0.7 }, logits(0.05, 0.5, 0.15, 0.3))).toEqual([0, 0.625, 0, 0.375]);
    expect(probabilities({ topP: 0.85 }, logits(0.05, 0.5, 0.15, 0.3))).toEqual([0, 0.5263, 0.1579, 0.3158]);
    expect(probabilities({ topP: 0.01 }, logits(0.4, 0.6))).toEqual([0, 1]);
  });
  test('top-p comes after temperature and top-k', () => {
    // Squared and cut to three: 25, 9 and 2.25 of 36.25. The least two have 0.31 together, the least alone 0.06.
    expect(probabilities({ temperature: 0.5, topK: 3, topP: 0.9 }, logits(0.05, 0.5, 0.15, 0.3))).toEqual([0, 0.7353, 0, 0.2647]);
  });
  test('min-p is relative to the likeliest', () => expect(probabilities({ minP: 0.45 }, logits(0.1, 0.4, 0.3, 0.2))).toEqual([0, 0.4444, 0.3333, 0.2222]));
  test('the repetition penalty divides what is above zero and multiplies what is below', () => {
    const scores = Float32Array.of(2, -1, 1);
    const total = Math.exp(1) + Math.exp(-2) + Math.exp(1);
    expect(probabilities({ repetitionPenalty: 2 }, scores, [0, 1, 1])).toEqual([1, -2, 1].map((score) => Math.round((Math.exp(score) / total) * 1e4) / 1e4));
  });
  test('a large vocabulary gives what sorting all of it gives', () => {
    const scores = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i * 12.9898) * 6);
    const exp = [...scores].map((score) => Math.exp(score));
    const total = exp.reduce((sum, value) => sum + value, 0);
    const sorted = exp.toSorted((a, b) => b - a);
    let mass = 0;
    const kept = sorted.findIndex((value) => (mass += value) >= 0.8 * total) + 1;
    const result = createSampler({ temperature: 1, topP: 0.8 }).probabilities(scores.slice());
    expect(result.filter((value) => value > 0)).toHaveLength(kept);
    expect(Math.max(...result)).toBeCloseTo(sorted[0]! / mass, 6);
  });
});

test('draws follow the probabilities, and a seed gives the same draws again', () => {
  const draw = (seed: number) => {
    const sampler = createSampler({ temperature: 1, seed });
    return Array.from({ length: 4000 }, () => sampler.sample(logits(0.1, 0.6, 0.3)));
  };
  const draws = draw(1);
  expect(draw(1)).toEqual(draws);
  expect(draw(2)).not.toEqual(draws);
  [0.1, 0.6, 0.3].forEach((probability, id) => expect(draws.filter((drawn) => drawn === id).length / 4000).toBeCloseTo(probability, 1));
});

test('tokens chosen count as seen', () => {
  const sampler = createSampler({ repetitionPenalty: 4 });
  expect([1, 2, 3].map(() => sampler.sample(Float32Array.of(4, 3, 2)))).toEqual([0, 1, 2]);
});

test('scores that are no numbers are an error, not a token', () => {
  expect(() => createSampler().sample(Float32Array.of(NaN, NaN))).toThrow('no usable scores');
  expect(() => createSampler({ temperature: 1 }).sample(Float32Array.of(1, Infinity))).toThrow('no usable scores');
});

test('wrong options are named', () => {
  expect(() => createSampler({ topP: 0 })).toThrow('topP');
  expect(() => createSampler({ temperature: -1 })).toThrow('temperature');
});

interface SamplingGolden {
  readonly rows: Readonly<Record<string, { readonly logits: number[]; readonly history: number[] }>>;
  readonly cases: readonly { readonly row: string; readonly settings: Readonly<Record<string, number>>; readonly kept: number; readonly ids: number[]; readonly probabilities: number[] }[];
}

const golden = JSON.parse(readFileSync(new URL('../../test/goldens/expected/sampling.json', import.meta.url), 'utf8')) as SamplingGolden;

test.each(golden.cases)('as Transformers: $row $settings', ({ row, settings, kept, ids, probabilities: expected }) => {
  const { logits: scores, history } = golden.rows[row]!;
  const { temperature = 1, top_k: topK = 0, top_p: topP = 1, repetition_penalty: repetitionPenalty = 1 } = settings;
  const sampler = createSampler({ temperature, topK, topP, repetitionPenalty });
  sampler.observe(history);
  const result = sampler.probabilities(Float32Array.from(scores));
  const ranked = [...result.keys()].filter((id) => result[id]! > 0).sort((a, b) => result[b]! - result[a]! || a - b);
  expect(ranked).toHaveLength(kept);
  expected.forEach((probability, i) => expect(result[ranked[i]!]).toBeCloseTo(probability, 5));
  if (row === Object.keys(golden.rows)[0]) expect(ranked.slice(0, ids.length)).toEqual(ids);
});
