// Causal attention with rotary positions in plain loops: short calibration sequences need no more, and no graph.
import type { DecoderSpec } from '../contract.ts';

/**
 * @param query float32 [T, Q · D], before the rotary embedding
 * @param key float32 [T, H · D], before the rotary embedding
 * @param value float32 [T, H · D]
 * @returns float32 [T, Q · D]
 */
export function causalAttention(spec: DecoderSpec, query: Float32Array, key: Float32Array, value: Float32Array): Float32Array {
  const { queryHeads, kvHeads, headWidth } = spec;
  const tokens = query.length / (queryHeads * headWidth);
  const q = rotated(query, spec, queryHeads);
  const k = rotated(key, spec, kvHeads);
  const mixed = new Float32Array(query.length);
  const scores = new Float64Array(tokens);
  for (let head = 0; head < queryHeads; head++) {
    const kvHead = Math.floor(head / (queryHeads / kvHeads));
    for (let t = 0; t < tokens; t++) {
      const at = (t * queryHeads + head) * headWidth;
      let most = -Infinity;
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + kvHead) * headWidth;
        let dot = 0;
        for (let d = 0; d < headWidth; d++) dot += q[at + d]! * k[from + d]!;
        scores[s] = dot / Math.sqrt(headWidth);
        most = Math.max(most, scores[s]!);
      }
      let sum = 0;
      for (let s = 0; s <= t; s++) sum += scores[s] = Math.exp(scores[s]! - most);
      for (let s = 0; s <= t; s++) {
        const share = scores[s]! / sum;
        const from = (s * kvHeads + kvHead) * headWidth;
        for (let d = 0; d < headWidth; d++) mixed[at + d]! += share * value[from + d]!;
      }
    }
  }
  return mixed;
}

/** Rotary embedding (arXiv 2104.09864) at positions 0, 1, 2, … */
function rotated(x: Float32Array, { headWidth, ropeTheta, ropeLayout }: DecoderSpec, heads: number): Float32Array {
  const result = new Float32Array(x.length);
  const half = headWidth / 2;
  const [step, apart] = ropeLayout === 'halves' ? [1, half] : [2, 1];
  for (let t = 0; t < x.length / (heads * headWidth); t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * ropeTheta ** (-i / half);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let head = 0; head < heads; head++) {
        const first = (t * heads + head) * headWidth + i * step;
        const second = first + apart;
        result[first] = x[first]! * cos - x[second]! * sin;
        result[second] = x[second]! * cos + x[first]! * sin;
      }
    }
  }
  return result;
}
