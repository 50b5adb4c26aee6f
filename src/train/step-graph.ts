// Training graphs: one step as one ONNX model (forward, backward, clipping, AdamW), or, to accumulate, its two halves; and the forward pass alone.
import { UserError } from '../core/errors.ts';
import { gradients } from '../graph/gradient.ts';
import type { Value } from '../graph/graph.ts';
import { Graph } from '../graph/graph.ts';
import { add, identity, mul } from '../graph/ops.ts';
import { adamw, clipFactor } from './adamw.ts';
import type { AdamWOptions, StepScalars } from './adamw.ts';
import { muon } from './muon.ts';
import type { ParameterSpec } from './parameters.ts';
import { feedNames } from './parameters.ts';

/** What a forward pass gives: a loss to lower, and whatever else is worth knowing. */
export interface Objective {
  /** float32 [] */
  readonly loss: Value;
  /** Outputs of the graph under these names. */
  readonly metrics: Readonly<Record<string, Value>>;
  /** Parameters that this pass trains; the others stay as they are. Default: all. */
  readonly trains?: (name: string) => boolean;
}

/** Adds a forward pass to a graph whose weights are there already. Its other inputs it declares itself. */
export type Forward = (graph: Graph, weight: (name: string) => Value) => Objective;

export interface StepOptions extends AdamWOptions {
  /** Rule of each group, in order: each has inputs `rate <group>` and `keep <group>`. */
  readonly groups: Readonly<Record<string, 'adamw' | 'muon'>>;
}

const reserved = new Set(['loss', 'gradientNorm']);

function begin(name: string, specs: readonly ParameterSpec[], forward: Forward) {
  const graph = new Graph(name);
  const weights = new Map(specs.map((spec) => [spec.name, graph.input(feedNames.weight(spec.name), 'float32', spec.shape)]));
  const objective = forward(graph, (wanted) => {
    const found = weights.get(wanted);
    if (!found) throw new UserError('PARAMETER_UNKNOWN', { what: `the forward pass ${name} uses a parameter that is not declared`, got: wanted });
    return found;
  });
  graph.output('loss', objective.loss);
  for (const [metric, value] of Object.entries(objective.metrics)) {
    if (reserved.has(metric)) throw new UserError('METRIC_NAME', { what: 'a metric has a reserved name', got: metric });
    graph.output(metric, value);
  }
  const { loss, trains = () => true } = objective;
  return { graph, weights, loss, trained: specs.filter((spec) => trains(spec.name)) };
}

/** The forward pass alone, for evaluation. */
export function evaluationGraph(name: string, specs: readonly ParameterSpec[], forward: Forward): Graph {
  return begin(name, specs, forward).graph;
}

/**
 * A whole step. Inputs: weights, moments, the scalars of `stepScalars`, the forward pass's own. Outputs: loss, metrics, `gradientNorm`, and
 * new weights and moments under the names of the old, with `next ` before. Outputs may be written over the inputs: the clip factor needs
 * every gradient, so no update begins before the last use of a weight, and updates are element-wise in weights and moments.
 */
export function stepGraph(name: string, specs: readonly ParameterSpec[], forward: Forward, options: StepOptions): Graph {
  const { graph, weights, loss, trained } = begin(name, specs, forward);
  const slopes = gradients(loss, trained.map((spec) => weights.get(spec.name)!));
  update(graph, trained, weights, slopes, options);
  for (const spec of specs) {
    if (trained.includes(spec)) continue;
    graph.output(`next ${feedNames.weight(spec.name)}`, identity(weights.get(spec.name)!));
    for (const state of [feedNames.mean(spec.name), feedNames.square(spec.name)]) graph.output(`next ${state}`, identity(graph.input(state, 'float32', spec.shape)));
  }
  return graph;
}

/** Adds a batch's gradients, times `share`, to the sums given as inputs `gradient <name>`; outputs have `next ` before. */
export function accumulationGraph(name: string, specs: readonly ParameterSpec[], forward: Forward, share: number): Graph {
  const { graph, weights, loss, trained } = begin(name, specs, forward);
  const slopes = gradients(mul(loss, graph.scalar(share)), trained.map((spec) => weights.get(spec.name)!));
  for (const spec of specs) {
    const sum = graph.input(feedNames.gradient(spec.name), 'float32', spec.shape);
    const at = trained.indexOf(spec);
    graph.output(`next ${feedNames.gradient(spec.name)}`, at < 0 ? identity(sum) : add(sum, slopes[at]!));
  }
  return graph;
}

/** The update alone, from gradients given as inputs. */
export function updateGraph(name: string, specs: readonly ParameterSpec[], options: StepOptions): Graph {
  const graph = new Graph(name);
  const weights = new Map(specs.map((spec) => [spec.name, graph.input(feedNames.weight(spec.name), 'float32', spec.shape)]));
  update(graph, specs, weights, specs.map((spec) => graph.input(feedNames.gradient(spec.name), 'float32', spec.shape)), options);
  return graph;
}

function update(graph: Graph, specs: readonly ParameterSpec[], weights: ReadonlyMap<string, Value>, slopes: readonly Value[], options: StepOptions): void {
  const meanCorrection = graph.input('meanCorrection', 'float32', []);
  const rootCorrection = graph.input('rootCorrection', 'float32', []);
  const scalars = new Map<string, StepScalars>(
    Object.keys(options.groups).map((group) => [group, { rate: graph.input(`rate ${group}`, 'float32', []), keep: graph.input(`keep ${group}`, 'float32', []), meanCorrection, rootCorrection }]),
  );
  const { norm, factor } = clipFactor(slopes, options.maxGradientNorm);
  graph.output('gradientNorm', identity(norm));
  specs.forEach((spec, i) => {
    const group = scalars.get(spec.group);
    if (!group) throw new UserError('PARAMETER_GROUP', { what: `parameter ${spec.name} belongs to no known group`, got: spec.group, expected: Object.keys(options.groups).join(', ') });
    const mean = graph.input(feedNames.mean(spec.name), 'float32', spec.shape);
    const square = graph.input(feedNames.square(spec.name), 'float32', spec.shape);
    const state = { weight: weights.get(spec.name)!, mean, square };
    const next = options.groups[spec.group] === 'muon' ? { ...muon(state, slopes[i]!, factor, group), square: identity(square) } : adamw(graph, state, slopes[i]!, factor, group, options);
    graph.output(`next ${feedNames.weight(spec.name)}`, next.weight);
    graph.output(`next ${feedNames.mean(spec.name)}`, next.mean);
    graph.output(`next ${feedNames.square(spec.name)}`, next.square);
  });
}
