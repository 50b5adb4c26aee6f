// Muon: updates are orthogonal matrices in the gradient's singular vectors, and lower a loss.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Graph } from '../graph/graph.ts';
import { gemm, mul, reduceSum, sub } from '../graph/ops.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import { orthogonalised } from './muon.ts';
import { createOptimiser } from './optimiser.ts';
import { createParameters } from './parameters.ts';
import type { Forward } from './step-graph.ts';

async function orthogonalise(values: Float32Array, rows: number, columns: number): Promise<Float32Array> {
  const graph = new Graph('orthogonalise');
  graph.output('y', orthogonalised(graph.input('x', 'float32', [rows, columns])));
  await using model = await openOnnx(graph.encode(), { threads: 1 });
  return (await model.run({ x: new Tensor('float32', values, [rows, columns]) }))['y']!.data as Float32Array;
}

/** Rows (or columns, where there are fewer) as an orthonormal set: dot products of all pairs. */
function gram(y: Float32Array, rows: number, columns: number): number[][] {
  const at = (i: number, k: number) => (rows <= columns ? y[i * columns + k]! : y[k * columns + i]!);
  const [few, many] = [Math.min(rows, columns), Math.max(rows, columns)];
  return Array.from({ length: few }, (_, i) => Array.from({ length: few }, (__, j) => Array.from({ length: many }, (___, k) => at(i, k) * at(j, k)).reduce((sum, x) => sum + x, 0)));
}

describe('Muon', () => {
  it.each([[3, 8], [8, 3], [5, 5]])('brings the singular values of a %i × %i matrix near 1', async (rows, columns) => {
    const random = createRandom(rows * columns);
    const y = await orthogonalise(Float32Array.from({ length: rows * columns }, () => random.normal() * 7), rows, columns);
    const dots = gram(y, rows, columns);
    dots.forEach((row, i) => row.forEach((dot, j) => expect(Math.abs(dot - Number(i === j))).toBeLessThan(0.6)));
    // Together they come closer: the polynomial swings about 1.
    expect(dots.reduce((sum, row, i) => sum + row[i]!, 0) / dots.length).toBeGreaterThan(0.5);
  });

  it('keeps directions: a diagonal matrix stays diagonal, with the signs it had', async () => {
    const y = await orthogonalise(Float32Array.of(3, 0, 0, 0, -0.5, 0), 2, 3);
    expect(y[0]).toBeGreaterThan(0.6);
    expect(y[4]).toBeLessThan(-0.6);
    expect([1, 2, 3, 5].map((i) => y[i])).toEqual([0, 0, 0, 0]);
  });

  it('fits a linear map that it is shown', async () => {
    const [rows, inputs, out] = [32, 6, 4];
    const random = createRandom('muon');
    const target = Float32Array.from({ length: out * inputs }, () => random.normal());
    const forward: Forward = (graph, weight) => {
      const error = sub(gemm(graph.input('x', 'float32', [rows, inputs]), weight('w'), undefined, { transB: true }), graph.input('y', 'float32', [rows, out]));
      return { loss: mul(reduceSum(mul(error, error), [0, 1], false), graph.scalar(1 / rows)), metrics: {} };
    };
    const store = createParameters([{ name: 'w', shape: [out, inputs], initialiser: { kind: 'constant', value: 0 }, group: 'matrix' }], random);
    await using optimiser = createOptimiser(store, () => forward, {
      adamw: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, maxGradientNorm: Infinity }, groups: { matrix: { kind: 'muon', rateFactor: 1, weightDecay: 0 } }, accumulation: 1, threads: 1,
    });
    let loss = Infinity;
    for (let step = 0; step < 150; step++) {
      const x = Float32Array.from({ length: rows * inputs }, () => random.normal());
      const y = Float32Array.from({ length: rows * out }, (_, i) => Array.from({ length: inputs }, (__, k) => x[Math.floor(i / out) * inputs + k]! * target[(i % out) * inputs + k]!).reduce((sum, v) => sum + v, 0));
      const { outputs } = await optimiser.step([{ variant: 'map', feeds: { x: new Tensor('float32', x, [rows, inputs]), y: new Tensor('float32', y, [rows, out]) } }], 0.2 * (1 - step / 150));
      loss = Number(outputs[0]!['loss']!.data[0]);
    }
    expect(loss).toBeLessThan(0.02);
  });
});
