// The decoder of the training graph: each clip's video is a prefix that is computed once, and many threads of questions stand behind it side by side.
import { blockAttention } from '../graph/attention.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { add, cast, concat, gather, greater, less, mul, reshape, rmsNorm, silu, slice, sub, transpose, equal } from '../graph/ops.ts';
import { fusedMatmul, rotaryEmbedding } from '../graph/ops-fused.ts';
import { dense } from './vision-graph.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmNames, vlmSizes } from './vlm-config.ts';

/** Sizes of one batch; every batch of a variant has them. */
export interface BatchShape {
  /** B */
  readonly clips: number;
  /** F: frames of a clip. */
  readonly frames: number;
  /** P: tokens of a clip's prefix: text and visual tokens of its frames. */
  readonly prefix: number;
  /** N: threads of a clip. */
  readonly threads: number;
  /** T: tokens of a thread. */
  readonly threadLength: number;
  /** A: answer tokens of the batch that are learned. */
  readonly answers: number;
  /** Q: questions of a clip that are taught where their answers are to be seen, at most. Default 0. */
  readonly pointers?: number;
}

export interface DecoderInputs {
  /** float32 [B · P, E] */
  readonly prefix: Value;
  /** float32 [B · N · T, E] */
  readonly threads: Value;
  /** int64 [B, P] */
  readonly prefixPositions: Value;
  /** int64 [B, N · T] */
  readonly threadPositions: Value;
  /** int64 [B, N, T]: how many tokens of the prefix, from its start, the token sees. */
  readonly visible: Value;
  /** int64 [B, N, T]: tokens of a thread see earlier ones of the same number only; padding has −1. */
  readonly segments: Value;
}

/** A query head whose attention may be taught. */
export interface AttentionHead {
  readonly layer: number;
  readonly head: number;
}

export interface Decoded {
  /** float32 [B · N · T, E]: the threads after the last norm. */
  readonly hidden: Value;
  /** float32 [B, Q, P] for each head asked for: scaled scores of the rows asked for over the prefix, before any mask. */
  readonly scores: readonly Value[];
}

/** Scores of what must not be seen: e^−10000 is 0 in float32, and a row with nothing to see stays finite. */
const hidden = -1e4;
/** Rows of the prefix whose causal attention is computed together: short blocks skip more of what lies in the future, long ones fill the kernels. */
const causalRows = 192;

/** @param watched heads whose scores are wanted, at rows int64 [B, Q] among the B · N · T thread tokens */
export function decode(graph: Graph, weight: (name: string) => Value, config: VlmConfig, shape: BatchShape, inputs: DecoderInputs, watched?: { readonly heads: readonly AttentionHead[]; readonly rows: Value }): Decoded {
  const { text } = config;
  const { headWidth, groups } = vlmSizes(config);
  const { clips: B, prefix: P, threads: N, threadLength: T } = shape;
  const [H, E, D] = [text.kvHeads, text.width, headWidth];
  const scale = 1 / Math.sqrt(D);
  const rotate = rotation(graph, config);
  // The rotary kernel takes no sequence longer than its tables: each thread is one of its own.
  const threadPositions = reshape(inputs.threadPositions, [B * N, T]);
  const masks = { causal: causalMasks(graph, P), prefix: prefixMask(graph, inputs.visible, shape), own: ownMask(graph, inputs.segments, shape) };
  let prefix = inputs.prefix;
  let threads = inputs.threads;
  const scores: Value[] = [];
  for (let i = 0; i < text.layers; i++) {
    const layer = vlmNames.textLayer(i);
    const isLast = i === text.layers - 1;
    const norm = (x: Value, name: string) => rmsNorm(x, weight(`${layer}.${name}.weight`), text.normEpsilon);
    const project = (x: Value, name: string) => dense(x, weight, `${layer}.self_attn.${name}_proj`, 'no bias');
    const prefixIn = norm(prefix, 'input_layernorm');
    const threadIn = norm(threads, 'input_layernorm');
    const turned = (x: Value, positions: Value, heads: number) => rotate(reshape(x, [...(positions.shape as number[]), heads * D]), positions);

    const prefixKey = transpose(reshape(turned(project(prefixIn, 'k'), inputs.prefixPositions, H), [B, P, H, D]), [0, 2, 1, 3]);
    const prefixValue = transpose(reshape(project(prefixIn, 'v'), [B, P, H, D]), [0, 2, 1, 3]);
    const ownKey = transpose(reshape(turned(project(threadIn, 'k'), threadPositions, H), [B, N, T, H, D]), [0, 3, 1, 2, 4]);
    const ownValue = transpose(reshape(project(threadIn, 'v'), [B, N, T, H, D]), [0, 3, 1, 2, 4]);

    // Query heads that share keys are rows of one product.
    const threadQuery = turned(project(threadIn, 'q'), threadPositions, H * groups);
    const query = transpose(reshape(threadQuery, [B, N, T, H, groups, D]), [0, 3, 1, 4, 2, 5]);
    for (const { head } of watched?.heads.filter((some) => some.layer === i) ?? []) {
      const rows = slice(gather(reshape(threadQuery, [B * N * T, E]), watched!.rows), 2, head * D, (head + 1) * D);
      const keys = slice(prefixKey, 1, Math.floor(head / groups), Math.floor(head / groups) + 1);
      scores.push(fusedMatmul(rows, reshape(keys, [B, P, D]), { transB: true, alpha: scale }));
    }
    const seen = blockAttention(
      reshape(query, [B, H, N * groups * T, D]),
      [
        { key: prefixKey, value: prefixValue, bias: masks.prefix, biasShape: [B, H, N, groups, T, P] },
        { queryShape: [B, H, N, groups * T, D], key: ownKey, value: ownValue, bias: masks.own, biasShape: [B, H, N, groups, T, T] },
      ],
      scale,
    );
    const threadOut = reshape(transpose(reshape(seen, [B, H, N, groups, T, D]), [0, 2, 4, 1, 3, 5]), [B * N * T, E]);
    const output = (x: Value, attended: Value) => {
      const y = add(x, project(attended, 'o'));
      const normed = norm(y, 'post_attention_layernorm');
      const mlp = (name: string, z: Value) => dense(z, weight, `${layer}.mlp.${name}_proj`, 'no bias');
      return add(y, mlp('down', mul(silu(mlp('gate', normed)), mlp('up', normed))));
    };
    if (!isLast) {
      // Nobody reads the prefix after the last layer's keys and values.
      const own = transpose(reshape(turned(project(prefixIn, 'q'), inputs.prefixPositions, H * groups), [B, P, H, groups, D]), [0, 2, 3, 1, 4]);
      const parts = masks.causal.map(({ start, end, bias }) => {
        const rows = reshape(slice4(own, 3, start, end), [B, H, groups * (end - start), D]);
        const part = blockAttention(rows, [{ key: slice4(prefixKey, 2, 0, end), value: slice4(prefixValue, 2, 0, end), bias, biasShape: [B, H, groups, end - start, end] }], scale);
        return reshape(part, [B, H, groups, end - start, D]);
      });
      const joined = parts.length === 1 ? parts[0]! : concat(parts, 3);
      prefix = output(prefix, reshape(transpose(joined, [0, 3, 1, 2, 4]), [B * P, E]));
    }
    threads = output(threads, threadOut);
  }
  return { hidden: rmsNorm(threads, weight(vlmNames.textNorm), text.normEpsilon), scores };
}

