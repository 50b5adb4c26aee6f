// The layers of a decoder as one graph, for memories that do nothing between layers: a step is two runs in place of one for each layer.
import { Graph, type Value } from '../graph/graph.ts';
import { joinedLinears, linear, linears, weight, type TensorRef } from '../graph/linear.ts';
import { concat, gather, int, matmul, mul, reshape, rmsNorm, silu, single, softmax, split, transpose } from '../graph/ops.ts';
import { addRmsNorm, fusedMatmul } from '../graph/ops-fused.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';

type PackedLayer = PackedDecoder['layers'][number];

/**
 * All layers up to the last one's queries. Attention of layer L over KV head H is over old slots and the chunk's own tokens under one softmax.
 *
 * | input | type, shape | |
 * | --- | --- | --- |
 * | `x` | float32 [T, E] | hidden state |
 * | `cos`, `sin` | float32 [T, D/2] | rotations of the chunk's positions |
 * | `mask` | float32 [Q/H · T or 1, T] | added to the scores of the chunk's own tokens; query heads one after the other |
 * | `keysL_H` | float32 [slots, D] | old slots; every head has its own length, which may be 0 |
 * | `valuesL_H` | float32 [slots + T, D] | theirs, then room for the chunk's own |
 * | `bias` | float32 [1, sum] | added to the scores of the slots, head by head: a number for each slot, or one for all |
 * | `biasWidths` | int64 [heads] | how many numbers those are |
 *
 * Outputs: `hidden` [T, E] and `queries` [1, H, Q/H · T, D], for the attention of the last layer; `newKeys` [L, H, T, D], rotated; for each head
 * `newValuesL_H` [1, 1, T, D]. Binding a tensor costs more than a small operator, so what can be one tensor for all heads is.
 *
 * **`newValuesL_H` must be bound to the last T rows of `valuesL_H`.** So the product of probabilities and values is one sum over all slots, whose rounding
 * does not depend on where a chunk began, and old values are not copied for every token. Queries come from the node that writes the values, by way of the
 * rotary embedding; so whatever reads the values runs after they were written.
 */
export function bodyGraph(spec: DecoderSpec, { layers }: PackedDecoder): Graph {
  const graph = new Graph('decoder layers');
  let x = graph.input('x', 'float32', ['T', spec.width]);
  const mask = graph.input('mask', 'float32', ['maskRows', 'T']);
  const cos = graph.input('cos', 'float32', ['T', spec.headWidth / 2]);
  const sin = graph.input('sin', 'float32', ['T', spec.headWidth / 2]);
  const biases = biasOf(graph, (spec.layers - 1) * spec.kvHeads);
  const newKeys: Value[] = [];
  let normed = rmsNorm(x, weight(graph, layers[0]!.attentionNorm.scale), spec.normEpsilon);
  layers.forEach((layer, index) => {
    const { queries, keys, values } = project(normed, spec, layer, cos, sin);
    newKeys.push(keys);
    values.forEach((of, h) => graph.output(`newValues${index}_${h}`, of));
    const next = layers[index + 1];
    if (next === undefined) {
      graph.output('hidden', x);
      graph.output('queries', queries);
      return;
    }
    const attended = linear(attend(queries, keys, mask, biases.slice(index * spec.kvHeads), spec, index), layer.output);
    ({ sum: x, normed } = feedForward(x, attended, spec, layer, next.attentionNorm.scale));
  });
  graph.output('newKeys', newKeys.length === 1 ? newKeys[0]! : concat(newKeys, 0));
  return graph;
}

/**
 * Attention and MLP of the last layer, and vocabulary scores of some rows. Inputs as those of the body, with `queries` and `newKeys` as it gave them,
 * values with the chunk's own in their place, and `rows` int64 [R]: rows of the chunk that are wanted. Output: `logits` float32 [R, V].
 */
export function tailGraph(spec: DecoderSpec, packed: PackedDecoder): Graph {
  const graph = new Graph('decoder tail');
  const index = spec.layers - 1;
  const layer = packed.layers[index]!;
  const x = graph.input('x', 'float32', ['T', spec.width]);
  const rows = graph.input('rows', 'int64', ['R']);
  const mask = graph.input('mask', 'float32', ['maskRows', 'T']);
  const input = (name: string, count: string) => graph.input(name, 'float32', [1, spec.kvHeads, count, spec.headWidth]);
  const attended = attend(input('queries', 'groupRows'), input('newKeys', 'T'), mask, biasOf(graph, spec.kvHeads), spec, index);
  const { normed } = feedForward(gather(x, rows), linear(gather(attended, rows), layer.output), spec, layer, packed.finalNorm.scale);
  graph.output('logits', linear(normed, packed.head));
  return graph;
}

