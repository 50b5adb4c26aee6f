// Pooling as a segmented scan: the running states of Dynamic Memory Compression (arXiv 2403.09636) for a whole chunk at once.

/** The state that a chunk continues: the last slot of the head. Absent for an empty head. */
export interface OpenSlot {
  /** float32 [D]: weighted mean of keys before the rotary embedding. */
  readonly key: Float32Array;
  /** float32 [D]: weighted mean of values. */
  readonly value: Float32Array;
  /** Sum of importances. */
  readonly weight: number;
  readonly tokens: number;
}

/** float32 tokens of one head in a wider array: token t at [offset + t · stride, … + D). */
export interface Strided {
  readonly data: Float32Array;
  readonly offset: number;
  readonly stride: number;
}

export interface RunningStates {
  /** float32 [T, D]: before the rotary embedding. */
  readonly keys: Float32Array;
  /** float32 [T, D]. */
  readonly values: Float32Array;
  /** float32 [T]: sums of importances. */
  readonly weight: Float32Array;
  /** float32 [T]: tokens in the state. */
  readonly tokens: Float32Array;
}

/**
 * `x_i = x_{i−1}·b_i + kv_i·ω_i`, `c_i = c_{i−1}·b_i + ω_i`, state `x_i / c_i`. The sums are kept in double precision.
 * @param merge uint8 [T]: 1 where token t joins the state before it; without an open slot the first entry is taken as 0
 * @param weight float32 [T]: importances ω above 0
 * @param counts float32 [T]: tokens that each token stands for
 */
export function segmentedScan(keys: Strided, values: Strided, merge: Uint8Array, weight: Float32Array, counts: Float32Array, headWidth: number, open: OpenSlot | undefined, into: RunningStates): void {
  const keySum = new Float64Array(headWidth);
  const valueSum = new Float64Array(headWidth);
  let weightSum = 0;
  let tokens = 0;
  if (open) {
    weightSum = open.weight;
    tokens = open.tokens;
    for (let d = 0; d < headWidth; d++) {
      keySum[d] = open.key[d]! * weightSum;
      valueSum[d] = open.value[d]! * weightSum;
    }
  }
  for (let t = 0; t < merge.length; t++) {
    const omega = weight[t]!;
    if (merge[t] === 0 || weightSum === 0) {
      keySum.fill(0);
      valueSum.fill(0);
      weightSum = 0;
      tokens = 0;
    }
    weightSum += omega;
    tokens += counts[t]!;
    for (let d = 0; d < headWidth; d++) {
      keySum[d] = keySum[d]! + keys.data[keys.offset + t * keys.stride + d]! * omega;
      valueSum[d] = valueSum[d]! + values.data[values.offset + t * values.stride + d]! * omega;
      into.keys[t * headWidth + d] = keySum[d]! / weightSum;
      into.values[t * headWidth + d] = valueSum[d]! / weightSum;
    }
    into.weight[t] = weightSum;
    into.tokens[t] = tokens;
  }
}
