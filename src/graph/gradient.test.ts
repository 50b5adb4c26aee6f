// Every gradient rule against central differences in double precision, and against ONNX Runtime's kernels in single precision.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import { blockAttention } from './attention.ts';
import type { Dense } from './evaluate.ts';
import { evaluate } from './evaluate.ts';
import { gradients, stopGradient, straightThrough } from './gradient.ts';
import type { Value } from './graph.ts';
import { Graph } from './graph.ts';
import { anyOfCrossEntropy, binaryCrossEntropy, huberLoss, softmaxCrossEntropy } from './loss.ts';
import { fusedMatmul, rotaryEmbedding } from './ops-fused.ts';
import { gatherElements, oneHot, scatterRows } from './ops-index.ts';
import * as ops from './ops.ts';

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (values: readonly Value[], graph: Graph) => Value;
  /** Where the function is defined and smooth; default: normal deviates. */
  readonly draw?: 'positive' | 'away from zero' | 'distinct';
}

const ints = (graph: Graph, values: readonly number[], shape: readonly number[]) => graph.constant(BigInt64Array.from(values, BigInt), 'int64', shape);
const floats = (graph: Graph, values: readonly number[], shape: readonly number[]) => graph.constant(Float32Array.from(values), 'float32', shape);
const one = (f: (x: Value) => Value, draw?: Case['draw']): Case => ({ shapes: [[3, 4]], build: ([x]) => f(x!), ...(draw && { draw }) });
const two = (f: (a: Value, b: Value) => Value, shapes: Case['shapes'], draw?: Case['draw']): Case => ({ shapes, build: ([a, b]) => f(a!, b!), ...(draw && { draw }) });

function rotary(x: Value, graph: Graph): Value {
  const angles = Array.from({ length: 12 }, (_, i) => Math.floor(i / 2) * (i % 2 ? 0.3 : 1));
  return rotaryEmbedding(x, ints(graph, [0, 3, 1, 5, 2, 2], [2, 3]), floats(graph, angles.map(Math.cos), [6, 2]), floats(graph, angles.map(Math.sin), [6, 2]));
}

