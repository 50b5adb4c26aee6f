// The pixel kernels' memory: shared, grown on demand, given back, and never mistaken for what its last user left there.
import { expect, it } from 'vitest';
import { pixelKernels } from './pixel-kernels.ts';

const mib = 1 << 20;

it('the same memory serves until more is needed; then nothing in it counts as anybody’s', () => {
  const small = pixelKernels(mib);
  expect(small.bytes.length).toBe(mib);
  small.user = small;
  expect(pixelKernels(10)).toBe(small);
  const larger = pixelKernels(3 * mib + 1);
  expect(larger.bytes.length).toBe(3 * mib + 65_536);
  expect(larger.user).toBeUndefined();
  expect(small.bytes.length).toBe(0);
});

it('a large memory is given back when a quarter would do', () => {
  const large = pixelKernels(24 * mib);
  expect(pixelKernels(7 * mib)).toBe(large);
  large.user = large;
  const small = pixelKernels(5 * mib);
  expect(small.bytes.length).toBe(5 * mib);
  expect(small.user).toBeUndefined();
  expect(pixelKernels(1)).toBe(small);
});

it('more memory than there can be is refused with its size', () => {
  expect(() => pixelKernels(2 ** 33)).toThrow(/8589934592 bytes needed/);
  expect(pixelKernels(mib).bytes.length).toBeGreaterThanOrEqual(mib);
});
