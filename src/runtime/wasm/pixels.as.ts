// The pixel kernels, in AssemblyScript: weighted sums of byte rows, transposes, patches. `npm run build:wasm` compiles it.

/*
 * The caller lays out the memory; nothing is allocated here. `weigh` and `transpose` read and write rows of bytes in whole vectors of 16,
 * so up to 15 bytes behind a row are touched.
 *
 * A table of `outputs` weighted sums is
 *   int32 [outputs, 2]            number of the first row, number of pairs of rows
 *   int16 [outputs, stride, 2, 2] per pair of rows the upper digits of the two weights, then their lower digits;
 * a weight (units of 2⁻²²) is upper · 2¹² + lower. An odd count is filled up with a weight of 0, whose row is read all the same.
 *
 * `i32x4.dot_i16x8_s` multiplies two rows at once but takes 16 bits, hence the digits. Products and sums are exact in 32 bits, so their order is
 * free and the result is that of the plain sum of 32-bit products.
 */

/** Bytes of a row that are taken through all outputs before the next: the rows under the filter then stay in the first-level cache. */
const blockBytes: usize = 1024;

/**
 * Outputs `begin` … `end` − 1 of the table, each a weighted sum of rows.
 * @param source row number `base` of the table's inputs
 * @param stride bytes from row to row of the source
 * @param bytes of a row, rounded up to 16 by the caller
 * @param target output `begin`
 * @param outputs of the whole table
 * @param pairStride pairs reserved per output
 */
export function weigh(source: usize, stride: usize, base: i32, bytes: usize, target: usize, targetStride: usize, table: usize, outputs: i32, pairStride: i32, begin: i32, end: i32): void {
  const weights = table + (<usize>outputs << 3);
  for (let block: usize = 0; block < bytes; block += blockBytes) {
    const blockEnd = min(block + blockBytes, bytes);
    let to = target;
    for (let output = begin; output < end; output++) {
      const entry = table + (<usize>output << 3);
      const first = source + <usize>(load<i32>(entry) - base) * stride;
      const weightsBegin = weights + <usize>(output * pairStride) * 8;
      const weightsEnd = weightsBegin + <usize>load<i32>(entry, 4) * 8;
      for (let x = block; x < blockEnd; x += 16) {
        let row = first + x;
        let upper0 = i32x4.splat(0);
        let upper1 = i32x4.splat(0);
        let upper2 = i32x4.splat(0);
        let upper3 = i32x4.splat(0);
        let lower0 = i32x4.splat(1 << 21);
        let lower1 = i32x4.splat(1 << 21);
        let lower2 = i32x4.splat(1 << 21);
        let lower3 = i32x4.splat(1 << 21);
        for (let at = weightsBegin; at < weightsEnd; at += 8) {
          const a = v128.load(row);
          const b = v128.load(row + stride);
          const upper = v128.load32_splat(at);
          const lower = v128.load32_splat(at, 4);
          const low = v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
          const high = v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
          const pixels0 = i16x8.extend_low_i8x16_u(low);
          const pixels1 = i16x8.extend_high_i8x16_u(low);
          const pixels2 = i16x8.extend_low_i8x16_u(high);
          const pixels3 = i16x8.extend_high_i8x16_u(high);
          upper0 = i32x4.add(upper0, i32x4.dot_i16x8_s(pixels0, upper));
          lower0 = i32x4.add(lower0, i32x4.dot_i16x8_s(pixels0, lower));
          upper1 = i32x4.add(upper1, i32x4.dot_i16x8_s(pixels1, upper));
          lower1 = i32x4.add(lower1, i32x4.dot_i16x8_s(pixels1, lower));
          upper2 = i32x4.add(upper2, i32x4.dot_i16x8_s(pixels2, upper));
          lower2 = i32x4.add(lower2, i32x4.dot_i16x8_s(pixels2, lower));
          upper3 = i32x4.add(upper3, i32x4.dot_i16x8_s(pixels3, upper));
          lower3 = i32x4.add(lower3, i32x4.dot_i16x8_s(pixels3, lower));
          row += stride * 2;
        }
        // Narrowing saturates, which is the clamp to 0 … 255.
        v128.store(
          to + x,
          i8x16.narrow_i16x8_u(
            i16x8.narrow_i32x4_s(whole(upper0, lower0), whole(upper1, lower1)),
            i16x8.narrow_i32x4_s(whole(upper2, lower2), whole(upper3, lower3)),
          ),
        );
      }
      to += targetStride;
    }
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function whole(upper: v128, lower: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.shl(upper, 12), lower), 22);
}