const cases: Readonly<Record<string, Case>> = {
  add: two(ops.add, [[2, 3, 4], [3, 1]]),
  'add of a scalar': two(ops.add, [[], [2, 3]]),
  sub: two(ops.sub, [[3, 1], [2, 3, 4]]),
  mul: two(ops.mul, [[2, 1, 4], [3, 1]]),
  div: two(ops.div, [[2, 3], [2, 1]], 'positive'),
  pow: two(ops.pow, [[2, 3], [3]], 'positive'),
  maximum: two(ops.maximum, [[2, 3], [3]]),
  minimum: two(ops.minimum, [[2, 3], [2, 1]]),
  neg: one(ops.neg),
  exp: one(ops.exp),
  log: one(ops.log, 'positive'),
  sqrt: one(ops.sqrt, 'positive'),
  reciprocal: one(ops.reciprocal, 'positive'),
  tanh: one(ops.tanh),
  sigmoid: one(ops.sigmoid),
  softplus: one(ops.softplus),
  relu: one(ops.relu, 'away from zero'),
  abs: one(ops.abs, 'away from zero'),
  erf: one(ops.erf),
  cos: one(ops.cos),
  sin: one(ops.sin),
  identity: one(ops.identity),
  silu: one(ops.silu),
  'gelu (tanh)': one((x) => ops.gelu(x, 'tanh')),
  'gelu (exact)': one((x) => ops.gelu(x, 'none')),
  where: { shapes: [[2, 3], [3]], build: ([a, b], graph) => ops.where(graph.constant(Uint8Array.of(1, 0, 1, 0, 0, 1), 'bool', [2, 3]), a!, b!) },
  'where with a scalar': { shapes: [[], [2, 3]], build: ([a, b], graph) => ops.where(graph.constant(Uint8Array.of(1, 0), 'bool', [2, 1]), a!, b!) },
  'matmul with a matrix': two(ops.matmul, [[2, 3, 4], [4, 5]]),
  'matmul of matrices': two(ops.matmul, [[3, 4], [4, 5]]),
  'matmul of batches': two(ops.matmul, [[2, 1, 3, 4], [5, 4, 2]]),
  'matmul of a matrix with a batch': two(ops.matmul, [[3, 4], [2, 4, 2]]),
  ...Object.fromEntries(
    [false, true].flatMap((transA) =>
      [false, true].flatMap((transB): [string, Case][] => [
        [`gemm ${transA ? 'Aᵀ' : 'A'}${transB ? 'Bᵀ' : 'B'}`, { shapes: [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], transA ? [5] : [3, 1]], build: ([a, b, c]) => ops.gemm(a!, b!, c, { transA, transB, alpha: 0.7, beta: 1.3 }) }],
        [`fusedMatmul ${transA ? 'Aᵀ' : 'A'}${transB ? 'Bᵀ' : 'B'}`, two((a, b) => fusedMatmul(a, b, { transA, transB, alpha: 0.7 }), [transA ? [2, 1, 4, 3] : [2, 1, 3, 4], transB ? [3, 5, 4] : [3, 4, 5]])],
      ]),
    ),
  ),
  softmax: one(ops.softmax),
  'softmax over the first axis': one((x) => ops.softmax(x, 0)),
  logSoftmax: one(ops.logSoftmax),
  layerNorm: { shapes: [[2, 3, 5], [5], [5]], build: ([x, scale, bias]) => ops.layerNorm(x!, scale!, bias!, 1e-5) },
  rmsNorm: { shapes: [[2, 3, 5], [5]], build: ([x, scale]) => ops.rmsNorm(x!, scale!, 1e-5) },
  reshape: one((x) => ops.reshape(x, [2, -1])),
  transpose: { shapes: [[2, 3, 4]], build: ([x]) => ops.transpose(x!, [2, 0, 1]) },
  concat: two((a, b) => ops.concat([a, b, a], -1), [[2, 3], [2, 1]]),
  split: { shapes: [[2, 6]], build: ([x]) => { const [a, , c] = ops.split(x!, [2, 3, 1], 1); return ops.mul(a!, c!); } },
  slice: { shapes: [[2, 6]], build: ([x]) => ops.slice(x!, 1, 2, 5) },
  pad: { shapes: [[2, 3]], build: ([x]) => ops.pad(x!, 0, 1, 2) },
  'gather with repeats': { shapes: [[4, 3]], build: ([x], graph) => ops.gather(x!, ints(graph, [3, 1, 3, 0], [2, 2])) },
  'gather along an inner axis': { shapes: [[2, 4, 3]], build: ([x], graph) => ops.gather(x!, ints(graph, [3, 1, 3], [3]), 1) },
  gatherElements: { shapes: [[2, 4]], build: ([x], graph) => gatherElements(x!, ints(graph, [3, 3, 0, 1], [2, 2]), 1) },
  scatterRows: { shapes: [[4, 3]], build: ([x], graph) => scatterRows(x!, ints(graph, [2, 0, 2, 2], [4]), 5) },
  cumSum: { shapes: [[2, 5]], build: ([x]) => ops.cumSum(x!, 1) },
  'cumSum, reversed and exclusive': { shapes: [[2, 5]], build: ([x]) => ops.cumSum(x!, 0, { reverse: true, exclusive: true }) },
  expand: { shapes: [[3, 1]], build: ([x]) => ops.expand(x!, [2, 3, 4]) },
  reduceSum: { shapes: [[2, 3, 4]], build: ([x]) => ops.reduceSum(x!, [0, 2]) },
  'reduceSum without its axes': { shapes: [[2, 3, 4]], build: ([x]) => ops.reduceSum(x!, [1], false) },
  reduceMean: { shapes: [[2, 3, 4]], build: ([x]) => ops.reduceMean(x!, [0, 2], false) },
  reduceMax: { shapes: [[2, 3, 4]], build: ([x]) => ops.reduceMax(x!, [1]), draw: 'distinct' },
  reduceSumSquare: { shapes: [[2, 3, 4]], build: ([x]) => ops.reduceSumSquare(x!, [1, 2], false) },
  cast: one((x) => ops.cast(ops.cast(x, 'float64'), 'float32')),
  rotaryEmbedding: { shapes: [[2, 3, 8]], build: ([x], graph) => rotary(x!, graph) },
  'attention over one block': { shapes: [[2, 3, 4], [2, 5, 4], [2, 5, 2 * 2]], build: ([q, k, v]) => blockAttention(q!, [{ key: k!, value: v! }], 0.5) },
  'attention over shared keys and own keys': {
    shapes: [[2, 6, 4], [2, 5, 4], [2, 5, 4], [2, 3, 2, 4], [2, 3, 2, 4]],
    build: ([q, k, v, ownK, ownV], graph) =>
      blockAttention(
        q!,
        [
          { key: k!, value: v!, bias: floats(graph, [0, 0, 0, 0, -1e4, 0, 0, -1e4, -1e4, -1e4, 0, 0, 0, 0, 0], [3, 1, 5]), biasShape: [2, 3, 2, 5] },
          { queryShape: [2, 3, 2, 4], key: ownK!, value: ownV!, bias: floats(graph, [0, -1e4, 0, 0], [2, 2]) },
        ],
        0.5,
      ),
  },
  'attention with a learned bias': {
    shapes: [[2, 6, 4], [2, 5, 4], [2, 5, 4], [2, 1, 1, 5], [2, 6, 1]],
    build: ([q, k, v, bias, other]) => blockAttention(q!, [{ key: k!, value: v!, bias: bias!, biasShape: [2, 3, 2, 5] }, { key: v!, value: k!, bias: other! }], 0.5),
  },
  softmaxCrossEntropy: { shapes: [[4, 5]], build: ([x], graph) => ops.mul(softmaxCrossEntropy(x!, ints(graph, [1, 4, 0, 0], [4]), floats(graph, [0.5, 0.25, 0, 0.25], [4])).loss, graph.scalar(1.7)) },
  'softmaxCrossEntropy, weights of one row per class': { shapes: [[3, 5]], build: ([x], graph) => ops.reduceSum(ops.mul(ops.logSoftmax(x!), oneHot(ints(graph, [1, 4, 0], [3]), 5)), [0, 1]) },
  anyOfCrossEntropy: {
    shapes: [[4, 3]],
    // The last row has nothing right in it and no weight.
    build: ([x], graph) => anyOfCrossEntropy(x!, floats(graph, [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1], [4, 3]), floats(graph, [1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0], [4, 3]), floats(graph, [1, 2, 0.5, 0], [4])),
  },
  binaryCrossEntropy: { shapes: [[4, 3]], build: ([x], graph) => binaryCrossEntropy(x!, floats(graph, Array.from({ length: 12 }, (_, i) => (i % 3) / 2), [4, 3]), floats(graph, [1, 0, 2, 0.5], [4, 1])) },
  huberLoss: { shapes: [[4, 3]], build: ([x], graph) => huberLoss(x!, floats(graph, Array.from({ length: 12 }, (_, i) => Math.sin(i)), [4, 3]), floats(graph, [1, 0, 2, 0.5], [4, 1]), 0.4) },
  'a value used twice': one((x) => ops.mul(x, ops.tanh(x))),
};