const slice4 = (x: Value, axis: number, start: number, end: number) => (start === 0 && end === x.shape[axis] ? x : slice(x, axis, start, end));

/** Rotary embedding with its tables as constants. */
function rotation(graph: Graph, config: VlmConfig) {
  const { contextLength, ropeTheta } = config.text;
  const half = vlmSizes(config).headWidth / 2;
  const angles = Array.from({ length: contextLength * half }, (_, i) => Math.floor(i / half) * ropeTheta ** (-(i % half) / half));
  const cos = graph.constant(Float32Array.from(angles, Math.cos), 'float32', [contextLength, half], 'rotary cos');
  const sin = graph.constant(Float32Array.from(angles, Math.sin), 'float32', [contextLength, half], 'rotary sin');
  return (x: Value, positions: Value) => rotaryEmbedding(x, positions, cos, sin);
}

/** Blocks of rows of the prefix, each with the mask over the keys up to its end. */
function causalMasks(graph: Graph, length: number) {
  const blocks = Math.max(1, Math.round(length / causalRows));
  return Array.from({ length: blocks }, (_, block) => {
    const [start, end] = [Math.round((block * length) / blocks), Math.round(((block + 1) * length) / blocks)];
    const mask = new Float32Array((end - start) * end);
    for (let row = start; row < end; row++) mask.fill(hidden, (row - start) * end + row + 1, (row - start + 1) * end);
    return { start, end, bias: graph.constant(mask, 'float32', [end - start, end], `causal ${block}`) };
  });
}

const penalty = (graph: Graph, isHidden: Value) => mul(cast(isHidden, 'float32'), graph.scalar(hidden));
const counting = (graph: Graph, length: number) => graph.constant(BigInt64Array.from({ length }, (_, i) => BigInt(i)), 'int64', [length]);

/** float32 [B, 1, N, 1, T, P] */
function prefixMask(graph: Graph, visible: Value, { clips, prefix, threads, threadLength }: BatchShape): Value {
  const isHidden = greater(add(counting(graph, prefix), graph.scalar(1, 'int64')), reshape(visible, [clips, 1, threads, 1, threadLength, 1]));
  return penalty(graph, isHidden);
}

/** float32 [B, 1, N, 1, T, T] */
function ownMask(graph: Graph, segments: Value, { clips, threads, threadLength }: BatchShape): Value {
  const same = cast(equal(reshape(segments, [clips, 1, threads, 1, threadLength, 1]), reshape(segments, [clips, 1, threads, 1, 1, threadLength])), 'float32');
  const past = cast(less(counting(graph, threadLength), add(reshape(counting(graph, threadLength), [threadLength, 1]), graph.scalar(1, 'int64'))), 'float32');
  return mul(sub(graph.scalar(1), mul(same, past)), graph.scalar(hidden));
}
