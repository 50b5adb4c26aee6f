// Linear layers: results against plain loops, with weights inside the model and in a file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import { Graph } from './graph.ts';
import type { PackedLinear, TensorRef } from './linear.ts';
import { inlineTensor, linear } from './linear.ts';

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
