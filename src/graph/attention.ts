// Attention over several blocks of keys under one softmax, with a gradient of its own that touches the scores as few times as possible.
import { unbroadcast } from './gradient-elementwise.ts';
import { withGradient } from './gradient.ts';
import type { Value } from './graph.ts';
import { add, concat, mul, reduceSum, reshape, softmax, split, sub } from './ops.ts';
import { fusedMatmul } from './ops-fused.ts';
import { staticShape } from './shape.ts';

/** Keys that the queries may see. */
export interface AttentionBlock {
  /** The queries' shape for this block's products, [..., M', D], when keys and queries are batched otherwise: same rows in the same order. */
  readonly queryShape?: readonly number[];
  /** float32 [..., S, D] */
  readonly key: Value;
  /** float32 [..., S, D] */
  readonly value: Value;
  /** float32, broadcast to `biasShape` and added to the scaled scores (a mask holds a large negative number). */
  readonly bias?: Value;
  /** The scores' shape [..., S] while the bias is added, when it has other axes than [..., M', S]. */
  readonly biasShape?: readonly number[];
}

const rowsOf = (shape: readonly number[]) => shape.slice(0, -1).reduce((product, size) => product * size, 1);

/**
 * `softmax(scale · [q k₁ᵀ + bias₁, q k₂ᵀ + bias₂, …]) · [v₁; v₂; …]`: each row normalised over the keys of all blocks together.
 * Heads that share keys are rows of one block (query [B, H, G·T, D], key [B, H, S, D]).
 * @param query float32 [..., M, D]
 * @returns float32 [..., M, D]
 */
export function blockAttention(query: Value, blocks: readonly AttentionBlock[], scale: number): Value {
  const shape = staticShape(query.shape, 'attention');
  const arranged = (x: Value, { queryShape }: AttentionBlock) => (queryShape ? reshape(x, queryShape) : x);
  const scores = blocks.map((block) => {
    const raw = fusedMatmul(arranged(query, block), block.key, { transB: true, alpha: scale });
    if (!block.bias) return raw;
    return block.biasShape ? reshape(add(reshape(raw, block.biasShape), block.bias), staticShape(raw.shape, 'attention')) : add(raw, block.bias);
  });
  const probabilities = jointSoftmax(scores);
  const shares = blocks.map((block, i) => reshape(fusedMatmul(probabilities[i]!, block.value), shape));
  const output = shares.reduce(add);
  const biases = blocks.flatMap(({ bias }) => (bias ? [bias] : []));
  const inputs = [query, ...blocks.flatMap(({ key, value }) => [key, value]), ...biases];
  return withGradient(output, inputs, (gradient, wanted) => {
    // Σ_j P_ij·dP_ij equals dO_i·O_i: a sum over D channels in place of one over S keys.
    const rowSum = reduceSum(mul(gradient, output), [-1]);
    const parts = blocks.map((block, i) => {
      const [down, q] = [arranged(gradient, block), arranged(query, block)];
      const sums = reshape(rowSum, [...staticShape(down.shape, 'attention').slice(0, -1), 1]);
      const score = mul(probabilities[i]!, sub(fusedMatmul(down, block.value, { transB: true }), sums));
      return {
        query: reshape(fusedMatmul(score, block.key, { alpha: scale }), shape),
        key: fusedMatmul(score, q, { transA: true, alpha: scale }),
        value: fusedMatmul(probabilities[i]!, down, { transA: true }),
        score,
      };
    });
    const biased = parts.flatMap(({ score }, i) => {
      const { bias, biasShape } = blocks[i]!;
      if (!bias) return [];
      // Masks are most biases, and nobody asks for their gradient.
      return [wanted[inputs.indexOf(bias)] ? unbroadcast(biasShape ? reshape(score, biasShape) : score, bias) : undefined];
    });
    return [parts.map((part) => part.query).reduce(add), ...parts.flatMap(({ key, value }) => [key, value]), ...biased];
  });
}

function jointSoftmax(scores: readonly Value[]): readonly Value[] {
  if (scores.length === 1) return [softmax(scores[0]!)];
  const shapes = scores.map((score) => staticShape(score.shape, 'attention'));
  const widths = shapes.map((shape) => shape.at(-1)!);
  const rows = rowsOf(shapes[0]!);
  const joint = softmax(concat(scores.map((score, i) => reshape(score, [rows, widths[i]!])), 1));
  return split(joint, widths, 1).map((part, i) => reshape(part, shapes[i]!));
}
