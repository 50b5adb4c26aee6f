// The trainer: a step equals plain loops, a stopped run continues bit for bit, a damaged checkpoint is passed over.
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Random } from '../core/random.ts';
import { createRandom, randomFromState } from '../core/random.ts';
import { gemm, mul, reduceSum, relu, sub } from '../graph/ops.ts';
import { Tensor } from '../runtime/onnx.ts';
import { readLog } from './log.ts';
import { createOptimiser } from './optimiser.ts';
import type { ParameterSpec, ParameterStore } from './parameters.ts';
import { createParameters } from './parameters.ts';
import { learningRate } from './schedule.ts';
import type { Forward } from './step-graph.ts';
import type { BatchSource, TrainerOptions } from './trainer.ts';
import { train } from './trainer.ts';

const [rows, inputs, hidden] = [6, 3, 4];
const specs: ParameterSpec[] = [
  { name: 'w1', shape: [hidden, inputs], initialiser: { kind: 'normal', std: 0.5 }, group: 'decayed' },
  { name: 'b1', shape: [hidden], initialiser: { kind: 'constant', value: 0.1 }, group: 'plain' },
  { name: 'w2', shape: [1, hidden], initialiser: { kind: 'normal', std: 0.5 }, group: 'decayed' },
];
const groups = { decayed: { rateFactor: 1, weightDecay: 0.1 }, plain: { rateFactor: 0.5, weightDecay: 0 } };
const adamw = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, maxGradientNorm: 0.5 };

/** Σ (w2 relu(w1 x + b1) − y)² / rows. */
const forward: Forward = (graph, weight) => {
  const x = graph.input('x', 'float32', [rows, inputs]);
  const y = graph.input('y', 'float32', [rows, 1]);
  const error = sub(gemm(relu(gemm(x, weight('w1'), weight('b1'), { transB: true })), weight('w2'), undefined, { transB: true }), y);
  return { loss: mul(reduceSum(mul(error, error), [0, 1], false), graph.scalar(1 / rows)), metrics: { error } };
};

function draw(random: Random) {
  const x = Float32Array.from({ length: rows * inputs }, () => random.normal());
  const y = Float32Array.from({ length: rows }, (_, i) => Math.sin(x[i * inputs]!) + x[i * inputs + 1]!);
  return { x, y };
}

function batchOf({ x, y }: ReturnType<typeof draw>) {
  return { variant: 'tiny', feeds: { x: new Tensor('float32', x, [rows, inputs]), y: new Tensor('float32', y, [rows, 1]) } };
}

function source(): BatchSource {
  let random = createRandom('batches');
  return {
    next: () => Promise.resolve(batchOf(draw(random))),
    state: () => random.state(),
    restore: (state) => {
      random = randomFromState(state as [number, number, number, number]);
    },
  };
}

/** The same step in doubles, written out. */
function plainStep(w: Record<string, Float64Array>, m: Record<string, Float64Array>, v: Record<string, Float64Array>, t: number, rate: number, batches: readonly ReturnType<typeof draw>[]) {
  const g: Record<string, Float64Array> = Object.fromEntries(Object.entries(w).map(([name, values]) => [name, new Float64Array(values.length)]));
  for (const { x, y } of batches) {
    for (let r = 0; r < rows; r++) {
      const pre = Array.from({ length: hidden }, (_, h) => w['b1']![h]! + Array.from({ length: inputs }, (__, i) => w['w1']![h * inputs + i]! * x[r * inputs + i]!).reduce((a, b) => a + b, 0));
      const out = pre.reduce((sum, value, h) => sum + Math.max(0, value) * w['w2']![h]!, 0);
      const slope = (2 * (out - y[r]!)) / rows / batches.length;
      pre.forEach((value, h) => {
        g['w2']![h]! += slope * Math.max(0, value);
        if (value <= 0) return;
        g['b1']![h]! += slope * w['w2']![h]!;
        for (let i = 0; i < inputs; i++) g['w1']![h * inputs + i]! += slope * w['w2']![h]! * x[r * inputs + i]!;
      });
    }
  }
  const norm = Math.sqrt(Object.values(g).flatMap((values) => [...values]).reduce((sum, value) => sum + value * value, 0));
  const factor = Math.min(1, adamw.maxGradientNorm / (norm + 1e-6));
  for (const { name, group } of specs) {
    const { rateFactor, weightDecay } = groups[group as keyof typeof groups];
    const lr = rate * rateFactor;
    w[name]!.forEach((value, i) => {
      const slope = g[name]![i]! * factor;
      m[name]![i] = adamw.beta1 * m[name]![i]! + (1 - adamw.beta1) * slope;
      v[name]![i] = adamw.beta2 * v[name]![i]! + (1 - adamw.beta2) * slope * slope;
      w[name]![i] = value * (1 - lr * weightDecay) - (lr * (m[name]![i] / (1 - adamw.beta1 ** t))) / (Math.sqrt(v[name]![i] / (1 - adamw.beta2 ** t)) + adamw.epsilon);
    });
  }
  return norm;
}

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'thalweg-trainer-'));
  folders.push(made);
  return made;
}
afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true });
});