/**
 * Transposes 16 × 16 bytes, `blocks` times.
 * @param stride bytes from row to row within a block of the source
 * @param step bytes from block to block of the source
 */
export function transpose(source: usize, stride: usize, step: usize, target: usize, targetStride: usize, targetStep: usize, blocks: i32): void {
  for (let block = 0; block < blocks; block++) {
    // Eight rows at a time: 8 × 16 becomes 16 × 8 in four rounds of interleaving rows that are 4 apart.
    for (let half: usize = 0; half < 16; half += 8) {
      let from = source + half * stride;
      const a0 = v128.load(from); from += stride;
      const a1 = v128.load(from); from += stride;
      const a2 = v128.load(from); from += stride;
      const a3 = v128.load(from); from += stride;
      const a4 = v128.load(from); from += stride;
      const a5 = v128.load(from); from += stride;
      const a6 = v128.load(from); from += stride;
      const a7 = v128.load(from);
      const b0 = low8(a0, a4);
      const b1 = high8(a0, a4);
      const b2 = low8(a1, a5);
      const b3 = high8(a1, a5);
      const b4 = low8(a2, a6);
      const b5 = high8(a2, a6);
      const b6 = low8(a3, a7);
      const b7 = high8(a3, a7);
      // Rows 0 4 of columns 0–7 | 8–15 in b0 | b1, rows 1 5 in b2 b3, 2 6 in b4 b5, 3 7 in b6 b7.
      const c0 = low8(b0, b4);
      const c1 = high8(b0, b4);
      const c2 = low8(b1, b5);
      const c3 = high8(b1, b5);
      const d0 = low8(b2, b6);
      const d1 = high8(b2, b6);
      const d2 = low8(b3, b7);
      const d3 = high8(b3, b7);
      // Rows 0 2 4 6 of columns 0–3, 4–7, 8–11, 12–15 in c; rows 1 3 5 7 in d.
      let to = target + half;
      to = store2(to, targetStride, low8(c0, d0));
      to = store2(to, targetStride, high8(c0, d0));
      to = store2(to, targetStride, low8(c1, d1));
      to = store2(to, targetStride, high8(c1, d1));
      to = store2(to, targetStride, low8(c2, d2));
      to = store2(to, targetStride, high8(c2, d2));
      to = store2(to, targetStride, low8(c3, d3));
      store2(to, targetStride, high8(c3, d3));
    }
    source += step;
    target += targetStep;
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function low8(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function high8(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Eight rows of two columns: 8 bytes to each of two rows of the target. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function store2(to: usize, stride: usize, columns: v128): usize {
  v128.store_lane<i64>(to, columns, 0);
  v128.store_lane<i64>(to + stride, columns, 1);
  return to + stride * 2;
}

/**
 * One row of patches: float32 [columns, 3, patch, patch] from `patch` rows of interleaved bytes.
 * @param stride bytes from row to row of the source
 * @param table float32 [3, 256]: what each byte of each channel becomes
 */
export function patches(source: usize, stride: usize, patch: i32, columns: i32, table: usize, target: usize): void {
  const plane = <usize>(patch * patch) << 2;
  for (let row = 0; row < patch; row++) {
    let from = source;
    let to = target;
    for (let column = 0; column < columns; column++) {
      const end = to + (<usize>patch << 2);
      for (let at = to; at < end; at += 4) {
        store<f32>(at, load<f32>(table + (<usize>load<u8>(from) << 2)));
        store<f32>(at + plane, load<f32>(table + (<usize>load<u8>(from, 1) << 2), 1024));
        store<f32>(at + plane * 2, load<f32>(table + (<usize>load<u8>(from, 2) << 2), 2048));
        from += 3;
      }
      to += plane * 3;
    }
    source += stride;
    target += <usize>patch << 2;
  }
}

/**
 * How two rows of patches differ, from `patch` rows of interleaved bytes each.
 * Two numbers a patch: the mean of |a − b|, and the root mean square of a − b averaged over cells of `cell` × `cell` pixels, in which the noise of single
 * pixels cancels out and a thing that moved does not.
 * @param stride bytes from row to row of both pictures, which are read up to 15 bytes behind their ends
 * @param cell divides `patch`; at most 32
 * @param weights float32 [3]: what a step of each channel counts
 * @param scratch 2 · stride int16, and as many bytes behind as make whole vectors
 * @param absolute float32 [columns]
 * @param change float32 [columns]
 */
export function compare(a: usize, b: usize, stride: usize, patch: i32, cell: i32, columns: i32, weights: usize, scratch: usize, absolute: usize, change: usize): void {
  const bytes = <usize>(columns * patch) * 3;
  const magnitudes = scratch + (((bytes + 15) & ~15) << 1);
  const weight0 = load<f32>(weights);
  const weight1 = load<f32>(weights, 4);
  const weight2 = load<f32>(weights, 8);
  for (let column = 0; column < columns; column++) {
    store<f32>(absolute + (<usize>column << 2), 0);
    store<f32>(change + (<usize>column << 2), 0);
  }
  for (let band = 0; band < patch; band += cell) {
    sumColumns(a, b, stride, cell, bytes, scratch, magnitudes);
    a += stride * cell;
    b += stride * cell;
    let signed = scratch;
    let magnitude = magnitudes;
    for (let column = 0; column < columns; column++) {
      let square: f32 = 0;
      let total0 = 0;
      let total1 = 0;
      let total2 = 0;
      for (let from = 0; from < patch; from += cell) {
        let sum0 = 0;
        let sum1 = 0;
        let sum2 = 0;
        for (let x = 0; x < cell; x++) {
          sum0 += load<i16>(signed);
          sum1 += load<i16>(signed, 2);
          sum2 += load<i16>(signed, 4);
          total0 += load<i16>(magnitude);
          total1 += load<i16>(magnitude, 2);
          total2 += load<i16>(magnitude, 4);
          signed += 6;
          magnitude += 6;
        }
        const mean0 = <f32>sum0 * weight0;
        const mean1 = <f32>sum1 * weight1;
        const mean2 = <f32>sum2 * weight2;
        square += mean0 * mean0 + mean1 * mean1 + mean2 * mean2;
      }
      const at = <usize>column << 2;
      store<f32>(absolute + at, load<f32>(absolute + at) + <f32>total0 * weight0 + <f32>total1 * weight1 + <f32>total2 * weight2);
      store<f32>(change + at, load<f32>(change + at) + square);
    }
  }
  const across: i32 = patch / cell;
  const pixelCount: i32 = 3 * patch * patch;
  const cellCount: i32 = 3 * across * across;
  const cellArea: i32 = cell * cell;
  const pixels = <f32>pixelCount;
  const cells = <f32>cellCount;
  const cellPixels = <f32>cellArea;
  for (let at: usize = 0; at < <usize>columns << 2; at += 4) {
    store<f32>(absolute + at, load<f32>(absolute + at) / pixels);
    store<f32>(change + at, sqrt(load<f32>(change + at) / cells) / cellPixels);
  }
}

/** Sums over `rows` rows of a − b and of |a − b|, for each byte of a row: int16 each. */
function sumColumns(a: usize, b: usize, stride: usize, rows: i32, bytes: usize, signed: usize, magnitude: usize): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    let low = i16x8.splat(0);
    let high = i16x8.splat(0);
    let lowMagnitude = i16x8.splat(0);
    let highMagnitude = i16x8.splat(0);
    let from = x;
    for (let row = 0; row < rows; row++) {
      const left = v128.load(a + from);
      const right = v128.load(b + from);
      // One of the two is 0, the other the distance.
      const more = i8x16.sub_sat_u(left, right);
      const less = i8x16.sub_sat_u(right, left);
      const moreLow = i16x8.extend_low_i8x16_u(more);
      const lessLow = i16x8.extend_low_i8x16_u(less);
      const moreHigh = i16x8.extend_high_i8x16_u(more);
      const lessHigh = i16x8.extend_high_i8x16_u(less);
      low = i16x8.add(low, i16x8.sub(moreLow, lessLow));
      high = i16x8.add(high, i16x8.sub(moreHigh, lessHigh));
      lowMagnitude = i16x8.add(lowMagnitude, i16x8.add(moreLow, lessLow));
      highMagnitude = i16x8.add(highMagnitude, i16x8.add(moreHigh, lessHigh));
      from += stride;
    }
    v128.store(signed + (x << 1), low);
    v128.store(signed + (x << 1), high, 16);
    v128.store(magnitude + (x << 1), lowMagnitude);
    v128.store(magnitude + (x << 1), highMagnitude, 16);
  }
}
