// A linear recurrence over a sequence as a graph: log₂ T doubling steps, products of factors in [0, 1] only, and a gradient of its own.
import { withGradient } from '../graph/gradient.ts';
import type { Value } from '../graph/graph.ts';
import { add, mul, pad, reduceSum, slice } from '../graph/ops.ts';
import { staticShape } from '../graph/shape.ts';

const timeAxis = -2;

/** `x` moved along time by `steps` (later, or with a negative number earlier), zeros where nothing comes from. */
function moved(x: Value, steps: number): Value {
  const length = x.shape.at(timeAxis) as number;
  return steps > 0 ? pad(slice(x, timeAxis, 0, length - steps), timeAxis, steps, 0) : pad(slice(x, timeAxis, -steps, length), timeAxis, 0, -steps);
}

/** Hillis–Steele scan: after the step of distance s each state holds the terms of its last 2s tokens. */
function scan(factors: Value, terms: Value, direction: 1 | -1): Value {
  const length = staticShape(terms.shape, 'a recurrence').at(timeAxis)!;
  let [factor, state] = [factors, terms];
  for (let distance = 1; distance < length; distance *= 2) {
    state = add(state, mul(factor, moved(state, direction * distance)));
    if (2 * distance < length) factor = mul(factor, moved(factor, direction * distance));
  }
  return state;
}

/**
 * `x_t = a_t · x_{t−1} + u_t`, with nothing before the first token.
 * @param factors float32 [..., T, 1]: a, in [0, 1]
 * @param terms float32 [..., T, C]: u
 * @returns float32 [..., T, C]
 */
export function linearRecurrence(factors: Value, terms: Value): Value {
  const states = scan(factors, terms, 1);
  if ((terms.shape.at(timeAxis) as number) === 1) return states;
  return withGradient(states, [factors, terms], (gradient, wanted) => {
    // What reaches u_t comes from x_t and, through a_{t+1}, from all later states: the same recurrence backwards.
    const down = scan(moved(factors, -1), gradient, -1);
    return [wanted[0] ? reduceSum(mul(down, moved(states, 1)), [-1]) : undefined, down];
  });
}
