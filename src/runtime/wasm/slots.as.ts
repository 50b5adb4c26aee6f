// The slot kernel, in AssemblyScript: 8-bit keys and values become float32, keys turned to their positions. `npm run build:wasm` compiles it.

/*
 * The caller lays out the memory; nothing is allocated here. A row of the rotation table is float32 [D]: cosines of a position, then sines.
 * Channels i and i + D/2 turn together (`pairs` 0), or 2i and 2i + 1 (`pairs` 1).
 */

// @ts-ignore: decorator
@inline
function four(bytes: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(bytes), scale);
}

/**
 * @param keys int8 [count, width], before the rotary embedding
 * @param scales float32 [count, 2]: of the key, of the value
 * @param rows uint32 [count]: address of each slot's row of the rotation table
 * @param values int8 [count, width]
 * @param keysTo float32 [count, width]
 * @param valuesTo float32 [count, width]
 */
export function expand(keys: usize, scales: usize, rows: usize, values: usize, count: i32, width: i32, pairs: i32, keysTo: usize, valuesTo: usize): void {
  const half = width >> 1;
  const halfBytes = <usize>half << 2;
  const widthBytes = <usize>width << 2;
  for (let slot = 0; slot < count; slot++) {
    const keyScale = load<f32>(scales);
    const valueScale = load<f32>(scales, 4);
    const cosines = <usize>load<u32>(rows);
    const sines = cosines + halfBytes;
    let i = 0;
    if (pairs == 0) {
      const scale = f32x4.splat(keyScale);
      for (; i + 8 <= half; i += 8) {
        const a = v128.load_ext<i8>(keys + i);
        const b = v128.load_ext<i8>(keys + half + i);
        const at = <usize>i << 2;
        let x = four(i32x4.extend_low_i16x8_s(a), scale);
        let y = four(i32x4.extend_low_i16x8_s(b), scale);
        let c = v128.load(cosines + at);
        let s = v128.load(sines + at);
        v128.store(keysTo + at, f32x4.sub(f32x4.mul(x, c), f32x4.mul(y, s)));
        v128.store(keysTo + halfBytes + at, f32x4.add(f32x4.mul(x, s), f32x4.mul(y, c)));
        x = four(i32x4.extend_high_i16x8_s(a), scale);
        y = four(i32x4.extend_high_i16x8_s(b), scale);
        c = v128.load(cosines + at, 16);
        s = v128.load(sines + at, 16);
        v128.store(keysTo + at, f32x4.sub(f32x4.mul(x, c), f32x4.mul(y, s)), 16);
        v128.store(keysTo + halfBytes + at, f32x4.add(f32x4.mul(x, s), f32x4.mul(y, c)), 16);
      }
    }
    const step = pairs == 0 ? 1 : 2;
    const apart = pairs == 0 ? half : 1;
    for (; i < half; i++) {
      const first = i * step;
      const x = <f32>load<i8>(keys + first) * keyScale;
      const y = <f32>load<i8>(keys + first + apart) * keyScale;
      const c = load<f32>(cosines + (<usize>i << 2));
      const s = load<f32>(sines + (<usize>i << 2));
      store<f32>(keysTo + (<usize>first << 2), x * c - y * s);
      store<f32>(keysTo + (<usize>(first + apart) << 2), x * s + y * c);
    }
    const scale = f32x4.splat(valueScale);
    let d = 0;
    for (; d + 8 <= width; d += 8) {
      const bytes = v128.load_ext<i8>(values + d);
      const at = valuesTo + (<usize>d << 2);
      v128.store(at, four(i32x4.extend_low_i16x8_s(bytes), scale));
      v128.store(at, four(i32x4.extend_high_i16x8_s(bytes), scale), 16);
    }
    for (; d < width; d++) store<f32>(valuesTo + (<usize>d << 2), <f32>load<i8>(values + d) * valueScale);
    keys += width;
    values += width;
    scales += 8;
    rows += 4;
    keysTo += widthBytes;
    valuesTo += widthBytes;
  }
}