/** Queries [1, H, Q/H · T, D] and keys [1, H, T, D], both rotated, and values [1, 1, T, D] by head. */
function project(normed: Value, spec: DecoderSpec, layer: PackedLayer, cos: Value, sin: Value): { readonly queries: Value; readonly keys: Value; readonly values: readonly Value[] } {
  const { kvHeads, queryHeads, headWidth } = spec;
  const all = queryHeads + 2 * kvHeads;
  const rows = joinedLinears(normed, [layer.query, layer.key, layer.value]);
  const byHead = transpose(reshape(rows, [1, -1, all, headWidth], [1, 'T', all, headWidth]), [0, 2, 1, 3]);
  const [turning, ...values] = split(byHead, [queryHeads + kvHeads, ...Array<number>(kvHeads).fill(1)], 1);
  const interleaved = int(Number(spec.ropeLayout === 'pairs'));
  // A single position id 0 makes the rows of `cos` and `sin` those of the chunk's tokens.
  const turned = single('RotaryEmbedding', [turning!, normed.graph.ints([0]), cos, sin], turning!.shape, { interleaved, num_heads: int(queryHeads + kvHeads) }, 'float32', 'com.microsoft');
  const [queries, keys] = split(turned, [queryHeads, kvHeads], 1);
  return { queries: reshape(queries!, [1, kvHeads, -1, headWidth], [1, kvHeads, 'groupRows', headWidth]), keys: keys!, values };
}

/** What is added to the scores of each head: float32 [1, slots or 1]. */
function biasOf(graph: Graph, heads: number): readonly Value[] {
  if (heads === 0) return [];
  const bias = graph.input('bias', 'float32', [1, 'biases']);
  const widths = graph.input('biasWidths', 'int64', [heads]);
  return graph.node('Split', [bias, widths], Array.from({ length: heads }, (_, h) => ({ dtype: 'float32', shape: [1, `bias${h}`] })), { attributes: { axis: int(1) } });
}

/** Attention of all heads: float32 [T, Q · D]. */
function attend(queries: Value, keys: Value, mask: Value, biases: readonly Value[], spec: DecoderSpec, layer: number): Value {
  const { graph } = queries;
  const { kvHeads, queryHeads, headWidth } = spec;
  const scaled = { transB: true, alpha: 1 / Math.sqrt(headWidth) };
  const among = plus(fusedMatmul(queries, keys, scaled), mask);
  const amongOf = heads(among, kvHeads);
  const outputs = heads(queries, kvHeads).map((of, h) => {
    const slots = `slots${layer}_${h}`;
    const oldKeys = graph.input(`keys${layer}_${h}`, 'float32', [slots, headWidth]);
    const values = graph.input(`values${layer}_${h}`, 'float32', [`${slots}+T`, headWidth]);
    const probabilities = softmax(concat([plus(fusedMatmul(of, oldKeys, scaled), biases[h]!), amongOf[h]!], 3));
    return matmul(probabilities, values);
  });
  const byToken = transpose(reshape(side(outputs), [1, queryHeads, -1, headWidth], [1, queryHeads, 'T', headWidth]), [0, 2, 1, 3]);
  return reshape(byToken, [-1, queryHeads * headWidth], ['T', queryHeads * headWidth]);
}

/** What the layer gives on, and that normalised for what follows. */
function feedForward(x: Value, attended: Value, spec: DecoderSpec, layer: PackedLayer, scale: TensorRef): { readonly sum: Value; readonly normed: Value } {
  const { sum, normed } = addRmsNorm(x, attended, weight(x.graph, layer.mlpNorm.scale), spec.normEpsilon);
  const [gate, up] = linears(normed, [layer.gate, layer.up]);
  return addRmsNorm(sum, linear(mul(silu(gate!), up!), layer.down), weight(x.graph, scale), spec.normEpsilon);
}

/** A sum in the shape of the first, over which the second stretches. */
function plus(scores: Value, bias: Value): Value {
  return single('Add', [scores, bias], scores.shape);
}

const heads = (x: Value, count: number) => (count === 1 ? [x] : split(x, Array<number>(count).fill(1), 1));
const side = (values: readonly Value[]) => (values.length === 1 ? values[0]! : concat(values, 1));
