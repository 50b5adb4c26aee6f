// Trainable parameters: what they are, their first values, and the arrays that hold them with their optimiser moments.
import { UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { Tensor } from '../runtime/onnx.ts';

/** First values: a constant, or normal deviates. */
export type Initialiser = { readonly kind: 'constant'; readonly value: number } | { readonly kind: 'normal'; readonly std: number };

export interface ParameterSpec {
  /** Name in the checkpoint, as published checkpoints of the family name it. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialiser: Initialiser;
  /** Parameters of a group share their learning rate factor and weight decay. */
  readonly group: string;
}

/** The arrays of a training run. They stay where they are: every step reads and writes them in place. */
export interface ParameterStore {
  readonly specs: readonly ParameterSpec[];
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** First and second moments of AdamW. */
  readonly means: ReadonlyMap<string, Float32Array>;
  readonly squares: ReadonlyMap<string, Float32Array>;
  /** Optimiser steps taken. */
  step: number;
}

export const elementsOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** New parameters. Each draws from a stream of its own, so adding one leaves the others' values as they were. */
export function createParameters(specs: readonly ParameterSpec[], random: Random): ParameterStore {
  const names = new Set(specs.map(({ name }) => name));
  if (names.size !== specs.length) throw new UserError('PARAMETER_TWICE', { what: 'two parameters have one name', got: specs.map(({ name }) => name).find((name, i, all) => all.indexOf(name) !== i)! });
  const root = random.state().join(' ');
  const zeros = () => new Map(specs.map(({ name, shape }) => [name, new Float32Array(elementsOf(shape))]));
  const weights = zeros();
  for (const { name, initialiser } of specs) {
    const values = weights.get(name)!;
    if (initialiser.kind === 'constant') values.fill(initialiser.value);
    else {
      const draws = random.fork(`${root} ${name}`);
      for (let i = 0; i < values.length; i++) values[i] = initialiser.std * draws.normal();
    }
  }
  return { specs, weights, means: zeros(), squares: zeros(), step: 0 };
}

/** Names of a parameter's tensors in a step graph. */
export const feedNames = {
  weight: (name: string) => `weight ${name}`,
  mean: (name: string) => `mean ${name}`,
  square: (name: string) => `square ${name}`,
  gradient: (name: string) => `gradient ${name}`,
};

/** Weights as feeds; `moments` adds those of the optimiser. The arrays are shared, not copied. */
export function parameterTensors(store: ParameterStore, moments: 'weights' | 'weights and moments'): Tensors {
  const feeds: Record<string, Tensor> = {};
  for (const { name, shape } of store.specs) {
    feeds[feedNames.weight(name)] = new Tensor('float32', store.weights.get(name)!, shape);
    if (moments === 'weights') continue;
    feeds[feedNames.mean(name)] = new Tensor('float32', store.means.get(name)!, shape);
    feeds[feedNames.square(name)] = new Tensor('float32', store.squares.get(name)!, shape);
  }
  return feeds;
}