function data({ shapes, draw }: Case, seed: string): Dense[] {
  const random = createRandom(seed);
  return shapes.map((shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const order = random.shuffle([...Array(count).keys()]);
    return {
      shape,
      data: Float64Array.from({ length: count }, (_, i) => {
        const x = random.normal();
        if (draw === 'positive') return 0.5 + Math.abs(x);
        if (draw === 'away from zero') return x + Math.sign(x) * 0.2;
        return draw === 'distinct' ? order[i]! / count : x;
      }),
    };
  });
}

/** The case under a random weighting of its result: a scalar, and its gradients as outputs. */
function build(name: string, test: Case) {
  const graph = new Graph(name);
  const inputs = test.shapes.map((shape, i) => graph.input(`x${i}`, 'float32', shape));
  const y = test.build(inputs, graph);
  const random = createRandom(`${name} weights`);
  const weights = Float32Array.from({ length: y.shape.reduce<number>((product, size) => product * Number(size), 1) }, () => random.normal());
  const loss = ops.reduceSum(ops.mul(y, graph.constant(weights, 'float32', y.shape, 'weights')), y.shape.map((_, i) => i), false);
  const slopes = gradients(loss, inputs);
  graph.output('loss', loss);
  slopes.forEach((slope, i) => graph.output(`slope${i}`, slope));
  return { graph, loss, slopes };
}

const feedsOf = (values: readonly Dense[]) => Object.fromEntries(values.map((value, i) => [`x${i}`, value]));

