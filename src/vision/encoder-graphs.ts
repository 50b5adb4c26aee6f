// The graphs of a vision transformer: patches in, then one graph a layer for any rows, and the attention between them, over the keys and values of all.
import { Graph } from '../graph/graph.ts';
import type { Shape, Value } from '../graph/graph.ts';
import { linear, linears, weight } from '../graph/linear.ts';
import { add, gather, gelu, int, layerNorm, reshape, single } from '../graph/ops.ts';
import type { VisionSpec } from '../models/contract.ts';
import type { PackedNorm, PackedVision } from '../models/packed/contract.ts';

/** R: rows that are computed; P: all patches. */
const rows = (width: number): Shape => ['R', width];

/**
 * Graph `step` of L + 1. Step 0 embeds patches: `patches` [R, 3·patch²], `rows` int32 [R]. Each later step takes `incoming` [R, E] and `mixed` [1, R, E], the
 * attention of the layer before it. Each but the last gives `residual` [R, E] and the `query`, `key`, `value` [R, E] of its layer; the last gives
 * `encoded` [R, E].
 */
export function encoderGraph(spec: VisionSpec, packed: PackedVision, step: number): Graph {
  const graph = new Graph(`vision-${step}`);
  const residual = step === 0 ? embed(graph, spec, packed) : attend(graph, spec, packed, step - 1);
  if (step === spec.layers) {
    graph.output('encoded', packed.finalNorm && spec.finalNorm ? norm(residual, packed.finalNorm, spec) : residual);
    return graph;
  }
  const layer = packed.layers[step]!;
  const normed = norm(residual, layer.attentionNorm, spec);
  const [query, key, value] = linears(normed, [layer.query, layer.key, layer.value]);
  graph.output('residual', residual);
  graph.output('query', query!);
  graph.output('key', key!);
  graph.output('value', value!);
  return graph;
}

function embed(graph: Graph, spec: VisionSpec, packed: PackedVision): Value {
  const patches = graph.input('patches', 'float32', rows(3 * spec.patchPx ** 2));
  const indices = graph.input('rows', 'int32', ['R']);
  return add(linear(patches, packed.patch), gather(weight(graph, packed.positions), indices));
}

/**
 * Attention without weights, so that one graph serves all layers: `queries` [1, R, E], `keys` and `values` → `mixed` [1, R, E].
 * Keys and values lie in `rows` [1, P, E], as a whole frame makes them; or by `heads` [1, H, P, D], as the kernel wants them: few queries would wait
 * longer for the turning of all keys and values than for their own products.
 */
export function attentionGraph({ width, heads }: VisionSpec, layout: 'rows' | 'heads'): Graph {
  const graph = new Graph(`attention-${layout}`);
  const all: Shape = layout === 'rows' ? [1, 'P', width] : [1, heads, 'P', width / heads];
  const query = graph.input('queries', 'float32', [1, 'R', width]);
  const inputs = [query, graph.input('keys', 'float32', all), graph.input('values', 'float32', all)];
  graph.output('mixed', single('MultiHeadAttention', inputs, query.shape, { num_heads: int(heads) }, 'float32', 'com.microsoft'));
  return graph;
}

/** Attention output, residuals and the multi-layer perceptron of one layer. */
function attend(graph: Graph, spec: VisionSpec, packed: PackedVision, index: number): Value {
  const layer = packed.layers[index]!;
  const residual = graph.input('incoming', 'float32', rows(spec.width));
  const mixed = graph.input('mixed', 'float32', [1, 'R', spec.width]);
  const attended = add(residual, linear(reshape(mixed, [-1, spec.width], rows(spec.width)), layer.output));
  const hidden = gelu(linear(norm(attended, layer.mlpNorm, spec), layer.up), spec.activation === 'gelu' ? 'none' : 'tanh');
  return add(attended, linear(hidden, layer.down));
}

function norm(x: Value, { scale, bias }: PackedNorm, spec: VisionSpec): Value {
  const { graph } = x;
  const shift = bias ? weight(graph, bias) : graph.constant(new Float32Array(spec.width), 'float32', [spec.width]);
  return layerNorm(x, weight(graph, scale), shift, spec.normEpsilon);
}
