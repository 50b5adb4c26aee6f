// Noisy top-k gating against values worked out by hand.
import { expect, test } from 'vitest';
import { best, loadOf, noisyTopK, normalCdf, squaredVariation } from './noisy-top-k.ts';

/** Two inputs, three experts. Softplus of ln(e − 1) is 1. */
const matrices = { inputs: 2, experts: 3, gate: Float32Array.of(1, 2, 0, 0, 1, 4), noise: Float32Array.of(Math.log(Math.E - 1), 0, 0, 0, 0, 0) };
const x = Float32Array.of(1, 0.5);

test('gates are the softmax over the k largest, with noise in place of the clean logits', () => {
  // Clean: 1, 2.5, 2. Deviations: 1.01, ln 2 + 0.01 twice. With draws 2, −1 and 0: 3.02, 2.5 − 0.7031, 2.
  const { clean, sigma, noisy, gates } = noisyTopK(x, matrices, 2, Float32Array.of(2, -1, 0));
  expect([...clean]).toEqual([1, 2.5, 2]);
  expect(sigma[0]).toBeCloseTo(1.01, 5);
  expect(sigma[1]).toBeCloseTo(Math.LN2 + 0.01, 6);
  expect(noisy[0]).toBeCloseTo(3.02, 5);
  expect(noisy[1]).toBeCloseTo(2.5 - Math.LN2 - 0.01, 5);
  const [first, third] = [Math.exp(3.02), Math.exp(2)];
  expect([...gates].map((gate) => gate.toFixed(5))).toEqual([(first / (first + third)).toFixed(5), '0.00000', (third / (first + third)).toFixed(5)]);
});

test('load is the chance to be among the k with new noise: against the (k+1)-th where chosen, the k-th where not', () => {
  const gated = noisyTopK(x, matrices, 2, Float32Array.of(2, -1, 0));
  const [first, second, third] = loadOf(gated, 2);
  const middle = 2.5 - Math.LN2 - 0.01;
  // Chosen are 0 and 2; the largest that is not is 1. For 1 the threshold is the second largest, 2.
  expect(first).toBeCloseTo(normalCdf((1 - middle) / 1.01), 5);
  expect(second).toBeCloseTo(normalCdf((2.5 - 2) / (Math.LN2 + 0.01)), 5);
  expect(third).toBeCloseTo(normalCdf((2 - middle) / (Math.LN2 + 0.01)), 5);
  expect([...loadOf(gated, 3)]).toEqual([1, 1, 1]);
});

test('with zero matrices all experts are alike: ties go to the first, and load is even', () => {
  const zero = { inputs: 2, experts: 3, gate: new Float32Array(6), noise: new Float32Array(6) };
  const gated = noisyTopK(x, zero, 2, new Float32Array(3));
  expect([...gated.gates]).toEqual([0.5, 0.5, 0]);
  for (const load of loadOf(gated, 2)) expect(load).toBeCloseTo(0.5, 6);
  expect(best(gated.clean)).toBe(0);
});

test('the normal distribution by its table, and CV² by hand', () => {
  expect([-2, -1, 0, 1, 1.96].map((z) => normalCdf(z).toFixed(6))).toEqual(['0.022750', '0.158655', '0.500000', '0.841345', '0.975002']);
  expect(squaredVariation(Float32Array.of(1, 3))).toBeCloseTo(0.25, 6);
  expect(squaredVariation(Float32Array.of(5, 5, 5))).toBe(0);
  expect(squaredVariation(new Float32Array(3))).toBe(0);
});
