// Quantisation of weight matrices: to 7 bits with a scale a row, and to 8 or 4 bits in blocks of 32.

/**
 * 7-bit rows use −63…63: two products with an unsigned 8-bit activation then fit 16 bits, which the AVX2 kernel for signed weights sums in
 * and would else cut off. 8-bit rows are unsigned, and take the kernel that sums in 32 bits.
 */
const rowLimits = { 7: 63, 8: 127 } as const;

export const blockSize = 32;

/** A matrix of 7- or 8-bit numbers, transposed as ONNX Runtime multiplies it. */
export interface QuantizedRows {
  /** [in, out]: int8 for 7 bits, uint8 with its zero at 128 for 8. */
  readonly data: Int8Array | Uint8Array;
  /** float32 [out] */
  readonly scales: Float32Array;
}

/**
 * Symmetric, one scale an output.
 * @param weight float32 [out, in]
 */
export function quantizeRows(weight: Float32Array, outWidth: number, inWidth: number, bits: 7 | 8): QuantizedRows {
  const rowLimit = rowLimits[bits];
  const zero = bits === 8 ? 128 : 0;
  const scales = new Float32Array(outWidth);
  const data = bits === 8 ? new Uint8Array(outWidth * inWidth) : new Int8Array(outWidth * inWidth);
  // Sixteen outputs at a time share the cache lines that the transposed writes touch.
  const inverse = new Float64Array(16);
  for (let first = 0; first < outWidth; first += 16) {
    const count = Math.min(16, outWidth - first);
    for (let o = 0; o < count; o++) {
      let most = 0;
      const start = (first + o) * inWidth;
      for (let i = start; i < start + inWidth; i++) most = Math.max(most, Math.abs(weight[i]!));
      scales[first + o] = most / rowLimit;
      inverse[o] = most === 0 ? 0 : rowLimit / most;
    }
    for (let i = 0; i < inWidth; i++) {
      for (let o = 0; o < count; o++) data[i * outWidth + first + o] = Math.round(weight[(first + o) * inWidth + i]! * inverse[o]!) + zero;
    }
  }
  return { data, scales };
}

/** A matrix in blocks of 32 along its rows, laid out as `MatMulNBits` reads it. The last block of a row is padded with zeros. */
export interface QuantizedBlocks {
  /** uint8 [out, blocks, 32 · bits / 8]; of two 4-bit numbers the first is in the low half. */
  readonly data: Uint8Array;
  /** float32 [out · blocks] */
  readonly scales: Float32Array;
  /** uint8 [out · ⌈blocks · bits / 8⌉]: absent for 8 bits, whose zero is 128. */
  readonly zeroPoints?: Uint8Array;
}

/**
 * 8 bits symmetric; 4 bits between the block's least and greatest value, of several clippings the one with the least square error.
 * @param weight float32 [out, in]
 */
export function quantizeBlocks(weight: Float32Array, outWidth: number, inWidth: number, bits: 8 | 4): QuantizedBlocks {
  return bits === 8 ? blocks8(weight, outWidth, inWidth) : blocks4(weight, outWidth, inWidth);
}

function blocks8(weight: Float32Array, outWidth: number, inWidth: number): QuantizedBlocks {
  const blocks = Math.ceil(inWidth / blockSize);
  const data = new Uint8Array(outWidth * blocks * blockSize).fill(128);
  const scales = new Float32Array(outWidth * blocks);
  for (let o = 0; o < outWidth; o++) {
    for (let b = 0; b < blocks; b++) {
      const start = o * inWidth + b * blockSize;
      const count = Math.min(blockSize, inWidth - b * blockSize);
      let most = 0;
      for (let i = start; i < start + count; i++) most = Math.max(most, Math.abs(weight[i]!));
      scales[o * blocks + b] = most / 127;
      if (most === 0) continue;
      const at = (o * blocks + b) * blockSize;
      const inverse = 127 / most;
      for (let i = 0; i < count; i++) data[at + i] = Math.round(weight[start + i]! * inverse) + 128;
    }
  }
  return { data, scales };
}

/** Parts of a 4-bit block's range that are tried: the best one gives up a little at the ends for finer steps. */
const clippings = [1, 0.94, 0.88, 0.82, 0.76];

function blocks4(weight: Float32Array, outWidth: number, inWidth: number): QuantizedBlocks {
  const blocks = Math.ceil(inWidth / blockSize);
  const data = new Uint8Array((outWidth * blocks * blockSize) / 2);
  const scales = new Float32Array(outWidth * blocks);
  const zeroBytes = Math.ceil(blocks / 2);
  const zeroPoints = new Uint8Array(outWidth * zeroBytes);
  const block = new Float64Array(blockSize);
  for (let o = 0; o < outWidth; o++) {
    for (let b = 0; b < blocks; b++) {
      const start = o * inWidth + b * blockSize;
      const count = Math.min(blockSize, inWidth - b * blockSize);
      for (let i = 0; i < blockSize; i++) block[i] = i < count ? weight[start + i]! : 0;
      const { scale, zero } = fit4(block);
      scales[o * blocks + b] = scale;
      zeroPoints[o * zeroBytes + (b >> 1)]! |= zero << (4 * (b & 1));
      const at = ((o * blocks + b) * blockSize) / 2;
      for (let i = 0; i < blockSize; i++) data[at + (i >> 1)]! |= level4(block[i]!, scale, zero) << (4 * (i & 1));
    }
  }
  return { data, scales, zeroPoints };
}

function level4(value: number, scale: number, zero: number): number {
  return scale === 0 ? zero : Math.min(15, Math.max(0, Math.round(value / scale) + zero));
}

function fit4(block: Float64Array): { readonly scale: number; readonly zero: number } {
  let [low, high] = [0, 0];
  for (const value of block) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) return { scale: 0, zero: 8 };
  let best = { scale: 0, zero: 8 };
  let least = Infinity;
  for (const part of clippings) {
    const scale = Math.fround((part * (high - low)) / 15);
    const zero = Math.min(15, Math.max(0, Math.round((-part * low) / scale)));
    let error = 0;
    for (let i = 0; i < blockSize; i++) {
      const value = block[i]!;
      const miss = value - (level4(value, scale, zero) - zero) * scale;
      error += miss * miss;
    }
    if (error < least) [least, best] = [error, { scale, zero }];
  }
  return best;
}
