// Half floats: every 16-bit word, rounding, and the ends of the range.
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './float16.ts';
import { createRandom } from './random.ts';

const every = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe('float16', () => {
  it('decodes every bit pattern as IEEE 754 has it', () => {
    const decoded = new Float32Array(65536);
    float16ToFloat32(every, decoded);
    expect(decoded).toEqual(Float32Array.from(new Float16Array(every.buffer)));
  });

  it('rounds to nearest, ties to even, over the whole range', () => {
    const random = createRandom(3);
    const special = [0, -0, 1, 65504, 65519.996, 65520, 1e9, Infinity, -Infinity, NaN, 2 ** -14, 2 ** -24, 2 ** -25, 2 ** -25 * 1.0001, 2 ** -26, 6.1e-5, 2049, 2051, -1e-30];
    const values = Float32Array.from([...special, ...Array.from({ length: 20000 }, () => random.normal() * 2 ** random.int(-30, 20))]);
    const encoded = new Uint16Array(values.length);
    float32ToFloat16(values, encoded);
    const expected = new Uint16Array(Float16Array.from(values).buffer);
    expect(encoded).toEqual(expected);
  });

  it('comes back unchanged through float32', () => {
    const decoded = new Float32Array(65536);
    float16ToFloat32(every, decoded);
    const encoded = new Uint16Array(65536);
    float32ToFloat16(decoded, encoded);
    const changed = every.filter((bits) => encoded[bits] !== bits && !Number.isNaN(decoded[bits]));
    expect([...changed]).toEqual([]);
  });
});

describe('bfloat16', () => {
  it('comes back unchanged through float32', () => {
    const decoded = new Float32Array(65536);
    bfloat16ToFloat32(every, decoded);
    expect(decoded[0x3f80]).toBe(1);
    const encoded = new Uint16Array(65536);
    float32ToBfloat16(decoded, encoded);
    const changed = every.filter((bits) => encoded[bits] !== bits && !Number.isNaN(decoded[bits]));
    expect([...changed]).toEqual([]);
  });

  it('rounds to the nearer neighbour, ties to the even one, and keeps NaN', () => {
    const cases: [number, number][] = [[0x3f808000, 0x3f80], [0x3f818000, 0x3f82], [0x3f808001, 0x3f81], [0x7f7fffff, 0x7f80], [0x7f800001, 0x7fc0]]; // prettier-ignore
    const source = new Float32Array(new Uint32Array(cases.map(([bits]) => bits)).buffer);
    const target = new Uint16Array(source.length);
    float32ToBfloat16(source, target);
    expect([...target].map((bits) => bits.toString(16))).toEqual(cases.map(([, bits]) => bits.toString(16)));
  });
});
