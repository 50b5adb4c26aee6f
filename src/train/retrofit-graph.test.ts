// The retrofit's training graph: pooling against plain loops, gradients against central differences, threads against the same tokens in one sequence.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Dense } from '../graph/evaluate.ts';
import { evaluate } from '../graph/evaluate.ts';
import { gradients } from '../graph/gradient.ts';
import { Graph } from '../graph/graph.ts';
import { mul, reduceSum, tanh } from '../graph/ops.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { Tensor } from '../runtime/onnx.ts';
import { createOptimiser } from './optimiser.ts';
import { createParameters, feedNames, parameterTensors } from './parameters.ts';
import { controlTensors, frozenTensors, noiseTensor, scalar } from './retrofit-data.ts';
import type { DecisionMode } from './retrofit-decisions.ts';
import type { RetrofitShape } from './retrofit-decoder.ts';
import { retrofitForward } from './retrofit-graph.ts';
import type { RetrofitKind } from './retrofit-model.ts';
import { reorderRows, retrofitParameters, roles, startFromModel, turnPair } from './retrofit-model.ts';
import { linearRecurrence } from './retrofit-scan.ts';
import { textBatch } from './retrofit-text.ts';
import { randomModel, tinySpec } from './retrofit.fixture.ts';

const dense = ({ data, dims }: Tensor): Dense => ({ shape: [...dims], data: Float64Array.from(data as ArrayLike<number | bigint>, Number) });
const allDense = (tensors: Tensors) => Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, dense(tensor)]));
const model = randomModel(tinySpec, 'model');

/** A model whose decisions are near their threshold, so that every path carries something. */
function perturbed(kind: RetrofitKind, seed: string) {
  const specs = retrofitParameters(model, kind, kind === 'dmc' ? ['value', 'output'] : []);
  const store = createParameters(specs, createRandom(1));
  if (kind === 'dmc') startFromModel(store, model);
  const random = createRandom(seed);
  for (const { name } of specs) {
    const values = store.weights.get(name)!;
    const std = name.startsWith('decision') ? 0.25 : name.startsWith('dms') ? 0.004 : 0.05;
    // Biases carry the offset, so that about half of the decisions fall either way.
    const mean = name.endsWith('key.bias') && name.startsWith('decision') ? 5 : name.endsWith('proj.bias') ? 0.05 : 0;
    for (let i = 0; i < values.length; i++) values[i]! += mean + std * random.normal();
  }
  return { specs, store };
}

function built(kind: RetrofitKind, shape: RetrofitShape, mode: DecisionMode, window = 0) {
  const { specs, store } = perturbed(kind, 'weights');
  const graph = new Graph('retrofit');
  const weights = new Map(specs.map((spec) => [spec.name, graph.input(feedNames.weight(spec.name), 'float32', spec.shape)]));
  const objective = retrofitForward(model, shape, { kind, mode, window, budgetWeight: 0.7, trained: specs.map(({ name }) => name) })(graph, (name) => weights.get(name)!);
  return { specs, store, graph, weights, ...objective };
}

const ids = (seed: string, count: number) => Int32Array.from({ length: count }, ((random) => () => random.int(0, tinySpec.vocabulary))(createRandom(seed)));
const sequenceShape = (length: number): RetrofitShape => ({ sequences: 1, prefix: length, threads: 0, threadLength: 0, rows: length - 1, visual: 0 });
/** Noise wide enough to keep relaxed decisions away from 0 and 1 now and then. */
const softControl = (shape: RetrofitShape) => controlTensors(model, shape, { channel: tinySpec.headWidth - 1, fade: 0.4, target: 0.9, noise: 0.1, seed: 'noise' });

