// Gradient rules of normalisations: softmax, layer norm, root-mean-square norm.
import { unbroadcast } from './gradient-elementwise.ts';
import type { GradientRules } from './gradient.ts';
import type { Node, Value } from './graph.ts';
import { exp, mul, reduceMean, reduceSum, sub } from './ops.ts';

const axisAttribute = (node: Node): number => {
  const found = node.attributes['axis'];
  return found?.kind === 'int' ? found.value : -1;
};

/** An optional output of the forward kernel, [..., 1]; asked for once. */
function statistic(node: Node, index: number): Value {
  const shape = node.outputs[0]!.shape.with(-1, 1);
  while (node.outputs.length <= index) node.inputs[0]!.graph.addOutput(node, { dtype: node.outputs[0]!.dtype, shape });
  return node.outputs[index]!;
}

/** dx = r·(g − [mean(g)] − x̂·mean(g·x̂)), with g = dy·scale; the mean only where the norm subtracted one. */
function normGradient(gradient: Value, normalised: Value, scale: Value, inverse: Value, centred: 'centred' | 'not centred'): Value {
  const scaled = mul(gradient, scale);
  const shared = mul(normalised, reduceMean(mul(scaled, normalised), [-1]));
  const rest = centred === 'centred' ? sub(sub(scaled, reduceMean(scaled, [-1])), shared) : sub(scaled, shared);
  return mul(rest, inverse);
}

export const normRules: GradientRules = {
  Softmax: (node, [gradient]) => {
    const y = node.outputs[0]!;
    const product = mul(gradient!, y);
    return [sub(product, mul(y, reduceSum(product, [axisAttribute(node)])))];
  },
  LogSoftmax: (node, [gradient]) => [sub(gradient!, mul(exp(node.outputs[0]!), reduceSum(gradient!, [axisAttribute(node)])))],
  LayerNormalization: (node, [gradient], wanted) => {
    const [x, scale, bias] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]];
    const inverse = statistic(node, 2);
    const normalised = mul(sub(x, statistic(node, 1)), inverse);
    return [
      wanted[0] ? normGradient(gradient!, normalised, scale, inverse, 'centred') : undefined,
      wanted[1] ? unbroadcast(mul(gradient!, normalised), scale) : undefined,
      wanted[2] ? unbroadcast(gradient!, bias!) : undefined,
    ];
  },
  SimplifiedLayerNormalization: (node, [gradient], wanted) => {
    const [x, scale] = [node.inputs[0]!, node.inputs[1]!];
    const inverse = statistic(node, 1);
    const normalised = mul(x, inverse);
    return [wanted[0] ? normGradient(gradient!, normalised, scale, inverse, 'not centred') : undefined, wanted[1] ? unbroadcast(mul(gradient!, normalised), scale) : undefined];
  },
};