const options = (where: string, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  adamw, groups, accumulation: 1, threads: 2,
  schedule: { kind: 'cosine', peak: 0.05, warmupSteps: 3, totalSteps: 40, finalShare: 0.1 },
  averageDecay: 0.9, folder: where, checkpointEverySec: 3600, logEverySteps: 5, ...more,
});

function bytes(store: ParameterStore): string {
  return [store.weights, store.means, store.squares].flatMap((map) => [...map.values()].map((values) => Buffer.from(values.buffer).toString('hex'))).join(' ');
}

describe('a training step', () => {
  it.each([1, 2])('equals the same step by plain loops, %i batches a step', async (accumulation) => {
    const store = createParameters(specs, createRandom(1));
    const copy = (map: ReadonlyMap<string, Float32Array>) => Object.fromEntries([...map].map(([name, values]) => [name, Float64Array.from(values)]));
    const [w, m, v] = [copy(store.weights), copy(store.means), copy(store.squares)];
    await using optimiser = createOptimiser(store, () => forward, { adamw, groups, accumulation, threads: 2 });
    const random = createRandom('batches');
    for (let t = 1; t <= 5; t++) {
      const batches = Array.from({ length: accumulation }, () => draw(random));
      const norm = plainStep(w, m, v, t, 0.01, batches);
      const { gradientNorm } = await optimiser.step(batches.map(batchOf), 0.01);
      expect(Math.abs(gradientNorm / norm - 1)).toBeLessThan(1e-5);
      for (const { name } of specs) store.weights.get(name)!.forEach((value, i) => expect(Math.abs(value - w[name]![i]!)).toBeLessThan(2e-6));
    }
    expect(store.step).toBe(5);
  });

  it('gives the same bits at every run', async () => {
    const results = [];
    for (let run = 0; run < 2; run++) {
      const store = createParameters(specs, createRandom(1));
      await train(store, () => forward, source(), options(await folder()));
      results.push(bytes(store));
    }
    expect(results[0]).toBe(results[1]);
  });
});