describe('a linear recurrence', () => {
  it.each([1, 2, 5, 8, 13])('over %i tokens equals a plain loop, and has its gradients', (length) => {
    const graph = new Graph('scan');
    const [factors, terms] = [graph.input('a', 'float32', [2, length, 1]), graph.input('u', 'float32', [2, length, 3])];
    const states = linearRecurrence(factors, terms);
    const loss = reduceSum(mul(tanh(states), states), [0, 1, 2], false);
    const slopes = gradients(loss, length === 1 ? [terms] : [factors, terms]);
    const random = createRandom(length);
    const feeds = {
      // Zeros and ones are what decisions mostly are.
      a: { shape: [2, length, 1], data: Float64Array.from({ length: 2 * length }, (_, i) => [0, 1, random.next()][i % 3]!) },
      u: { shape: [2, length, 3], data: Float64Array.from({ length: 6 * length }, () => random.normal()) },
    };
    const got = evaluate(graph, feeds, [states, ...slopes]);
    for (let b = 0; b < 2; b++)
      for (let c = 0; c < 3; c++) {
        let x = 0;
        for (let t = 0; t < length; t++) {
          x = feeds.a.data[b * length + t]! * (t > 0 ? x : 0) + feeds.u.data[(b * length + t) * 3 + c]!;
          expect(got.get(states.name)!.data[(b * length + t) * 3 + c]).toBeCloseTo(x, 12);
        }
      }
    for (const [i, name] of (length === 1 ? (['u'] as const) : (['a', 'u'] as const)).entries()) {
      const slope = got.get(slopes[i]!.name)!;
      feeds[name].data.forEach((value, j) => {
        const at = (by: number) => evaluate(graph, { ...feeds, [name]: { ...feeds[name], data: feeds[name].data.with(j, value + by) } }, [loss]).get(loss.name)!.data[0]!;
        expect(slope.data[j]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 5);
      });
    }
  });
});

