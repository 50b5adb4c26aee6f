// Linear layers: results against plain loops, with weights inside the model and in a file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import { Graph } from './graph.ts';
import type { PackedLinear, TensorRef } from './linear.ts';
import { inlineTensor, linear } from './linear.ts';
import { quantizeBlocks, quantizeRows } from './quantize.ts';

const random = createRandom(7);
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const [rows, inWidth, out] = [5, 24, 10];
const x = normal(rows * inWidth);
const weights = normal(out * inWidth);
const bias = normal(out);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-linear-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(packed: PackedLinear): Promise<Float32Array> {
  const graph = new Graph('linear');
  graph.output('y', linear(graph.input('x', 'float32', ['T', inWidth]), packed));
  await using model = await openOnnx(graph.encode(), { threads: 1 });
  const { y } = await model.run({ x: new Tensor('float32', x, [rows, inWidth]) });
  return y!.data as Float32Array;
}

function expectProduct(y: Float32Array): void {
  for (let t = 0; t < rows; t++) {
    for (let o = 0; o < out; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < inWidth; i++) sum += x[t * inWidth + i]! * weights[o * inWidth + i]!;
      expect(y[t * out + o]).toBeCloseTo(sum, 4);
    }
  }
}

test('weights inside the model', async () => {
  const packed: PackedLinear = { format: 'float32', weight: inlineTensor('w', weights, 'float32', [out, inWidth]), bias: inlineTensor('b', bias, 'float32', [out]) };
  expectProduct(await run(packed));
});

test('weights in the middle of a file, anywhere on the disk', async () => {
  const file = join(folder, 'weights.bin');
  const bytes = new Uint8Array(8 + weights.byteLength + bias.byteLength);
  bytes.set(new Uint8Array(weights.buffer), 8);
  bytes.set(new Uint8Array(bias.buffer), 8 + weights.byteLength);
  await writeFile(file, bytes);
  const at = (name: string, shape: number[], offsetBytes: number): TensorRef => ({ kind: 'file', name, dtype: 'float32', shape, file, offsetBytes });
  expectProduct(await run({ format: 'float32', weight: at('w', [out, inWidth], 8), bias: at('b', [out], 8 + weights.byteLength) }));
});

test('an input of the wrong width is named', () => {
  const graph = new Graph('linear');
  const packed: PackedLinear = { format: 'float32', weight: inlineTensor('layer.q', weights, 'float32', [out, inWidth]) };
  expect(() => linear(graph.input('x', 'float32', ['T', 7]), packed)).toThrow(/layer\.q.*\[T, 7\].*\[T, 24\]/u);
});

describe.each(['rows7', 'rows8', 'blocks8', 'blocks4'] as const)('%s', (format) => {
  const wide = 100;
  const matrix = normal(out * wide);

  function packed(values: Float32Array): PackedLinear {
    const b = inlineTensor('b', bias, 'float32', [out]);
    if (format === 'rows7' || format === 'rows8') {
      const { data, scales } = quantizeRows(values, out, wide, format === 'rows8' ? 8 : 7);
      return { format, weight: inlineTensor('w', data, format === 'rows8' ? 'uint8' : 'int8', [wide, out]), scales: inlineTensor('s', scales, 'float32', [out]), bias: b };
    }
    const { data, scales, zeroPoints } = quantizeBlocks(values, out, wide, format === 'blocks8' ? 8 : 4);
    return {
      format,
      inWidth: wide,
      weight: inlineTensor('w', data, 'uint8', [out, 4, data.length / out / 4]),
      scales: inlineTensor('s', scales, 'float32', [scales.length]),
      ...(zeroPoints && { zeroPoints: inlineTensor('z', zeroPoints, 'uint8', [zeroPoints.length]) }),
      bias: b,
    };
  }

  async function multiply(values: Float32Array, inputs: Float32Array): Promise<Float32Array> {
    const graph = new Graph('linear');
    graph.output('y', linear(graph.input('x', 'float32', ['T', wide]), packed(values)));
    await using model = await openOnnx(graph.encode(), { threads: 1 });
    return (await model.run({ x: new Tensor('float32', inputs, [inputs.length / wide, wide]) })).y!.data as Float32Array;
  }

  function exact(values: Float32Array, inputs: Float32Array): Float32Array {
    return Float32Array.from({ length: (inputs.length / wide) * out }, (_, at) => {
      const [t, o] = [Math.floor(at / out), at % out];
      return bias[o]! + inputs.subarray(t * wide, (t + 1) * wide).reduce((sum, value, i) => sum + value * values[o * wide + i]!, 0);
    });
  }

  const error = (got: Float32Array, expected: Float32Array) => Math.sqrt(got.reduce((sum, value, i) => sum + (value - expected[i]!) ** 2, 0) / expected.reduce((sum, value) => sum + value ** 2, 0));

  test('is as exact as its bits', async () => {
    const inputs = normal(12 * wide);
    expect(error(await multiply(matrix, inputs), exact(matrix, inputs))).toBeLessThan({ rows7: 0.02, rows8: 0.015, blocks8: 0.01, blocks4: 0.1 }[format]);
  });

  test('a row does not depend on the rows beside it: to the bit with 8 bits, to rounding with 4', async () => {
    const inputs = normal(9 * wide);
    inputs.fill(1000, 0, wide);
    const together = await multiply(matrix, inputs);
    for (const [first, last] of [[1, 2], [2, 5], [5, 9]] as const) {
      const alone = await multiply(matrix, inputs.slice(first * wide, last * wide));
      const beside = together.slice(first * out, last * out);
      if (format === 'blocks4') expect(error(alone, beside)).toBeLessThan(1e-6);
      else expect(alone).toEqual(beside);
    }
  });

  test('a row of zeros gives the bias', async () => {
    expect(await multiply(matrix, new Float32Array(2 * wide))).toEqual(Float32Array.of(...bias, ...bias));
  });

  test('the largest numbers do not overflow the sums of any processor', async () => {
    const signs = (count: number) => Float32Array.from({ length: count }, () => (random.next() < 0.5 ? -1 : 1));
    for (const [values, inputs] of [[new Float32Array(out * wide).fill(1), new Float32Array(3 * wide).fill(1)], [signs(out * wide), signs(3 * wide)]] as const) {
      expect(error(await multiply(values, inputs), exact(values, inputs))).toBeLessThan(format === 'blocks4' ? 0.1 : 1e-3);
    }
  });
});
