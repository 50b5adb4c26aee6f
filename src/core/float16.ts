// Half-width floats: float16 (IEEE 754 binary16) and bfloat16, to and from float32.

let decoded: Float32Array | undefined;

/** float32 [65536]: the value of each float16 bit pattern. Built once: a table is faster than bit arithmetic per element. */
function float16Table(): Float32Array {
  if (decoded !== undefined) return decoded;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  decoded = table;
  return table;
}

/**
 * Writes the values of float16 bit patterns into `target`.
 * @param source uint16 [n]
 * @param target float32 [at least n]
 */
export function float16ToFloat32(source: Uint16Array, target: Float32Array): void {
  const table = float16Table();
  for (let i = 0; i < source.length; i++) target[i] = table[source[i]!]!;
}

/**
 * Writes the values of bfloat16 bit patterns into `target`.
 * @param source uint16 [n]
 * @param target float32 [at least n]
 */
export function bfloat16ToFloat32(source: Uint16Array, target: Float32Array): void {
  // A bfloat16 is the upper half of a float32.
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

/**
 * Rounds to nearest float16, ties to even; beyond the largest float16 (65504) to infinity.
 * @param source float32 [n]
 * @param target uint16 [at least n], bit patterns
 */
export function float32ToFloat16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) {
    const word = bits[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) target[i] = sign | 0x7e00;
    else if (magnitude >= 0x47800000) target[i] = sign | 0x7c00;
    else if (magnitude < 0x38800000) {
      // Subnormal: adding 0.5 puts the rounded value, in units of 2⁻²⁴, into the low bits of the sum's fraction.
      scratch[0] = Math.abs(source[i]!) + 0.5;
      target[i] = sign | (scratchBits[0]! - 0x3f000000);
    } else {
      // Rebias the exponent (127 → 15) and round the 13 bits that go, ties to even; a carry moves into the exponent as it should.
      target[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
}

/**
 * Rounds to nearest bfloat16, ties to even.
 * @param source float32 [n]
 * @param target uint16 [at least n], bit patterns
 */
export function float32ToBfloat16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) {
    const word = bits[i]!;
    // A NaN keeps a fraction bit, or rounding could turn it into infinity.
    target[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);