describe('the training graph', () => {
  it.each([['dmc', 0], ['dms', 2]] as const)('%s: has the gradients of central differences, through sequences and threads', (kind, window) => {
    const shape: RetrofitShape = { sequences: 2, prefix: 7, threads: 2, threadLength: 4, rows: 6, visual: 1 };
    const { specs, store, graph, weights, loss } = built(kind, shape, 'soft', window);
    const slopes = gradients(loss, [...weights.values()]);
    const feeds = allDense({ ...parameterTensors(store, 'weights'), ...frozenTensors(model), ...softControl(shape), ...threadBatch(shape) });
    const exact = evaluate(graph, feeds, slopes);
    specs.forEach(({ name }, i) => {
      const slope = exact.get(slopes[i]!.name)!;
      const norm = Math.sqrt(slope.data.reduce((sum, value) => sum + value * value, 0));
      expect({ name, isThere: norm > 1e-9 }).toEqual({ name, isThere: true });
      const at = (step: number) => {
        const feed = feeds[feedNames.weight(name)]!;
        return evaluate(graph, { ...feeds, [feedNames.weight(name)]: { ...feed, data: feed.data.map((value, j) => value + (step * slope.data[j]!) / norm) } }, [loss]).get(loss.name)!.data[0]!;
      };
      const step = kind === 'dms' ? 1e-7 : 1e-5;
      const error = Math.abs((at(step) - at(-step)) / (2 * step) / norm - 1);
      expect({ name, error: error < 1e-3 ? 0 : error }).toEqual({ name, error: 0 });
    });
  });

  it.each([['dmc', 0], ['dms', 3]] as const)('%s: equals plain loops over tokens, relaxed and hard', (kind, window) => {
    const length = 11;
    const shape = sequenceShape(length);
    const text = ids('text', length);
    for (const mode of ['soft', 'hard'] as const) {
      const { store, graph, metrics } = built(kind, shape, mode, window);
      const control = softControl(shape);
      const got = evaluate(graph, allDense({ ...parameterTensors(store, 'weights'), ...frozenTensors(model), ...control, ...textBatch(shape, [text]) }), [metrics['logLoss']!, metrics['alpha']!]);
      const reference = plainDecoder(kind, window, mode, store.weights, text, control['noise']!.data as Float32Array, 0.4);
      reference.logLoss.forEach((value, row) => expect(got.get(metrics['logLoss']!.name)!.data[row]).toBeCloseTo(value, 5));
      reference.shares.forEach((value, i) => expect(got.get(metrics['alpha']!.name)!.data[i]).toBeCloseTo(value, 6));
    }
  });

  it.each([['dmc', 0], ['dms', 3]] as const)('%s: a thread behind a sequence is the sequence going on', (kind, window) => {
    const [prefix, visible, said] = [9, 6, 5];
    const [before, own] = [ids('before', prefix), ids('said', said)];
    const joined = sequenceShape(visible + said);
    const { layers: L, kvHeads: H } = tinySpec;
    const noise = noiseTensor('noise', [L, 1, H, visible + said], 0.1);
    const part = (from: number, count: number, length: number) => {
      const out = new Float32Array(L * H * length);
      for (let row = 0; row < L * H; row++) out.set((noise.data as Float32Array).subarray(row * (visible + said) + from, row * (visible + said) + from + count), row * length);
      return out;
    };
    for (const mode of ['soft', 'hard'] as const) {
      const whole = built(kind, joined, mode, window);
      const control = { ...softControl(joined), noise };
      const text = Int32Array.from([...before.subarray(0, visible), ...own]);
      const want = evaluate(whole.graph, allDense({ ...parameterTensors(whole.store, 'weights'), ...frozenTensors(model), ...control, ...textBatch(joined, [text]) }), [whole.metrics['logLoss']!, whole.metrics['teacherLogLoss']!]);

      // Another segment before it in the same row, and frames behind what it sees, change nothing.
      const shape: RetrofitShape = { sequences: 1, prefix, threads: 1, threadLength: said + 2, rows: said - 1, visual: 0 };
      const threads = built(kind, shape, mode, window);
      const whole64 = (values: readonly number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, 1, said + 2]);
      const row = <T>(first: T, second: (i: number) => T) => [first, first, ...Array.from({ length: said }, (_, i) => second(i))];
      const feeds: Tensors = {
        prefixIds: new Tensor('int64', BigInt64Array.from(before, BigInt), [1, prefix]),
        prefixWeights: new Tensor('float32', new Float32Array(prefix).fill(1), [1, prefix]),
        threadIds: whole64([3, 4, ...own]),
        threadPositions: whole64([4, 5, ...Array.from({ length: said }, (_, i) => visible + i)]),
        visible: whole64(row(4, () => visible)),
        segments: whole64(row(0, () => 1)),
        runStart: whole64(row(0, () => 2)),
        before: whole64([3, 0, visible - 1, 0, 0, 0, 0]),
        starts: new Tensor('float32', Float32Array.of(1, 0, 1, 0, 0, 0, 0), [1, 1, said + 2]),
        lossRows: new Tensor('int64', BigInt64Array.from({ length: said - 1 }, (_, i) => BigInt(2 + i)), [said - 1]),
        lossTargets: new Tensor('int64', BigInt64Array.from(own.subarray(1), BigInt), [said - 1]),
        lossWeights: new Tensor('float32', new Float32Array(said - 1).fill(1 / (said - 1)), [said - 1]),
        target: scalar(0.9), ...(kind === 'dmc' && { channels: (control as Tensors)['channels']! }),
        noise: new Tensor('float32', part(0, visible, prefix), [L, 1, H, prefix]),
        threadNoise: new Tensor('float32', Float32Array.from(Array.from({ length: L * H }, (_, r) => [0, 0, ...part(visible, said, said).subarray(r * said, (r + 1) * said)]).flat()), [L, 1, H, said + 2]),
      };
      const got = evaluate(threads.graph, allDense({ ...parameterTensors(threads.store, 'weights'), ...frozenTensors(model), ...feeds }), [threads.metrics['logLoss']!, threads.metrics['teacherLogLoss']!]);
      for (const name of ['logLoss', 'teacherLogLoss'] as const) {
        for (let i = 0; i < said - 1; i++) expect(got.get(threads.metrics[name]!.name)!.data[i]).toBeCloseTo(want.get(whole.metrics[name]!.name)!.data[visible + i]!, 6);
      }
    }
  });

  it('with nothing decided gives the dense loss', () => {
    const shape = sequenceShape(12);
    const specs = retrofitParameters(model, 'dmc');
    const store = createParameters(specs, createRandom(1));
    startFromModel(store, model);
    const graph = new Graph('closed');
    const weights = new Map(specs.map((spec) => [spec.name, graph.input(feedNames.weight(spec.name), 'float32', spec.shape)]));
    const { metrics } = retrofitForward(model, shape, { kind: 'dmc', mode: 'soft', window: 0, budgetWeight: 1, trained: specs.map(({ name }) => name) })(graph, (name) => weights.get(name)!);
    const control = controlTensors(model, shape, { channel: 1, fade: 1, target: 0, noise: 'closed', seed: '' });
    const got = evaluate(graph, allDense({ ...parameterTensors(store, 'weights'), ...frozenTensors(model), ...control, ...textBatch(shape, [ids('text', 12)]) }), Object.values(metrics));
    got.get(metrics['teacherLogLoss']!.name)!.data.forEach((value, row) => expect(got.get(metrics['logLoss']!.name)!.data[row]).toBeCloseTo(value, 9));
    expect(got.get(metrics['kl']!.name)!.data[0]).toBeCloseTo(0, 12);
    expect([...got.get(metrics['alpha']!.name)!.data]).toEqual([0, 0, 0, 0]);
  });
});

