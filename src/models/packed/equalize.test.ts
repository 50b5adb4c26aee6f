// Equalisation: outlier channels stop costing precision, and what a layer computes stays the same to the bit.
import { expect, test } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { chooseFactors, divideColumns, multiplyColumns } from './equalize.ts';
import { errorsOf } from './formats.ts';

const random = createRandom(5);
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const [width, out, count] = [64, 48, 40];
const layer = { name: 'w', weight: normal(out * width), outWidth: out, inWidth: width };

/** Inputs in which two channels are a hundred times the rest. */
function outlying() {
  const rows = normal(count * width);
  for (let at = 0; at < rows.length; at += width) for (const channel of [3, 40]) rows[at + channel]! *= 100;
  return { rows, count };
}

test.each(['w8a8', 'w8', 'w4'] as const)('%s: planted outlier channels cost next to nothing', async (precision) => {
  const inputs = outlying();
  // The layer that follows a norm has small columns where the norm has large channels, or the outliers were all it saw.
  const small = { ...layer, weight: multiplyColumns(layer.weight.slice(), Float32Array.from({ length: width }, (_, i) => (i === 3 || i === 40 ? 0.01 : 1))) };
  const format = { w8a8: 'rows7', w8: 'blocks8', w4: 'blocks4' } as const;
  const [before] = await errorsOf(small, [format[precision]], inputs);
  const factors = await chooseFactors([small], inputs, precision);
  const [after] = await errorsOf({ ...small, weight: multiplyColumns(small.weight.slice(), factors) }, [format[precision]], divideColumns(inputs, factors));
  expect(after!).toBeLessThan(before! / (precision === 'w4' ? 2 : 5));
});

test('factors are powers of two: products are the same to the bit', async () => {
  const inputs = outlying();
  const factors = await chooseFactors([layer], inputs, 'w8a8');
  for (const factor of factors) expect(Number.isInteger(Math.log2(factor))).toBe(true);
  const [weight, { rows }] = [multiplyColumns(layer.weight.slice(), factors), divideColumns(inputs, factors)];
  for (let i = 0; i < width; i++) expect(Math.fround(weight[i]! * rows[i]!)).toBe(Math.fround(layer.weight[i]! * inputs.rows[i]!));
});

test('channels that must share a factor do', async () => {
  const groups = Int32Array.from({ length: width }, (_, i) => i % 16);
  const factors = await chooseFactors([layer], outlying(), 'w8a8', groups);
  factors.forEach((factor, i) => expect(factor).toBe(factors[i % 16]));
});