describe('a training run', () => {
  it('lowers the loss, and says how long it will take', async () => {
    const losses: number[] = [];
    const store = createParameters(specs, createRandom(1));
    const where = await folder();
    const schedule = { kind: 'linear', peak: 0.05, warmupSteps: 3, totalSteps: 200, finalShare: 0 } as const;
    const result = await train(store, () => forward, source(), options(where, { schedule, onProgress: ({ figures, leftSec }) => { losses.push(figures['loss']!); expect(leftSec).toBeGreaterThanOrEqual(0); } }));
    expect(result).toMatchObject({ finished: true, step: 200 });
    expect(losses[losses.length - 1]).toBeLessThan(losses[0]! / 4);
    expect((await readLog(path.join(where, 'log.jsonl'))).map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, i) => 5 * (i + 1)));
    expect(await readFile(path.join(where, 'curves.svg'), 'utf8')).toContain('gradientNorm');
  });

  it('continues after an abort bit for bit, weights, moments, averages and log', async () => {
    const whole = createParameters(specs, createRandom(1));
    const uninterrupted = await train(whole, () => forward, source(), options(await folder()));

    const where = await folder();
    const stop = new AbortController();
    const first = createParameters(specs, createRandom(1));
    const stopped = await train(first, () => forward, source(), options(where, { signal: stop.signal, onProgress: ({ step }) => { if (step === 15) stop.abort(); } }));
    expect(stopped).toMatchObject({ finished: false, step: 15 });
    // Another process knows nothing but the folder: other first values prove that all of them come from it.
    const second = createParameters(specs, createRandom(2));
    const continued = await train(second, () => forward, source(), options(where));
    expect(continued).toMatchObject({ finished: true, step: 40 });
    expect(bytes(second)).toBe(bytes(whole));
    for (const { name } of specs) expect(continued.weights.get(name)).toEqual(uninterrupted.weights.get(name));
    expect((await readLog(path.join(where, 'log.jsonl'))).map(({ step }) => step)).toEqual([5, 10, 15, 20, 25, 30, 35, 40]);
  });

  it('passes over a checkpoint that a kill or the disk damaged, and keeps two', async () => {
    const where = await folder();
    const schedule = options(where).schedule;
    for (const totalSteps of [5, 10, 15]) await train(createParameters(specs, createRandom(1)), () => forward, source(), options(where, { schedule: { ...schedule, totalSteps } }));
    const files = (await readdir(where)).filter((name) => name.endsWith('.safetensors')).sort();
    expect(files).toEqual(['step-000000010.safetensors', 'step-000000015.safetensors']);
    const newest = path.join(where, files[1]!);
    await writeFile(path.join(where, '.step-000000020.safetensors.00000000-0000-4000-8000-000000000000.part'), 'half');
    const content = await readFile(newest);
    content[content.length - 9]! ^= 4;
    await writeFile(newest, content);
    const store = createParameters(specs, createRandom(3));
    const flipped = await train(store, () => forward, source(), options(where, { schedule: { ...schedule, totalSteps: 15 } }));
    expect(flipped.step).toBe(15);
    expect((await readdir(where)).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(flipped.damaged).toMatchObject([{ file: newest, why: expect.stringContaining('checksum') as string }]);
    for (const name of files) await truncate(path.join(where, name), 100);
    await expect(train(store, () => forward, source(), options(where))).rejects.toMatchObject({ code: 'CHECKPOINTS_DAMAGED' });
  });

  it('stops when the loss is no number any more', async () => {
    const where = await folder();
    const broken: BatchSource = { ...source(), next: () => Promise.resolve(batchOf({ x: new Float32Array(rows * inputs).fill(NaN), y: new Float32Array(rows) })) };
    await expect(train(createParameters(specs, createRandom(1)), () => forward, broken, options(where))).rejects.toMatchObject({ code: 'TRAIN_DIVERGED' });
    expect((await readdir(where)).filter((name) => name.endsWith('.safetensors'))).toEqual([]);
  });
});

it('schedules warm up from the first step, peak, and end where they should', () => {
  const schedule = { kind: 'cosine', peak: 2, warmupSteps: 4, totalSteps: 12, finalShare: 0.1 } as const;
  expect(learningRate(schedule, 0)).toBe(0.5);
  expect(learningRate(schedule, 4)).toBe(2);
  expect(learningRate(schedule, 8)).toBeCloseTo(1.1);
  expect(learningRate(schedule, 12)).toBeCloseTo(0.2);
  expect(learningRate({ ...schedule, kind: 'linear' }, 6)).toBeCloseTo(2 * (0.1 + 0.9 * 0.75));
  expect(learningRate({ ...schedule, kind: 'constant' }, 11)).toBe(2);
  expect([3, 8, 10, 12].map((step) => learningRate({ ...schedule, kind: 'trapezoid', decaySteps: 4 }, step))).toEqual([2, 2, expect.closeTo(1.1), expect.closeTo(0.2)]);
});
