// Takes optimiser steps: opens the training graphs of a task when their first batch comes, and runs them over the parameters in place.
import type { OnnxModel, Tensors } from '../runtime/onnx.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import type { AdamWOptions } from './adamw.ts';
import type { ParameterStore } from './parameters.ts';
import { elementsOf, feedNames, parameterTensors } from './parameters.ts';
import type { Forward } from './step-graph.ts';
import { accumulationGraph, stepGraph, updateGraph } from './step-graph.ts';

export interface ParameterGroup {
  /** `muon` is for matrices inside the network. Default: `adamw`. */
  readonly kind?: 'adamw' | 'muon';
  /** Factor of the learning rate. */
  readonly rateFactor: number;
  readonly weightDecay: number;
}

export interface OptimiserOptions {
  readonly adamw: AdamWOptions;
  readonly groups: Readonly<Record<string, ParameterGroup>>;
  /** Batches whose gradients are averaged before one step. */
  readonly accumulation: number;
  readonly threads: number;
  /** Keep the threads awake between operators: for a machine that does nothing else. */
  readonly spinning?: boolean;
}

export interface Batch {
  /** Which forward pass it is for: batches of other lengths have graphs of their own. */
  readonly variant: string;
  readonly feeds: Tensors;
  /** Figures for the log, from the step's outputs. */
  readonly measure?: (outputs: Tensors) => Readonly<Record<string, number>>;
}

export interface Optimiser extends AsyncDisposable {
  /** One step; `batches` are as many as `accumulation`. Returns the outputs of each batch, and the norm of the gradients before clipping. */
  step(batches: readonly Batch[], rate: number): Promise<{ readonly outputs: readonly Tensors[]; readonly gradientNorm: number }>;
}

const scalar = (value: number) => new Tensor('float32', Float32Array.of(value), []);

export function createOptimiser(store: ParameterStore, forward: (variant: string) => Forward, options: OptimiserOptions): Optimiser {
  const { specs } = store;
  const names = { groups: Object.fromEntries(Object.entries(options.groups).map(([name, { kind = 'adamw' }]) => [name, kind])), ...options.adamw };
  const models = new Map<string, OnnxModel>();
  const open = async (key: string, build: () => Uint8Array) => {
    const known = models.get(key);
    if (known) return known;
    const model = await openOnnx(build(), { threads: options.threads, spinning: options.spinning ?? false });
    models.set(key, model);
    return model;
  };
  const weights = parameterTensors(store, 'weights');
  const state = parameterTensors(store, 'weights and moments');
  const next = Object.fromEntries(Object.entries(state).map(([name, tensor]) => [`next ${name}`, tensor]));
  const sums = options.accumulation === 1 ? {} : Object.fromEntries(specs.map(({ name, shape }) => [feedNames.gradient(name), new Tensor('float32', new Float32Array(elementsOf(shape)), shape)]));
  const nextSums = Object.fromEntries(Object.entries(sums).map(([name, tensor]) => [`next ${name}`, tensor]));

  const scalars = (rate: number): Tensors => {
    const t = store.step + 1;
    const feeds: Record<string, Tensor> = { meanCorrection: scalar(1 / (1 - options.adamw.beta1 ** t)), rootCorrection: scalar(1 / Math.sqrt(1 - options.adamw.beta2 ** t)) };
    for (const [group, { rateFactor, weightDecay }] of Object.entries(options.groups)) {
      feeds[`rate ${group}`] = scalar(rate * rateFactor);
      feeds[`keep ${group}`] = scalar(1 - rate * rateFactor * weightDecay);
    }
    return feeds;
  };
  const gradientNorm = (outputs: Tensors) => Number(outputs['gradientNorm']!.data[0]);

  return {
    async step(batches, rate) {
      if (options.accumulation === 1) {
        const [batch] = batches;
        const model = await open(batch!.variant, () => stepGraph(batch!.variant, specs, forward(batch!.variant), names).encode());
        const outputs = await model.run({ ...state, ...scalars(rate), ...batch!.feeds }, next);
        store.step++;
        return { outputs: [outputs], gradientNorm: gradientNorm(outputs) };
      }
      for (const tensor of Object.values(sums)) (tensor.data).fill(0);
      const outputs: Tensors[] = [];
      for (const batch of batches) {
        const model = await open(batch.variant, () => accumulationGraph(batch.variant, specs, forward(batch.variant), 1 / options.accumulation).encode());
        outputs.push(await model.run({ ...weights, ...sums, ...batch.feeds }, nextSums));
      }
      const model = await open('update', () => updateGraph('update', specs, names).encode());
      const updated = await model.run({ ...state, ...sums, ...scalars(rate) }, next);
      store.step++;
      return { outputs, gradientNorm: gradientNorm(updated) };
    },
    async [Symbol.asyncDispose]() {
      for (const model of models.values()) await model[Symbol.asyncDispose]();
      models.clear();
    },
  };
}
