// Operations of ONNX Runtime's own set (`com.microsoft`) that do the work of several standard ones, each with the shape of its result.
import type { Shape, Value } from './graph.ts';
import { float, int, single } from './ops.ts';
import { matmulShape } from './shape.ts';

export interface FusedMatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

const swapped = (shape: Shape): Shape => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];

/** `alpha · op(a) @ op(b)` on batches of matrices; `op` transposes the last two dimensions, and no transposed copy is made. */
export function fusedMatmul(a: Value, b: Value, { transA = false, transB = false, alpha = 1 }: FusedMatmulOptions = {}): Value {
  const shape = matmulShape(transA ? swapped(a.shape) : a.shape, transB ? swapped(b.shape) : b.shape);
  return single('FusedMatMul', [a, b], shape, { transA: int(Number(transA)), transB: int(Number(transB)), alpha: float(alpha) }, a.dtype, 'com.microsoft');
}

/**
 * Rotary position embedding (arXiv 2104.09864), channels `i` and `i + D/2` turning together (the Hugging Face layout).
 * @param x float32 [B, T, heads · D]
 * @param positions int64 [B, T]
 * @param cos float32 [positions, D/2]
 * @param sin float32 [positions, D/2]
 */
export function rotaryEmbedding(x: Value, positions: Value, cos: Value, sin: Value): Value {
  return single('RotaryEmbedding', [x, positions, cos, sin], x.shape, { interleaved: int(0) }, x.dtype, 'com.microsoft');
}

/**
 * A residual sum and its root-mean-square normalisation over the last axis.
 * @param x float32 [T, E]
 * @param added float32 [T, E]
 * @param scale float32 [E]
 */
export function addRmsNorm(x: Value, added: Value, scale: Value, epsilon: number): { readonly sum: Value; readonly normed: Value } {
  const like = { dtype: x.dtype, shape: x.shape };
  // The second and third outputs are statistics that only training asks for.
  const [normed, , , sum] = x.graph.node('SkipSimplifiedLayerNormalization', [x, added, scale], [like, like, like, like], { attributes: { epsilon: float(epsilon) }, domain: 'com.microsoft' });
  return { sum: sum!, normed: normed! };
}
