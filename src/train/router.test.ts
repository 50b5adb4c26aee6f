// The router's objective against plain numbers and central differences; training on samples whose answer is known; the world's truth by hand.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { frameFeatureNames, patchFeatureNames } from '../gate/features.ts';
import { loadOf, noisyTopK, squaredVariation } from '../gate/noisy-top-k.ts';
import { parseRouter } from '../gate/router-weights.ts';
import { evaluate } from '../graph/evaluate.ts';
import { gradients } from '../graph/gradient.ts';
import { Graph } from '../graph/graph.ts';
import { createWorld } from '../world/world.ts';
import { routerRecipe, trainRouter } from './router.ts';
import { gateLoss, type GateObjective } from './router-objective.ts';
import type { GateSamples } from './router-samples.ts';
import { changeInTokens, changeInWorld, lossOfPaths } from './router-truth.ts';

const objective: GateObjective = { name: 'g', inputs: 4, k: 2, costs: [1, 0.25, 0], budget: 0.1, overrun: 2, price: 0.3, balance: 0.01 };
const rows = 5;

function drawn(seed: number) {
  const random = createRandom(seed);
  const normals = (count: number) => Float64Array.from({ length: count }, () => Math.fround(random.normal()));
  return { x: normals(rows * 4), draws: normals(rows * 3), harm: normals(rows * 3).map(Math.abs), gate: normals(12), noise: normals(12) };
}

function build() {
  const graph = new Graph('gate');
  const weights = { 'g gate': graph.input('g gate', 'float32', [4, 3]), 'g noise': graph.input('g noise', 'float32', [4, 3]) };
  return { graph, weights, made: gateLoss(graph, (name) => weights[name as keyof typeof weights], objective, rows) };
}

const feedsOf = ({ x, draws, harm, gate, noise }: ReturnType<typeof drawn>) => ({
  'g x': { shape: [rows, 4], data: x }, 'g draws': { shape: [rows, 3], data: draws }, 'g harm': { shape: [rows, 3], data: harm },
  'g gate': { shape: [4, 3], data: gate }, 'g noise': { shape: [4, 3], data: noise },
});

test('gates, load and loss of the graph are those of plain numbers', () => {
  const numbers = drawn(3);
  const { graph, made } = build();
  const values = evaluate(graph, feedsOf(numbers), [made.gates, made.load, made.loss]);
  const matrices = { inputs: 4, experts: 3, gate: Float32Array.from(numbers.gate), noise: Float32Array.from(numbers.noise) };
  const all = Array.from({ length: rows }, (_, row) => noisyTopK(Float32Array.from(numbers.x.subarray(row * 4, row * 4 + 4)), matrices, 2, Float32Array.from(numbers.draws.subarray(row * 3, row * 3 + 3))));
  const [load, importance] = [new Float32Array(3), new Float32Array(3)];
  let [harm, cost] = [0, 0];
  all.forEach((gated, row) => {
    loadOf(gated, 2).forEach((value, e) => (load[e]! += value));
    gated.gates.forEach((value, e) => {
      importance[e]! += value;
      harm += (value * numbers.harm[row * 3 + e]!) / rows;
      cost += (value * objective.costs[e]!) / rows;
      expect(values.get(made.gates.name)!.data[row * 3 + e]).toBeCloseTo(value, 5);
    });
  });
  load.forEach((value, e) => expect(values.get(made.load.name)!.data[e]).toBeCloseTo(value, 4));
  const loss = harm + 2 * Math.max(0, cost - 0.1) + 0.3 * cost + 0.01 * (squaredVariation(importance) + squaredVariation(load));
  expect(values.get(made.loss.name)!.data[0]).toBeCloseTo(loss, 5);
});

