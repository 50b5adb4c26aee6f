// The vision side of the training graph: patches of many frames to visual tokens, as Idefics3 computes them.
import { blockAttention } from '../graph/attention.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { add, cast, gelu, gemm, layerNorm, mul, reshape, sub, transpose } from '../graph/ops.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmNames, vlmSizes } from './vlm-config.ts';

type Weight = (name: string) => Value;

/** `x @ weightᵀ + bias` on float32 [rows, in]. */
export function dense(x: Value, weight: Weight, name: string, bias: 'bias' | 'no bias'): Value {
  return gemm(x, weight(`${name}.weight`), bias === 'bias' ? weight(`${name}.bias`) : undefined, { transB: true });
}

/**
 * @param patches uint8 [frames · patches, 3 · patch · patch]: channel by channel, rows from the top (the order of a convolution's weights)
 * @returns float32 [frames · tokensPerFrame, text width]
 */
export function visionTokens(graph: Graph, weight: Weight, config: VlmConfig, patches: Value, frames: number): Value {
  const { vision, scale } = config;
  const sizes = vlmSizes(config);
  const [rows, width] = [frames * sizes.patches, vision.width];
  // Mean and deviation 0.5, as the family's image processor has them.
  const pixels = sub(mul(cast(patches, 'float32'), graph.scalar(2 / 255)), graph.scalar(1));
  const kernel = reshape(weight(`${vlmNames.patch}.weight`), [width, sizes.patchValues]);
  const embedded = gemm(pixels, kernel, weight(`${vlmNames.patch}.bias`), { transB: true });
  let x = reshape(add(reshape(embedded, [frames, sizes.patches, width]), weight(vlmNames.patchPositions)), [rows, width]);
  for (let i = 0; i < vision.layers; i++) {
    const layer = vlmNames.visionLayer(i);
    const norm = (y: Value, name: string) => layerNorm(y, weight(`${layer}.${name}.weight`), weight(`${layer}.${name}.bias`), vision.normEpsilon);
    const normed = norm(x, 'layer_norm1');
    const heads = (name: string) => transpose(reshape(dense(normed, weight, `${layer}.self_attn.${name}`, 'bias'), [frames, sizes.patches, vision.heads, width / vision.heads]), [0, 2, 1, 3]);
    const seen = blockAttention(heads('q_proj'), [{ key: heads('k_proj'), value: heads('v_proj') }], 1 / Math.sqrt(width / vision.heads));
    x = add(x, dense(reshape(transpose(seen, [0, 2, 1, 3]), [rows, width]), weight, `${layer}.self_attn.out_proj`, 'bias'));
    const inner = gelu(dense(norm(x, 'layer_norm2'), weight, `${layer}.mlp.fc1`, 'bias'), 'tanh');
    x = add(x, dense(inner, weight, `${layer}.mlp.fc2`, 'bias'));
  }
  const encoded = layerNorm(x, weight(`${vlmNames.visionNorm}.weight`), weight(`${vlmNames.visionNorm}.bias`), vision.normEpsilon);
  // Pixel shuffle: the patches of a scale × scale square side by side, row by row.
  const { tokenColumns } = sizes;
  const squares = transpose(reshape(encoded, [frames, tokenColumns, scale, tokenColumns, scale * width]), [0, 1, 3, 2, 4]);
  return gemm(reshape(squares, [frames * sizes.tokensPerFrame, scale * scale * width]), weight(vlmNames.projection), undefined, { transB: true });
}
