// `thalweg train nano`: trains the built-in model by its recipe; stops at an interrupt with a checkpoint, and goes on from there.
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { UserError } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { readLog, type LogEntry } from '../../train/log.ts';
import { nanoRecipe, trainNano, type NanoRecipe } from '../../train/nano.ts';
import { claimFolder } from '../claim-folder.ts';
import { count, duration, examples, jsonOption, run, threads, type RunContext } from '../command.ts';
import { milliseconds, thousands } from '../format.ts';
import { createTimeLeft } from '../time-left.ts';

export interface TrainNanoFlags {
  readonly out: string;
  readonly steps?: number;
  readonly threads?: number;
  readonly checkpointEvery: number;
  readonly spinning?: boolean;
}

/** Adds `nano` to the group `thalweg train`. */
export function registerTrainNano(group: Command): void {
  const command = group
    .command('nano')
    .description('train the built-in model from nothing, as its recipe says: draws its clips, trains, writes a checkpoint folder; Ctrl-C stops with a checkpoint, the same command goes on')
    .requiredOption('--out <folder>', 'gets clips/, run/ (checkpoints, log.jsonl, curves.svg) and at the end model/')
    .option('--steps <n>', 'steps in all; every part of the curriculum is shortened or lengthened alike (default: as the recipe says)', count)
    .option('--threads <n>', 'threads that compute (default: all cores)', threads)
    .addOption(new Option('--checkpoint-every <time>', 'what an end by force may cost').argParser(duration).default(300, '5m'))
    .option('--spinning', 'keep threads awake between operators: faster on a machine that does nothing else')
    .addOption(jsonOption())
    .action(run((context, flags: TrainNanoFlags) => runTrainNano(context, flags)));
  examples(command, ['thalweg train nano --out ./nano', 'thalweg train nano --out ./taste --steps 300', 'thalweg demo --model ./nano/model']);
}

export async function runTrainNano({ out, signal }: RunContext, { out: folder, steps, threads: given, checkpointEvery, spinning }: TrainNanoFlags, full: NanoRecipe = nanoRecipe): Promise<void> {
  const recipe = steps === undefined ? full : ofSteps(full, steps);
  const runFolder = join(folder, 'run');
  await makeFolder(folder, { code: 'OUT_NOT_WRITABLE', purpose: 'the training', todo: 'name another folder with --out' });
  // A checkpoint of another recipe cannot be gone on from.
  const recipeFile = join(folder, 'recipe.json');
  if ((await claimFolder(recipeFile, JSON.stringify(recipe, undefined, 1))) !== undefined) throw new UserError('OTHER_RECIPE', { what: `${folder} holds a run of another recipe`, got: recipeFile, expected: `the recipe of this version, in ${thousands(stepsOf(recipe))} steps`, todo: 'give the same --steps, or name another folder with --out' });
  const totalSteps = stepsOf(recipe);
  const before = await checkpointStep(runFolder);
  out.data({ kind: 'started', folder, step: before, totalSteps }, `${before > 0 ? `Going on from step ${thousands(before)}` : 'Training from nothing'}, to step ${thousands(totalSteps)}; curves: ${join(runFolder, 'curves.svg')}`);
  out.progress('teaching the tokenizer');

  const clipsLeft = createTimeLeft();
  const result = await trainNano({
    recipe,
    folder,
    threads: given ?? availableParallelism(),
    checkpointEverySec: checkpointEvery,
    signal,
    ...(spinning && { spinning }),
    onClip: (done, of) => out.progress(`drawing clips: ${thousands(done)} of ${thousands(of)}${clipsLeft(done / of)}`),
    onProgress: ({ step, figures, stepsPerSec, leftSec }) => {
      if (out.json) out.data({ kind: 'step', step, totalSteps, stepsPerSec, leftSec, figures });
      const loss = figures['loss'];
      out.progress(`step ${thousands(step)} of ${thousands(totalSteps)}${loss === undefined ? '' : ` · loss ${loss.toFixed(3)}`} · ${rateText(stepsPerSec)} · ${milliseconds(leftSec * 1000)} left`);
    },
  });
  for (const { file, why } of result.damaged) out.data({ kind: 'damaged', file, why }, `[left out the damaged checkpoint ${file}: ${why}]`);
  const heldOut = (await readLog(join(runFolder, 'log.jsonl'))).findLast(({ kind }) => kind === 'evaluate');
  const model = join(folder, 'model');
  const told = { finished: result.finished, step: result.step, totalSteps, ...(heldOut && { heldOut }), ...(result.finished && { model }) };
  out.data({ kind: 'trained', ...told }, [
    result.finished ? `${model}  a checkpoint folder after ${thousands(result.step)} steps` : `Stopped at step ${thousands(result.step)} of ${thousands(totalSteps)}, with a checkpoint; the same command goes on from there.`,
    ...(heldOut ? [`held-out clips, at step ${thousands(heldOut.step)}: ${figuresText(heldOut)}`] : []),
    ...(result.finished ? [`next: thalweg demo --model ${model}`] : []),
  ].join('\n'));
}

/** The recipe in another number of steps: the parts of its curriculum keep their shares, and a shorter run draws fewer clips, each seen as often. */
export function ofSteps(recipe: NanoRecipe, steps: number): NanoRecipe {
  const all = stepsOf(recipe);
  const share = Math.min(1, steps / all);
  // A batch needs its clips, however short the run.
  const fewer = (clips: number, { stretches, windows }: Pick<NanoRecipe['curriculum'][number], 'stretches' | 'windows'>) => Math.max(Math.ceil(stretches / windows), Math.ceil(clips * share));
  let [given, passed] = [0, 0];
  const curriculum = recipe.curriculum.map((lesson) => {
    passed += lesson.steps;
    // Rounded at the borders, so that the sum is what was asked for.
    const until = Math.round((passed / all) * steps);
    const own = until - given;
    given = until;
    return { ...lesson, steps: own, ...(lesson.clips !== undefined && { clips: fewer(lesson.clips, lesson) }) };
  });
  const { warmupSteps, decaySteps, ...schedule } = recipe.schedule;
  const scaled = (value: number) => Math.round((value / all) * steps);
  return {
    ...recipe,
    trainingClips: Math.max(...recipe.curriculum.map((lesson) => fewer(recipe.trainingClips, lesson))),
    curriculum: curriculum.filter((lesson) => lesson.steps > 0),
    // A longer run needs no longer warm-up.
    schedule: { ...schedule, warmupSteps: Math.min(warmupSteps, scaled(warmupSteps)), ...(decaySteps !== undefined && { decaySteps: scaled(decaySteps) }) },
  };
}

/** Step of the newest checkpoint, 0 where there is none. */
async function checkpointStep(runFolder: string): Promise<number> {
  const names = await readdir(runFolder).catch(() => []);
  return Math.max(0, ...names.map((name) => Number(/^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? 0)));
}

function stepsOf({ curriculum }: NanoRecipe): number {
  return curriculum.reduce((sum, { steps }) => sum + steps, 0);
}

function rateText(stepsPerSec: number): string {
  return stepsPerSec >= 1 ? `${stepsPerSec.toFixed(1)} steps/s` : `${(1 / stepsPerSec).toFixed(1)} s a step`;
}

function figuresText(entry: LogEntry): string {
  return Object.entries(entry).flatMap(([name, value]) => (typeof value === 'number' && name !== 'step' ? [`${name} ${value.toPrecision(3)}`] : [])).join(', ');
}
