// The router's training objective as a graph: noisy top-k gating, what each path loses, a one-sided budget, and balance where it is wanted.
// Shazeer et al. 2017, arXiv 1701.06538; the budget as in Dynamic Memory Compression, arXiv 2403.09636.
import { minNoise } from '../gate/noisy-top-k.ts';
import { stopGradient } from '../graph/gradient.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { add, cast, div, erf, gemm, greater, less, mul, reduceMean, reduceSum, relu, reshape, softmax, softplus, sub } from '../graph/ops.ts';
import type { ParameterSpec } from './parameters.ts';

/** One gate: how many inputs, which paths, and what they may cost. */
export interface GateObjective {
  /** Prefix of its parameters and inputs. */
  readonly name: string;
  readonly inputs: number;
  /** Paths that take a share of each input in training. */
  readonly k: number;
  /** Work of each path, 1 for the dearest. */
  readonly costs: readonly number[];
  /** Mean cost that is free. */
  readonly budget: number;
  /** What a cost of 1 above the budget loses, and below it. The second is small: it decides where nothing is lost either way. */
  readonly overrun: number;
  readonly price: number;
  /** Factor of the balancing loss; 0 where content alone decides. */
  readonly balance: number;
}

export const gateParameters = ({ name, inputs, costs }: GateObjective): ParameterSpec[] =>
  // Both start at 0, so that at first noise alone decides.
  ['gate', 'noise'].map((matrix) => ({ name: `${name} ${matrix}`, shape: [inputs, costs.length], initialiser: { kind: 'constant', value: 0 }, group: 'gates' }));

export interface GateLoss {
  /** float32 [] */
  readonly loss: Value;
  /** float32 [N, paths]: G. */
  readonly gates: Value;
  /** float32 [paths]: how many inputs each path would take. */
  readonly load: Value;
  /** float32 []: mean cost, and mean loss of the paths taken. */
  readonly cost: Value;
  readonly harm: Value;
}

/**
 * Adds a gate and its loss. Graph inputs: `<name> x` float32 [N, inputs], `<name> draws` float32 [N, paths] (standard normal), `<name> harm`
 * float32 [N, paths] (what is lost when an input goes that way).
 */
export function gateLoss(graph: Graph, weight: (name: string) => Value, { name, inputs, k, costs, budget, overrun, price, balance }: GateObjective, rows: number): GateLoss {
  const paths = costs.length;
  const x = graph.input(`${name} x`, 'float32', [rows, inputs]);
  const draws = graph.input(`${name} draws`, 'float32', [rows, paths]);
  const harmOf = graph.input(`${name} harm`, 'float32', [rows, paths]);
  const clean = gemm(x, weight(`${name} gate`));
  const sigma = add(softplus(gemm(x, weight(`${name} noise`))), graph.scalar(minNoise));
  const noisy = add(clean, mul(draws, sigma));

  // Rank of each path: how many of the others are above it. Noise makes ties as good as impossible.
  const above = greater(reshape(noisy, [rows, 1, paths]), reshape(noisy, [rows, paths, 1]));
  const rank = stopGradient(reduceSum(cast(above, 'float32'), [2], false));
  const isChosen = cast(less(rank, graph.scalar(k - 0.5)), 'float32');
  const gates = softmax(add(noisy, mul(sub(isChosen, graph.scalar(1)), graph.scalar(1e9))));

  const load = loadGraph(graph, { clean, sigma, noisy, rank, isChosen }, { k, paths, rows });
  const importance = reduceSum(gates, [0], false);
  const cost = reduceMean(reduceSum(mul(gates, graph.constant(Float32Array.from(costs), 'float32', [1, paths])), [1], false), [0], false);
  const harm = reduceMean(reduceSum(mul(gates, harmOf), [1], false), [0], false);
  const spent = add(mul(relu(sub(cost, graph.scalar(budget))), graph.scalar(overrun)), mul(cost, graph.scalar(price)));
  const task = add(harm, spent);
  const loss = balance > 0 ? add(task, mul(graph.scalar(balance), add(variation(graph, importance, paths), variation(graph, load, paths)))) : task;
  return { loss, gates, load, cost, harm };
}

/** Σ over inputs of Φ((clean − threshold)/σ), the threshold being the k-th largest of the other paths. */
function loadGraph(graph: Graph, { clean, sigma, noisy, rank, isChosen }: Readonly<Record<'clean' | 'sigma' | 'noisy' | 'rank' | 'isChosen', Value>>, { k, paths, rows }: Readonly<Record<'k' | 'paths' | 'rows', number>>): Value {
  // With every path chosen none can fall out.
  if (k === paths) return graph.constant(new Float32Array(paths).fill(rows), 'float32', [paths]);
  const ranked = (place: number) => {
    const isThere = mul(cast(less(rank, graph.scalar(place + 0.5)), 'float32'), cast(greater(rank, graph.scalar(place - 0.5)), 'float32'));
    return reduceSum(mul(noisy, isThere), [1], true);
  };
  const threshold = add(mul(isChosen, ranked(k)), mul(sub(graph.scalar(1), isChosen), ranked(k - 1)));
  const z = div(sub(clean, threshold), mul(sigma, graph.scalar(Math.SQRT2)));
  return reduceSum(mul(add(erf(z), graph.scalar(1)), graph.scalar(0.5)), [0], false);
}

/** CV²: var/mean². */
function variation(graph: Graph, values: Value, count: number): Value {
  const mean = reduceMean(values, [0], true);
  const off = sub(values, mean);
  const variance = mul(reduceSum(mul(off, off), [0], false), graph.scalar(1 / count));
  return div(variance, reshape(mul(mean, mean), []));
}