it('a few steps bring the model without the channel back to the teacher', async () => {
  const shape = sequenceShape(16);
  const specs = retrofitParameters(model, 'dmc', ['value', 'output']);
  const store = createParameters(specs, createRandom(1));
  startFromModel(store, model);
  const group = { rateFactor: 1, weightDecay: 0 };
  await using optimiser = createOptimiser(store, () => retrofitForward(model, shape, { kind: 'dmc', mode: 'soft', window: 0, budgetWeight: 1, trained: specs.map(({ name }) => name) }), {
    adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 }, groups: { matrix: group, decision: group }, accumulation: 1, threads: 1,
  });
  const feeds = { ...frozenTensors(model), ...controlTensors(model, shape, { channel: 2, fade: 0, target: 0, noise: 'closed', seed: '' }), ...textBatch(shape, [ids('text', 16)]) };
  const kls: number[] = [];
  for (let step = 0; step < 30; step++) kls.push(Number((await optimiser.step([{ variant: 'all', feeds }], 5e-3)).outputs[0]!['kl']!.data[0]));
  expect(kls[0]).toBeGreaterThan(0.01);
  expect(kls.at(-1)).toBeLessThan(kls[0]! / 4);
});

it('turning a pair leaves the scores and lightens its second channel', () => {
  const spec = { ...tinySpec, attentionBias: false };
  const plain = randomModel(spec, 'turned');
  const store = createParameters(retrofitParameters(plain, 'dmc'), createRandom(1));
  startFromModel(store, plain);
  turnPair(store, plain, 1);
  const { headWidth: D, width: E } = spec;
  const pair = (matrix: Float32Array, head: number) => [D / 2 - 1, D - 1].map((channel) => matrix.subarray((head * D + channel) * E, (head * D + channel + 1) * E));
  const outer = ([a, b]: readonly Float32Array[], [c, d]: readonly Float32Array[]) => Float64Array.from({ length: E * E }, (_, i) => a![Math.floor(i / E)]! * c![i % E]! + b![Math.floor(i / E)]! * d![i % E]!);
  const square = (row: Float32Array) => row.reduce((sum, value) => sum + value * value, 0);
  for (let head = 0; head < spec.kvHeads; head++) {
    const [before, after] = [plain.weights.get(roles.layer(0, 'key'))!.data, store.weights.get(roles.layer(0, 'key'))!];
    const [queryBefore, queryAfter] = [plain.weights.get(roles.layer(0, 'query'))!.data, store.weights.get(roles.layer(0, 'query'))!];
    const want = outer(pair(queryBefore, 2 * head), pair(before, head));
    outer(pair(queryAfter, 2 * head), pair(after, head)).forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 5));
    const carried = (query: Float32Array, key: Float32Array) => [2 * head, 2 * head + 1].reduce((sum, q) => sum + square(pair(query, q)[1]!), 0) * square(pair(key, head)[1]!);
    expect(carried(queryAfter, after)).toBeLessThanOrEqual(carried(queryBefore, before));
  }
});

