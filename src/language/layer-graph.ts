// Graphs of a decoder: what follows the attention of one layer and what precedes that of the next are one graph, so a step is L + 1 runs.
import { Graph, type Value } from '../graph/graph.ts';
import { linear, linears, weight } from '../graph/linear.ts';
import { add, concat, gemm, int, matmul, mul, reduceMean, reduceSum, reshape, rmsNorm, silu, single, slice, softmax, sub, transpose } from '../graph/ops.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecisions, PackedDecoder, PackedNorm } from '../models/packed/contract.ts';

type PackedLayer = PackedDecoder['layers'][number];

/** Results that cost something and that only some memory methods need. */
export interface ExtraOutputs {
  /** `attention0` … float32 [slots]: attention that each slot received, summed over queries. */
  readonly attention: boolean;
  /** `rawKeys` float32 [T, H · D]: keys before the rotary embedding. */
  readonly rawKeys: boolean;
}

/**
 * One graph: attention and MLP of layer `index − 1` (not for the first), then norm, queries, keys and values of layer `index` (not after the last).
 *
 * | input | type, shape | |
 * | --- | --- | --- |
 * | `x` | float32 [T, E] | hidden state |
 * | `queriesH` | float32 [T · Q/H, D] | queries of layer `index − 1` that share KV head H, rotated; those of a token side by side |
 * | `keysH`, `valuesH` | float32 [slots, D] | what KV head H looks at, the chunk's own tokens last; every head has its own length |
 * | `biasH` | float32 [T · Q/H or 1, slots or 1] | added to the scores: mask, count of merged tokens, or a zero |
 * | `cos`, `sin` | float32 [T, D/2] | rotations of the chunk's positions |
 *
 * Outputs: `hidden` [T, E]; `queries` [H, T, Q/H · D], `keys` [1, T, H · D] rotated, `values` [T, H · D].
 * Queries leave head by head, so that each head's are a view of one buffer. With a memory adapter also `decisions` [T, H], logits above 0 where a token
 * is to be merged (DMC) or to go (DMS); with one of DMC also `importances` [T, H], logits.
 */
export function layerGraph(spec: DecoderSpec, { layers, decisions }: PackedDecoder, index: number, extra: ExtraOutputs): Graph {
  const graph = new Graph(`decoder ${index}`);
  let x = graph.input('x', 'float32', ['T', spec.width]);
  if (index > 0) {
    const attended = attend(graph, spec, layers[index - 1]!, extra);
    x = feedForward(add(x, attended), spec, layers[index - 1]!);
    graph.output('hidden', x);
  }
  if (index < spec.layers) {
    project(x, spec, layers[index]!, extra, decisions);
    if (decisions?.kind === 'dms') decide(x, spec, decisions, index);
  }
  return graph;
}

/** Final norm and vocabulary scores of the rows given: `x` float32 [T, E] → `logits` float32 [T, V]. */
export function headGraph(spec: DecoderSpec, packed: PackedDecoder): Graph {
  const graph = new Graph('decoder head');
  const x = graph.input('x', 'float32', ['T', spec.width]);
  graph.output('logits', linear(norm(x, packed.finalNorm, spec), packed.head));
  return graph;
}

function norm(x: Value, { scale }: PackedNorm, spec: DecoderSpec): Value {
  return rmsNorm(x, weight(x.graph, scale), spec.normEpsilon);
}

/** Attention of all heads, and the output matrix: float32 [T, E]. */
function attend(graph: Graph, spec: DecoderSpec, layer: PackedLayer, extra: ExtraOutputs): Value {
  const { kvHeads, queryHeads, headWidth } = spec;
  const groupWidth = (queryHeads / kvHeads) * headWidth;
  const outputs = Array.from({ length: kvHeads }, (_, h) => {
    const slots = `slots${h}`;
    const queries = graph.input(`queries${h}`, 'float32', ['rows', headWidth]);
    const keys = graph.input(`keys${h}`, 'float32', [slots, headWidth]);
    const values = graph.input(`values${h}`, 'float32', [slots, headWidth]);
    const bias = graph.input(`bias${h}`, 'float32', [`biasRows${h}`, `biasColumns${h}`]);
    const probabilities = softmax(gemm(queries, keys, bias, { transB: true, alpha: 1 / Math.sqrt(headWidth) }));
    if (extra.attention) graph.output(`attention${h}`, reduceSum(probabilities, [0], false));
    return matmul(probabilities, values);
  });
  if (kvHeads === 1) return linear(reshape(outputs[0]!, [-1, groupWidth], ['T', groupWidth]), layer.output);
  const byHead = reshape(concat(outputs, 0), [kvHeads, -1, groupWidth], [kvHeads, 'T', groupWidth]);
  return linear(reshape(transpose(byHead, [1, 0, 2]), [-1, queryHeads * headWidth], ['T', queryHeads * headWidth]), layer.output);
}