test("the gate's gradient equals central differences", () => {
  const numbers = drawn(4);
  const { graph, weights, made } = build();
  const names = ['gate', 'noise'] as const;
  const slopes = gradients(made.loss, names.map((name) => weights[`g ${name}`]));
  const values = evaluate(graph, feedsOf(numbers), slopes);
  const lossAt = () => evaluate(graph, feedsOf(numbers), [made.loss]).get(made.loss.name)!.data[0]!;
  names.forEach((name, i) => {
    const slope = values.get(slopes[i]!.name)!.data;
    expect(Math.max(...slope.map(Math.abs))).toBeGreaterThan(1e-3);
    numbers[name].forEach((value, at) => {
      const step = 1e-5;
      numbers[name][at] = value + step;
      const up = lossAt();
      numbers[name][at] = value - step;
      const down = lossAt();
      numbers[name][at] = value;
      expect(Math.abs(slope[at]! - (up - down) / (2 * step))).toBeLessThan(1e-6);
    });
  });
});

test('a trained gate takes what is worth it and no more than it may, and a run that was cut short ends alike', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-router-'));
  try {
    /** Worth seeing is what has the first feature above 1, one frame in six; a fifth of those fits the cheap path. */
    const samples = (inputs: number, paths: number, seed: number): GateSamples => {
      const random = createRandom(seed);
      const [count, features, harm] = [600, [] as number[], [] as number[]];
      for (let row = 0; row < count; row++) {
        const x = Array.from({ length: inputs }, (_, i) => (i === 0 ? 1 : random.normal()));
        features.push(...x);
        const worth = x[1]! > 1 ? 1 : 0;
        harm.push(...(paths === 3 ? [0, worth * 0.8, worth] : [0, worth]));
      }
      return { inputs, paths, features: Float32Array.from(features), harm: Float32Array.from(harm), rows: count };
    };
    const both = (seed: number) => ({ frames: samples(frameFeatureNames.length, 3, seed), patches: samples(patchFeatureNames.length, 2, seed + 1) });
    const recipe = { ...routerRecipe, steps: 120, batchRows: 128, rate: 0.1 };
    const controller = new AbortController();
    const given = { samples: both(1), heldOut: both(5), about: {}, recipe };
    const half = await trainRouter({ ...given, folder: join(folder, 'b'), signal: controller.signal, onProgress: () => controller.abort() });
    expect(half.finished).toBe(false);
    const [whole, continued] = [await trainRouter({ ...given, folder: join(folder, 'a') }), await trainRouter({ ...given, folder: join(folder, 'b') })];
    expect(continued.file).toEqual(whole.file);
    parseRouter(JSON.parse(JSON.stringify(whole.file)), 'a test');
    const { frames, patches } = whole.file.trained!['heldOut'] as Record<'frames' | 'patches', { cost: number; lost: number; lostBySkipping: number }>;
    for (const { cost, lost, lostBySkipping } of [frames, patches]) {
      expect(lostBySkipping).toBeGreaterThan(0.1);
      expect(lost).toBeLessThan(0.25 * lostBySkipping);
      expect(cost).toBeLessThan(0.3);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);

test('nothing changes between a moment and itself; with another scene everything does', () => {
  const world = createWorld({ seed: 5, split: 'train', footage: 'cuts', durationSec: 40, activities: 'many', heldOut: false });
  expect(changeInWorld(world, 3, 3)).toMatchObject({ worth: 0, share: 0 });
  const cut = world.shots[1]!;
  expect(cut.scene).not.toBe(world.shots[0]!.scene);
  const change = changeInWorld(world, cut.startSec - 0.5, cut.startSec + 0.5);
  expect(change).toMatchObject({ worth: 1, share: 1 });
  expect(change.at(0, 0, 0.1, 0.1)).toBe(1);
});

test('a token that turned by 60° is another; the cheap path loses what does not fit', () => {
  const change = changeInTokens(Float32Array.of(0.5, 0, 0, 0, 0, 0.02, 0, 0), 4);
  expect(change.worth).toBe(1);
  expect(change.share).toBeCloseTo(1 / 8, 6);
  expect([change.at(0, 0, 0.25, 0.5), change.at(0.25, 0.5, 0.5, 1), change.at(0.5, 0, 1, 1)].map((value) => value.toFixed(3))).toEqual(['1.000', '0.040', '0.000']);
  expect(lossOfPaths({ worth: 0.8, share: 0.2 })).toEqual([0, 0, 0.8]);
  expect(lossOfPaths({ worth: 0.8, share: 1 })[1]).toBeCloseTo(0.6, 6);
});