describe('gradients', () => {
  it.each(Object.keys(cases))('%s equals central differences, in double precision', (name) => {
    const test = cases[name]!;
    const { graph, loss, slopes } = build(name, test);
    const inputs = data(test, name);
    const exact = evaluate(graph, feedsOf(inputs), slopes);
    const step = 1e-5;
    inputs.forEach((input, i) => {
      const slope = exact.get(slopes[i]!.name)!;
      expect(slope.shape).toEqual(input.shape);
      const scale = Math.max(1e-3, ...slope.data.map(Math.abs));
      input.data.forEach((value, j) => {
        const at = (moved: number) => evaluate(graph, feedsOf(inputs.with(i, { ...input, data: input.data.with(j, moved) })), [loss]).get(loss.name)!.data[0]!;
        const difference = (at(value + step) - at(value - step)) / (2 * step);
        expect(Math.abs(slope.data[j]! - difference) / scale).toBeLessThan(1e-6);
      });
    });
  });

  it.each(Object.keys(cases))('%s is the same in ONNX Runtime', async (name) => {
    const test = cases[name]!;
    const { graph } = build(name, test);
    const inputs = data(test, name);
    const exact = evaluate(graph, feedsOf(inputs));
    await using model = await openOnnx(graph.encode(), { threads: 1 });
    const results = await model.run(Object.fromEntries(inputs.map((input, i) => [`x${i}`, new Tensor('float32', Float32Array.from(input.data), input.shape)])));
    for (const { name: output } of graph.outputs) {
      const want = exact.get(output)!;
      const got = results[output]!;
      expect(got.dims).toEqual(want.shape);
      const scale = Math.max(1, ...want.data.map(Math.abs));
      want.data.forEach((value, i) => expect(Math.abs(Number(got.data[i]) - value) / scale).toBeLessThan(2e-5));
    }
  });

  it('repeated rows of a table add up, whichever thread brings them', async () => {
    const [rows, width, table] = [4096, 32, 7];
    const graph = new Graph('scatter');
    const indices = graph.constant(BigInt64Array.from({ length: rows }, (_, i) => BigInt((i * 5) % table)), 'int64', [rows]);
    graph.output('sums', scatterRows(graph.input('rows', 'float32', [rows, width]), indices, table));
    await using model = await openOnnx(graph.encode(), { threads: 2 });
    const ones = new Tensor('float32', new Float32Array(rows * width).fill(1), [rows, width]);
    const sums = (await model.run({ rows: ones })).sums!.data as Float32Array;
    const counts = Array.from({ length: table }, (_, row) => Array.from({ length: rows }, (__, i) => (i * 5) % table).filter((index) => index === row).length);
    expect(Array.from(sums)).toEqual(counts.flatMap((n) => Array<number>(width).fill(n)));
  });

  it('no gradient passes a stopped value, and a straight-through one keeps the hard value', () => {
    const graph = new Graph('straight through');
    const x = graph.input('x', 'float32', [3]);
    const hard = ops.cast(ops.greater(x, graph.scalar(0)), 'float32');
    const y = ops.mul(straightThrough(hard, ops.sigmoid(x)), stopGradient(x));
    const [slope] = gradients(ops.reduceSum(y, [0], false), [x]);
    const input = [-1, 0.5, 2];
    const results = evaluate(graph, { x: { shape: [3], data: Float64Array.from(input) } }, [y, slope!]);
    expect(Array.from(results.get(y.name)!.data)).toEqual([-0, 0.5, 2]);
    results.get(slope!.name)!.data.forEach((value, i) => {
      const s = 1 / (1 + Math.exp(-input[i]!));
      expect(value).toBeCloseTo(input[i]! * s * (1 - s), 6);
    });
  });

  it('says which operation has no rule, and which parameter the loss does not reach', () => {
    const graph = new Graph('wrong');
    const x = graph.input('x', 'float32', [2]);
    const unused = graph.input('unused', 'float32', [2]);
    const odd = ops.single('Atan', [x], [2]);
    expect(() => gradients(ops.reduceSum(odd, [0], false), [x])).toThrow(/no gradient rule for Atan/);
    expect(() => gradients(ops.reduceSum(x, [0], false), [x, unused])).toThrow(/does not depend on unused/);
    expect(() => gradients(x, [x])).toThrow(/only a scalar/);
  });
});