function feedForward(x: Value, spec: DecoderSpec, layer: PackedLayer): Value {
  const normed = norm(x, layer.mlpNorm, spec);
  const [gate, up] = linears(normed, [layer.gate, layer.up]);
  return add(x, linear(mul(silu(gate!), up!), layer.down));
}

function project(x: Value, spec: DecoderSpec, layer: PackedLayer, extra: ExtraOutputs, decisions: PackedDecisions | undefined): void {
  const { graph } = x;
  const normed = norm(x, layer.attentionNorm, spec);
  const cos = graph.input('cos', 'float32', ['T', spec.headWidth / 2]);
  const sin = graph.input('sin', 'float32', ['T', spec.headWidth / 2]);
  const rotate = (heads: Value, width: number) => {
    const batch = reshape(heads, [1, -1, width], [1, 'T', width]);
    const interleaved = int(Number(spec.ropeLayout === 'pairs'));
    // A single position id 0 makes the rows of `cos` and `sin` those of the chunk's tokens.
    return single('RotaryEmbedding', [batch, graph.ints([0]), cos, sin], batch.shape, { interleaved, num_heads: int(width / spec.headWidth) }, 'float32', 'com.microsoft');
  };
  const [queryRows, keyRows, values] = linears(normed, [layer.query, layer.key, layer.value]) as [Value, Value, Value];
  const queries = decisions?.kind === 'dmc' ? withoutChannel(queryRows, decisions.channel, spec) : queryRows;
  const keys = decisions?.kind === 'dmc' ? withoutChannel(keyRows, decisions.channel, spec) : keyRows;
  const groupWidth = (spec.queryHeads / spec.kvHeads) * spec.headWidth;
  const rotated = rotate(queries, spec.queryHeads * spec.headWidth);
  graph.output('queries', transpose(reshape(rotated, [-1, spec.kvHeads, groupWidth], ['T', spec.kvHeads, groupWidth]), [1, 0, 2]));
  graph.output('keys', rotate(keys, spec.kvHeads * spec.headWidth));
  graph.output('values', values);
  if (extra.rawKeys) graph.output('rawKeys', keys);
  if (decisions?.kind !== 'dmc') return;
  const { channel, offset } = decisions;
  graph.output('decisions', sub(channelOf(keyRows, channel, spec.kvHeads, spec), graph.scalar(offset)));
  const byQuery = channelOf(queryRows, channel, spec.queryHeads, spec);
  const byGroup = reshape(byQuery, [-1, spec.kvHeads, spec.queryHeads / spec.kvHeads], ['T', spec.kvHeads, spec.queryHeads / spec.kvHeads]);
  graph.output('importances', add(reduceMean(byGroup, [2], false), graph.scalar(offset)));
}

/** One channel of every head: float32 [T, heads]. */
function channelOf(rows: Value, channel: number, heads: number, { headWidth }: DecoderSpec): Value {
  const byHead = reshape(rows, [-1, heads, headWidth], ['T', heads, headWidth]);
  return reshape(slice(byHead, 2, channel, channel + 1), [-1, heads], ['T', heads]);
}

/** Rows of heads with one channel of each head zero: what carries decisions says nothing to attention. */
function withoutChannel(rows: Value, channel: number, { headWidth }: DecoderSpec): Value {
  const width = rows.shape.at(-1) as number;
  const others = Float32Array.from({ length: width }, (_, i) => Number(i % headWidth !== channel));
  return mul(rows, rows.graph.constant(others, 'float32', [width]));
}

/** DMS: `Linear(RMSNorm(x)) · 100 − offset`, from what goes into the layer. */
function decide(x: Value, spec: DecoderSpec, { layers, offset }: Extract<PackedDecisions, { kind: 'dms' }>, index: number): void {
  const { graph } = x;
  const { norm: scale, project: weights } = layers[index]!;
  graph.output('decisions', sub(mul(linear(norm(x, scale, spec), weights), graph.scalar(100)), graph.scalar(offset)));
}