it('rows in pairs become halves and come back', () => {
  const rows = Float32Array.from({ length: 16 }, (_, i) => i);
  expect([...reorderRows(rows, 4, [8, 2], 'halves')]).toEqual([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
  expect([...reorderRows(reorderRows(rows, 4, [8, 2], 'halves'), 4, [8, 2], 'pairs')]).toEqual([...rows]);
});

/** A batch whose threads see different parts of their sequences, one with two runs. */
function threadBatch({ sequences: B, prefix: P, threads: N, threadLength: T, rows: A }: RetrofitShape): Tensors {
  const random = createRandom('threads');
  const int64 = (dims: readonly number[], at: (i: number) => number) => new Tensor('int64', BigInt64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => BigInt(at(i))), dims);
  const place = (i: number) => ({ thread: Math.floor(i / T), t: i % T });
  const visibleAt = (i: number) => (place(i).thread === 1 && place(i).t >= 2 ? 6 : 3 + (place(i).thread % 3));
  const isStart = (i: number) => place(i).t === 0 || visibleAt(i) !== visibleAt(i - 1);
  return {
    visual: new Tensor('float32', Float32Array.from({ length: tinySpec.width }, () => random.normal()), [1, tinySpec.width]),
    prefixIds: int64([B, P], (i) => (i === 2 ? tinySpec.vocabulary : random.int(0, tinySpec.vocabulary))),
    prefixWeights: new Tensor('float32', Float32Array.from({ length: B * P }, (_, i) => Number(i % P > 0)), [B, P]),
    threadIds: int64([B, N, T], () => random.int(0, tinySpec.vocabulary)),
    threadPositions: int64([B, N, T], (i) => visibleAt(i) + place(i).t),
    visible: int64([B, N, T], visibleAt),
    segments: int64([B, N, T], () => 0),
    runStart: int64([B, N, T], (i) => (place(i).thread === 1 && place(i).t >= 2 ? 2 : 0)),
    before: int64([B, N, T], (i) => Math.floor(place(i).thread / N) * P + visibleAt(i) - 1),
    starts: new Tensor('float32', Float32Array.from({ length: B * N * T }, (_, i) => Number(isStart(i))), [B, N, T]),
    lossRows: int64([A], (i) => (i * 2) % (B * N * T)),
    lossTargets: int64([A], () => random.int(0, tinySpec.vocabulary)),
    lossWeights: new Tensor('float32', new Float32Array(A).fill(1 / A), [A]),
  };
}

/** The compressed decoder, token by token, written out. */
function plainDecoder(kind: RetrofitKind, window: number, mode: DecisionMode, trained: ReadonlyMap<string, Float32Array>, text: Int32Array, noise: Float32Array, fade: number) {
  const { layers: L, width: E, kvHeads: H, queryHeads: Q, headWidth: D, mlpWidth, vocabulary, normEpsilon, ropeTheta } = tinySpec;
  const length = text.length;
  const of = (role: string) => trained.get(role) ?? model.weights.get(role)?.data;
  const linear = (x: readonly number[], role: string, out: number, bias?: string) => Array.from({ length: out }, (_, row) => x.reduce((sum, value, e) => sum + value * of(role)![row * x.length + e]!, (bias && of(bias)?.[row]) || 0));
  const norm = (x: readonly number[], role: string) => ((r) => x.map((value, e) => value * r * of(role)![e]!))(1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / E + normEpsilon));
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const turned = (x: readonly number[], position: number) => x.map((value, d) => {
    const angle = position * ropeTheta ** (-(2 * (d % (D / 2))) / D);
    return d < D / 2 ? value * Math.cos(angle) - x[d + D / 2]! * Math.sin(angle) : value * Math.cos(angle) + x[d - D / 2]! * Math.sin(angle);
  });
  const shares: number[] = [];
  let x = Array.from(text, (id) => Array.from(model.weights.get(roles.embedding)!.data.subarray(id * E, (id + 1) * E)));
  for (let i = 0; i < L; i++) {
    const normed = x.map((row) => norm(row, roles.layer(i, 'attentionNorm')));
    const seenChannels = (row: readonly number[]) => (kind === 'dmc' ? row.map((value, n) => (n % D === D - 1 ? fade * value : value)) : row);
    const project = (part: 'query' | 'key' | 'value', out: number) => normed.map((row) => linear(row, roles.layer(i, part), out, roles.layer(i, part, 'bias')));
    const queries = project('query', Q * D).map(seenChannels);
    const [keys, values] = [project('key', H * D).map(seenChannels), project('value', H * D)];
    const raw = kind === 'dmc' ? normed.map((row) => linear(row, roles.decision(i, 'key'), H, roles.decision(i, 'key', 'bias'))) : x.map((row) => linear(norm(row, roles.dms(i, 'norm.weight')), roles.dms(i, 'proj.weight'), H, roles.dms(i, 'proj.bias')).map((value) => 100 * value));
    const importance = kind === 'dmc' ? normed.map((row) => linear(row, roles.decision(i, 'query'), H, roles.decision(i, 'query', 'bias')).map((value) => sigmoid(value + 5) + 1e-6)) : [];
    const attended = x.map(() => [] as number[]);
    for (let h = 0; h < H; h++) {
      const alpha = raw.map((row, t) => (mode === 'hard' ? Number(row[h]! + noise[(i * H + h) * length + t]! > 5) : sigmoid((row[h]! - 5 + noise[(i * H + h) * length + t]!) / 0.1)));
      shares.push(alpha.slice(1).reduce((a, b) => a + b, 0) / (length - 1));
      const head = (row: readonly number[]) => row.slice(h * D, (h + 1) * D);
      let state = { key: Array<number>(D).fill(0), value: Array<number>(D).fill(0), weight: 0 };
      const slots = x.map((_, t) => {
        if (kind === 'dms') return { key: turned(head(keys[t]!), t), value: head(values[t]!) };
        const [a, w] = [t === 0 ? 0 : alpha[t]!, importance[t]![h]!];
        state = { key: state.key.map((k, d) => k * a + w * head(keys[t]!)[d]!), value: state.value.map((v, d) => v * a + w * head(values[t]!)[d]!), weight: state.weight * a + w };
        return { key: turned(state.key.map((k) => k / state.weight), t), value: state.value.map((v) => v / state.weight) };
      });
      for (let g = 0; g < Q / H; g++) {
        x.forEach((_, t) => {
          const query = turned(queries[t]!.slice((h * (Q / H) + g) * D, (h * (Q / H) + g + 1) * D), t);
          const weights = slots.slice(0, t + 1).map(({ key }, j) => Math.exp(query.reduce((sum, q, d) => sum + q * key[d]!, 0) / Math.sqrt(D)) * (t - j > window ? 1 - alpha[j + 1]! : 1));
          const total = weights.reduce((a, b) => a + b, 0);
          for (let d = 0; d < D; d++) attended[t]!.push(weights.reduce((sum, w, j) => sum + w * slots[j]!.value[d]!, 0) / total);
        });
      }
    }
    x = x.map((row, t) => {
      const y = linear(attended[t]!, roles.layer(i, 'output'), E).map((value, e) => value + row[e]!);
      const inner = norm(y, roles.layer(i, 'mlpNorm'));
      const [gate, up] = [linear(inner, roles.layer(i, 'gate'), mlpWidth), linear(inner, roles.layer(i, 'up'), mlpWidth)];
      return linear(gate.map((value, n) => value * sigmoid(value) * up[n]!), roles.layer(i, 'down'), E).map((value, e) => value + y[e]!);
    });
  }
  const logLoss = x.slice(0, -1).map((row, t) => {
    const logits = linear(norm(row, roles.finalNorm), roles.head, vocabulary);
    return Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0)) - logits[text[t + 1]!]!;
  });
  return { logLoss, shares };
}
