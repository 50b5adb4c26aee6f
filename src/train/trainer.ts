// The training loop: steps by a schedule, figures to a log and a plot, checkpoints by the clock, exact resumption, a clean stop on abort.
import { setImmediate } from 'node:timers/promises';
import { ModelError } from '../core/errors.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { Tensor } from '../runtime/onnx.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { openLog } from './log.ts';
import type { Batch, OptimiserOptions } from './optimiser.ts';
import { createOptimiser } from './optimiser.ts';
import type { ParameterStore } from './parameters.ts';
import { feedNames } from './parameters.ts';
import { RunningMeans } from './running-means.ts';
import { removeParts } from '../core/write-whole.ts';
import type { Schedule } from './schedule.ts';
import { learningRate } from './schedule.ts';
import type { Forward } from './step-graph.ts';

/** Where batches come from. Everything that decides the next batch is in its state. */
export interface BatchSource {
  next(): Promise<Batch>;
  /** Plain JSON: after `restore` of it, in another process, `next` gives the batch that it would have given here. */
  state(): unknown;
  restore(state: unknown): void | Promise<void>;
}

export interface TrainerOptions extends OptimiserOptions {
  readonly schedule: Schedule;
  /** Share of the old value in the running average of the weights; absent: no average. */
  readonly averageDecay?: number;
  /** Holds checkpoints, `log.jsonl` and `curves.svg`. An existing run there is continued. */
  readonly folder: string;
  readonly checkpointEverySec: number;
  readonly logEverySteps: number;
  /** Called every `evaluateEverySteps` steps and at the end, with the averaged weights where there is an average. */
  readonly evaluate?: (weights: Tensors, step: number) => Promise<Readonly<Record<string, number>>>;
  readonly evaluateEverySteps?: number;
  /** Stops after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly step: number;
  readonly totalSteps: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly stepsPerSec: number;
  readonly leftSec: number;
}

export interface TrainingResult {
  readonly finished: boolean;
  readonly step: number;
  /** The weights to keep: averaged where there is an average. float32, by parameter name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Checkpoints that were found damaged when the run was continued. */
  readonly damaged: readonly { readonly file: string; readonly why: string }[];
}

/**
 * Trains until the schedule ends or `signal` fires. Calling it again with the same folder continues the run: bit for bit as if it had not stopped.
 * @throws ModelError `TRAIN_DIVERGED` when the loss or the gradients are no numbers any more; the last checkpoint is left as it is
 */
export async function train(store: ParameterStore, forward: (variant: string) => Forward, source: BatchSource, options: TrainerOptions): Promise<TrainingResult> {
  const { schedule, folder } = options;
  const average = options.averageDecay === undefined ? undefined : new Map([...store.weights].map(([name, values]) => [name, values.slice()]));
  await removeParts(folder, 0);
  const loaded = await loadCheckpoint(folder, store, average);
  if (loaded) await source.restore(loaded.state['source']);
  await using log = await openLog(folder, store.step);
  await using optimiser = createOptimiser(store, forward, options);
  const save = async () => {
    await saveCheckpoint(folder, store, { source: source.state() }, average);
    await log.plot();
  };
  const kept = average ?? store.weights;
  const keptTensors = Object.fromEntries(store.specs.map(({ name, shape }) => [feedNames.weight(name), new Tensor('float32', kept.get(name)!, shape)]));

  let savedAt = performance.now();
  let savedStep = loaded ? store.step : -1;
  const clock = { start: performance.now(), firstStep: store.step, pausedMs: 0 };
  const means = new RunningMeans();
  while (store.step < schedule.totalSteps && options.signal?.aborted !== true) {
    const rate = learningRate(schedule, store.step);
    const batches: Batch[] = [];
    while (batches.length < options.accumulation) batches.push(await source.next());
    const { outputs, gradientNorm } = await optimiser.step(batches, rate);
    outputs.forEach((output, i) => {
      const loss = Number(output['loss']!.data[0]);
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        throw new ModelError('TRAIN_DIVERGED', { what: `training diverged at step ${store.step}`, got: `loss ${loss}, gradient norm ${gradientNorm}`, expected: 'finite numbers', todo: 'continue from the last checkpoint with a lower learning rate' });
      }
      means.add({ loss, gradientNorm, ...batches[i]!.measure?.(output) });
    });
    if (average) follow(average, store.weights, Math.min(options.averageDecay!, (1 + store.step) / (10 + store.step)));
    const isLast = store.step === schedule.totalSteps;
    if (store.step % options.logEverySteps === 0 || isLast) {
      const figures = means.take();
      const seconds = (performance.now() - clock.start - clock.pausedMs) / 1000;
      const stepsPerSec = (store.step - clock.firstStep) / seconds;
      await log.write({ kind: 'train', step: store.step, rate, stepsPerSec, ...figures });
      options.onProgress?.({ step: store.step, totalSteps: schedule.totalSteps, figures, stepsPerSec, leftSec: (schedule.totalSteps - store.step) / stepsPerSec });
    }
    const pause = performance.now();
    if (options.evaluate && (isLast || store.step % (options.evaluateEverySteps ?? Infinity) === 0)) {
      await log.write({ kind: 'evaluate', step: store.step, ...(await options.evaluate(keptTensors, store.step)) });
    }
    if (performance.now() - savedAt > options.checkpointEverySec * 1000) {
      await save();
      savedStep = store.step;
      savedAt = performance.now();
    }
    clock.pausedMs += performance.now() - pause;
    // Lets signals and the data workers' messages in: a step itself blocks this thread.
    await setImmediate();
  }
  if (savedStep !== store.step) await save();
  return { finished: store.step >= schedule.totalSteps, step: store.step, weights: kept, damaged: loaded?.damaged ?? [] };
}

/** average ← decay · average + (1 − decay) · weights, in place. */
function follow(average: ReadonlyMap<string, Float32Array>, weights: ReadonlyMap<string, Float32Array>, decay: number): void {
  for (const [name, values] of average) {
    const now = weights.get(name)!;
    for (let i = 0; i < values.length; i++) values[i] = values[i]! + (1 - decay) * (now[i]! - values[i]!);
  }
}
