// Evaluates a graph by plain loops in double precision: the reference that gradients and kernels are tested against. Not for speed.
import { ModelError, UserError } from '../core/errors.ts';
import type { DType, Graph, Value } from './graph.ts';
import { kernels } from './evaluate-kernels.ts';

/** A tensor of any type, its elements as doubles (whole numbers exact to 2⁵³, truth values 0 and 1), rows last. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/**
 * Computes values of a graph.
 * @param feeds for each input and external weight that is needed, by name
 * @param wanted values to compute; default: the graph's outputs
 * @returns by the value's name (and by output name for the graph's outputs)
 */
export function evaluate(graph: Graph, feeds: Readonly<Record<string, Dense>>, wanted: readonly Value[] = graph.outputs.map(({ value }) => value)): Map<string, Dense> {
  const known = new Map<string, Dense>();
  const read = (value: Value): Dense => {
    const found = known.get(value.name) ?? feeds[value.name] ?? constant(graph, value);
    if (!found) throw new UserError('EVALUATE_FEED', { what: `no data for ${value.name}`, expected: `${value.dtype} [${value.shape.join(', ')}]` });
    known.set(value.name, found);
    return found;
  };
  const needed = new Set<Value>(wanted);
  for (const node of graph.nodes.toReversed()) {
    if (node.outputs.some((output) => needed.has(output))) for (const input of node.inputs) if (input) needed.add(input);
  }
  for (const node of graph.nodes) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    const kernel = kernels[node.type];
    if (!kernel) throw new ModelError('EVALUATE_OPERATION', { what: `no reference kernel for ${node.type}`, todo: 'add one to evaluate-kernels.ts' });
    const results = kernel(
      node.inputs.map((input) => (input ? read(input) : undefined)),
      node,
    );
    node.outputs.forEach((output, i) => {
      const result = results[i];
      if (result) known.set(output.name, result);
    });
  }
  const results = new Map(wanted.map((value) => [value.name, read(value)]));
  for (const { name, value } of graph.outputs) if (wanted.includes(value)) results.set(name, read(value));
  return results;
}

function constant(graph: Graph, value: Value): Dense | undefined {
  const bytes = graph.initializer(value);
  if (!(bytes instanceof Uint8Array)) return undefined;
  const { buffer } = bytes.slice();
  const read: Partial<Record<DType, () => ArrayLike<number>>> = {
    float32: () => new Float32Array(buffer),
    float64: () => new Float64Array(buffer),
    int32: () => new Int32Array(buffer),
    int64: () => Array.from(new BigInt64Array(buffer), Number),
    int8: () => new Int8Array(buffer),
    uint8: () => new Uint8Array(buffer),
    bool: () => new Uint8Array(buffer),
  };
  const data = read[value.dtype]?.();
  if (!data) throw new ModelError('EVALUATE_TYPE', { what: `constant ${value.name} has a type the evaluator does not read`, got: value.dtype });
  return { shape: value.shape.map(Number), data: Float64Array.from(data) };
}
