// Which channel of keys and queries DMC takes for its decisions: the one whose loss hurts least, measured on a batch.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Evaluator } from './retrofit-evaluate.ts';
import type { RetrofitModel } from './retrofit-model.ts';
import { startFromModel, turnPair } from './retrofit-model.ts';
import type { ParameterStore } from './parameters.ts';
import { parameterTensors } from './parameters.ts';
import { writeWhole } from '../core/write-whole.ts';

/**
 * Tries every rotary pair: the pair is turned so that its second channel carries the least, that channel is hidden, and the KL from the whole model measured.
 * Leaves the best pair turned in `store`. The paper's code always takes the last channel, of the slowest pair, which small heads can least do without.
 * The choice is kept in the folder, so that a continued run has the same.
 * @returns the channel, of `halves`
 */
export async function chooseChannel(store: ParameterStore, model: RetrofitModel, evaluator: Evaluator, folder: string): Promise<number> {
  const half = model.spec.headWidth / 2;
  const file = path.join(folder, 'channel.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  const losses = known === undefined ? [] : (JSON.parse(known) as { readonly klByPair: readonly number[] }).klByPair.slice();
  while (losses.length < half) {
    const pair = losses.length;
    startFromModel(store, model);
    turnPair(store, model, pair);
    losses.push((await evaluator.evaluate(parameterTensors(store, 'weights'), { channel: pair + half, fade: 0, decisions: 'none', batches: 1, split: 'train' })).kl);
  }
  if (known === undefined) await writeWhole(file, [Buffer.from(`${JSON.stringify({ klByPair: losses })}\n`)]);
  const best = losses.indexOf(Math.min(...losses));
  startFromModel(store, model);
  turnPair(store, model, best);
  return best + half;
}
