// Reverse-mode differentiation: adds to a graph the nodes that compute the gradient of a scalar. The rules are in the gradient-*.ts files.
import { ModelError, UserError } from '../core/errors.ts';
import { elementwiseRules } from './gradient-elementwise.ts';
import { matrixRules } from './gradient-matrix.ts';
import { normRules } from './gradient-norm.ts';
import { shapeRules } from './gradient-shape.ts';
import type { Node, Value } from './graph.ts';
import { add, identity, sub } from './ops.ts';
import { staticShape } from './shape.ts';

/**
 * How a gradient passes a node backwards.
 * @param gradients one for each output; absent where nothing depends on that output
 * @param wanted which inputs lead to a differentiated value; others may be left `undefined`
 * @returns one gradient for each input, of the input's shape; `undefined` is zero
 */
export type GradientRule = (node: Node, gradients: readonly (Value | undefined)[], wanted: readonly boolean[]) => readonly (Value | undefined)[];

export type GradientRules = Readonly<Record<string, GradientRule>>;

const rules: GradientRules = { ...elementwiseRules, ...matrixRules, ...normRules, ...shapeRules };

/** Node types that pass no gradient: their outputs are whole numbers or truth values. */
const flat = new Set(['Less', 'Greater', 'Equal', 'ArgMax', 'Shape', 'ConstantOfShape', 'Sign', 'Not', 'And', 'Or']);

interface Composite {
  readonly inputs: readonly Value[];
  readonly rule: (gradient: Value, wanted: readonly boolean[]) => readonly (Value | undefined)[];
}

const composites = new WeakMap<Value, Composite>();
const stopped = new WeakSet<Node>();

/**
 * Gives a value that was built from several nodes a gradient rule of its own, used instead of those nodes' rules.
 * @param rule gets the gradient of `output`; returns the gradients of `inputs` (shapes of `inputs`)
 */
export function withGradient(output: Value, inputs: readonly Value[], rule: Composite['rule']): Value {
  composites.set(output, { inputs, rule });
  return output;
}

/** `x`, through which no gradient passes. */
export function stopGradient(x: Value): Value {
  const value = identity(x);
  stopped.add(value.node!);
  return value;
}

/** The value of `hard` with the gradient of `soft` (straight-through estimator, arXiv 1308.3432). */
export function straightThrough(hard: Value, soft: Value): Value {
  return add(soft, stopGradient(sub(hard, soft)));
}

/**
 * Gradients of a scalar with respect to values of the same graph.
 * @param loss one element
 * @param sources inputs, weights or results of nodes
 * @returns for each source a value of its shape
 * @throws UserError when the loss is no scalar or does not depend on a source; ModelError when an operation on the way has no rule
 */
export function gradients(loss: Value, sources: readonly Value[]): Value[] {
  const { graph } = loss;
  if (staticShape(loss.shape, 'the loss').some((dim) => dim !== 1)) {
    throw new UserError('GRADIENT_OF_TENSOR', { what: 'only a scalar can be differentiated', got: `[${loss.shape.join(', ')}]`, expected: 'a loss of one element' });
  }
  const dependent = new Set<Value>(sources);
  for (const node of graph.nodes) {
    if (!stopped.has(node) && node.inputs.some((input) => input && dependent.has(input))) for (const output of node.outputs) dependent.add(output);
  }
  const found = new Map<Value, Value>();
  const accumulate = (value: Value, gradient: Value | undefined) => {
    if (!gradient || !dependent.has(value)) return;
    const before = found.get(value);
    found.set(value, before ? add(before, gradient) : gradient);
  };
  const one = loss.dtype === 'float64' ? graph.constant(Float64Array.of(1), 'float64', loss.shape) : graph.constant(Float32Array.of(1), 'float32', loss.shape);
  accumulate(loss, one);
  for (const node of graph.nodes.toReversed()) {
    if (stopped.has(node)) continue;
    const composite = node.outputs.length > 0 ? composites.get(node.outputs[0]!) : undefined;
    if (composite) {
      const gradient = found.get(node.outputs[0]!);
      if (!gradient) continue;
      const wanted = composite.inputs.map((input) => dependent.has(input));
      if (!wanted.includes(true)) continue;
      const results = composite.rule(gradient, wanted);
      composite.inputs.forEach((input, i) => accumulate(input, results[i]));
      continue;
    }
    const wanted = node.inputs.map((input) => input !== undefined && dependent.has(input));
    const outputs = node.outputs.map((output) => found.get(output));
    if (!wanted.includes(true) || outputs.every((output) => output === undefined) || flat.has(node.type)) continue;
    const rule = rules[node.type];
    if (!rule) throw new ModelError('GRADIENT_RULE', { what: `no gradient rule for ${node.type}`, todo: 'add one to a gradient-*.ts file, or stop the gradient before it' });
    const results = rule(node, outputs, wanted);
    node.inputs.forEach((input, i) => {
      if (input && wanted[i]) accumulate(input, results[i]);
    });
  }
  return sources.map((source) => {
    const gradient = found.get(source);
    if (!gradient) throw new UserError('GRADIENT_UNREACHED', { what: `the loss does not depend on ${source.name}`, todo: 'leave it out of the parameters, or use it' });
    return gradient;
  });
}
