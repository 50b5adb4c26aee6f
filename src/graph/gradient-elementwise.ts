// Gradient rules of element-wise operations, with broadcasting undone.
import type { GradientRules } from './gradient.ts';
import type { Value } from './graph.ts';
import { add, cast, cos, div, equal, erf, exp, greater, less, log, mul, neg, pow, reduceSum, reshape, sigmoid, sign, sin, sub, where } from './ops.ts';
import { staticShape } from './shape.ts';

/** A constant of the type of `x`. */
export function scalarLike(x: Value, value: number): Value {
  return x.graph.scalar(value, x.dtype === 'float64' ? 'float64' : 'float32');
}

/** Sums a gradient over the axes along which `to` was stretched. */
export function unbroadcast(gradient: Value, to: Value): Value {
  const lead = gradient.shape.length - to.shape.length;
  const stretched = gradient.shape.flatMap((dim, i) => (i < lead || (to.shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  const summed = stretched.length > 0 ? reduceSum(gradient, stretched) : gradient;
  return lead > 0 ? reshape(summed, staticShape(to.shape, 'a broadcast operand')) : summed;
}

/** 1 where true, of the type of `like`. */
const mask = (condition: Value, like: Value) => cast(condition, like.dtype === 'float64' ? 'float64' : 'float32');

/** A rule for y = f(x) from its local derivative. */
const local = (derivative: (x: Value, y: Value) => Value): GradientRules[string] => {
  return ({ inputs: [x], outputs: [y] }, [gradient]) => [mul(gradient!, derivative(x!, y!))];
};

/** Derivative of gelu in its tanh form: with s = sigmoid(2u), u = √(2/π)(x + 0.044715x³), y = x·s and y' = s + x·s(1 − s)·2u'. */
function geluTanhDerivative(x: Value, y: Value): Value {
  const scale = 2 * Math.sqrt(2 / Math.PI);
  const square = mul(x, x);
  const s = sigmoid(mul(x, add(mul(square, scalarLike(x, scale * 0.044715)), scalarLike(x, scale))));
  const slope = add(mul(square, scalarLike(x, scale * 3 * 0.044715)), scalarLike(x, scale));
  return add(s, mul(mul(y, sub(scalarLike(x, 1), s)), slope));
}

/** Derivative of x·Φ(x): Φ(x) + x·φ(x). */
function geluDerivative(x: Value): Value {
  const cdf = add(mul(erf(mul(x, scalarLike(x, Math.SQRT1_2))), scalarLike(x, 0.5)), scalarLike(x, 0.5));
  const density = mul(exp(mul(mul(x, x), scalarLike(x, -0.5))), scalarLike(x, 1 / Math.sqrt(2 * Math.PI)));
  return add(cdf, mul(x, density));
}

/** The gradient goes to the operand that won; equal operands share it. */
const extreme = (wins: (a: Value, b: Value) => Value): GradientRules[string] => {
  return ({ inputs: [a, b] }, [gradient], wanted) => {
    const tie = mul(mask(equal(a!, b!), gradient!), scalarLike(gradient!, 0.5));
    return [wanted[0] ? unbroadcast(mul(gradient!, add(mask(wins(a!, b!), gradient!), tie)), a!) : undefined, wanted[1] ? unbroadcast(mul(gradient!, add(mask(wins(b!, a!), gradient!), tie)), b!) : undefined];
  };
};

export const elementwiseRules: GradientRules = {
  Identity: (_, [gradient]) => [gradient],
  Add: ({ inputs: [a, b] }, [gradient], wanted) => [wanted[0] ? unbroadcast(gradient!, a!) : undefined, wanted[1] ? unbroadcast(gradient!, b!) : undefined],
  Sub: ({ inputs: [a, b] }, [gradient], wanted) => [wanted[0] ? unbroadcast(gradient!, a!) : undefined, wanted[1] ? neg(unbroadcast(gradient!, b!)) : undefined],
  Mul: ({ inputs: [a, b] }, [gradient], wanted) => [wanted[0] ? unbroadcast(mul(gradient!, b!), a!) : undefined, wanted[1] ? unbroadcast(mul(gradient!, a!), b!) : undefined],
  Div: ({ inputs: [a, b], outputs: [y] }, [gradient], wanted) => {
    const overB = div(gradient!, b!);
    return [wanted[0] ? unbroadcast(overB, a!) : undefined, wanted[1] ? neg(unbroadcast(mul(overB, y!), b!)) : undefined];
  },
  Pow: ({ inputs: [base, exponent], outputs: [y] }, [gradient], wanted) => [
    wanted[0] ? unbroadcast(mul(gradient!, mul(exponent!, pow(base!, sub(exponent!, scalarLike(exponent!, 1))))), base!) : undefined,
    wanted[1] ? unbroadcast(mul(gradient!, mul(y!, log(base!))), exponent!) : undefined,
  ],
  Neg: (_, [gradient]) => [neg(gradient!)],
  Exp: local((_, y) => y),
  Log: ({ inputs: [x] }, [gradient]) => [div(gradient!, x!)],
  Sqrt: ({ outputs: [y] }, [gradient]) => [div(mul(gradient!, scalarLike(gradient!, 0.5)), y!)],
  Reciprocal: local((_, y) => neg(mul(y, y))),
  Tanh: local((_, y) => sub(scalarLike(y, 1), mul(y, y))),
  Sigmoid: local((_, y) => mul(y, sub(scalarLike(y, 1), y))),
  Softplus: local((x) => sigmoid(x)),
  Relu: local((_, y) => mask(greater(y, scalarLike(y, 0)), y)),
  Abs: local((x) => sign(x)),
  Erf: local((x) => mul(exp(neg(mul(x, x))), scalarLike(x, 2 / Math.sqrt(Math.PI)))),
  Cos: local((x) => neg(sin(x))),
  Sin: local((x) => cos(x)),
  Max: extreme(greater),
  Min: extreme(less),
  Cast: ({ inputs: [x] }, [gradient]) => {
    const dtype = x!.dtype;
    return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' ? [cast(gradient!, dtype)] : [undefined];
  },
  Where: ({ inputs: [condition, a, b] }, [gradient], wanted) => {
    const zero = scalarLike(gradient!, 0);
    return [undefined, wanted[1] ? unbroadcast(where(condition!, gradient!, zero), a!) : undefined, wanted[2] ? unbroadcast(where(condition!, zero, gradient!), b!) : undefined];
  },
  Gelu: (node, [gradient]) => {
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const { approximate } = node.attributes;
    const isTanh = approximate?.kind === 'string' && approximate.value === 'tanh';
    return [mul(gradient!, isTanh ? geluTanhDerivative(x, y) : geluDerivative(x))];
  },
};
