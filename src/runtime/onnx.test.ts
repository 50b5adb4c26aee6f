// Runs of a graph: what becomes of outputs that are written in place.
import { expect, test } from 'vitest';
import { Graph } from '../graph/graph.ts';
import { add } from '../graph/ops.ts';
import { openOnnx, Tensor } from './onnx.ts';

test('outputs that are written in place are the tensors that were given, and no copy of them stays behind', async () => {
  const count = 1 << 20;
  const graph = new Graph('double');
  const x = graph.input('x', 'float32', [count]);
  graph.output('y', add(x, x));
  await using model = await openOnnx(graph.encode(), { threads: 1 });
  const feeds = { x: new Tensor('float32', new Float32Array(count).fill(3), [count]) };
  const y = new Tensor('float32', new Float32Array(count), [count]);
  const before = process.memoryUsage().arrayBuffers;
  expect((await model.run(feeds, { y }))['y']).toBe(y);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(count);
  expect(y.data.at(-1)).toBe(6);
});
