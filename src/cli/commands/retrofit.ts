// `thalweg retrofit`: teach a model to merge (DMC) or evict (DMS) what its memory holds, as an adapter.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { extraMatrices, type ExtraMatrix } from '../../train/retrofit-model.ts';
import { retrofitModel } from '../../train/retrofit-run.ts';
import type { RetrofitRunResult } from '../../train/retrofit-run.ts';
import { builtInModel } from '../../session/model-folder.ts';
import { count, examples, jsonOption, positive, run, threads, whole } from '../command.ts';
import { milliseconds, table, thousands } from '../format.ts';

interface RetrofitFlags {
  readonly model: string;
  readonly kind: 'dmc' | 'dms';
  readonly ratio: number;
  readonly steps: number;
  readonly out?: string;
  readonly work?: string;
  readonly seed: number;
  readonly rate?: number;
  readonly window?: number;
  readonly train: readonly ExtraMatrix[];
  readonly batch?: number;
  readonly length?: number;
  readonly frames?: number;
  readonly samples?: number;
  readonly heldOut?: number;
  readonly threads: number;
}

const phases = { fade: 'fading the decision channel out', rise: 'raising the ratio', tune: 'tuning at the ratio' };

export default {
  register(program: Command) {
    const command = program
      .command('retrofit')
      .description('teach a model to merge (dmc) or evict (dms) what its memory holds; writes an adapter, goes on where it was cut short')
      .addOption(new Option('-m, --model <folder|id>', 'the model: a checkpoint folder, a llama2.c file, a pulled model or a built-in one').env('THALWEG_MODEL').default(builtInModel))
      .addOption(new Option('--kind <kind>', 'dmc merges tokens into slots, dms evicts slots').choices(['dmc', 'dms']).default('dmc'))
      .option('--ratio <n>', 'tokens for each slot, over all layers and heads', ratio, 4)
      .option('--steps <n>', 'training steps', count, 1000)
      .option('--out <folder>', "the adapter's folder (default: adapters/<kind>-<ratio>x in the model's folder)")
      .option('--work <folder>', 'checkpoints, log, curves and data (default: in the cache)')
      .option('--seed <n>', 'seed of data and noise', whole, 1)
      .option('--rate <rate>', 'highest learning rate', positive)
      .option('--window <tokens>', 'dms: tokens for which a slot that is to go stays', count)
      .option('--train <list>', 'dmc: matrices that learn beside queries and keys, with commas: value, output, gate, up, down; or all', extraList, [])
      .option('--batch <n>', 'texts or clips a step', count)
      .option('--length <tokens>', 'tokens of a text, for models of text alone', count)
      .option('--frames <n>', 'frames of a clip, for models that see', count)
      .option('--samples <n>', 'texts or clips to train on', count)
      .option('--held-out <n>', 'texts or clips to measure on', count)
      .option('--threads <n>', 'threads that compute', threads, 1)
      .addOption(jsonOption())
      .action(
        run(async ({ out, signal }, { train: extra, ...flags }: RetrofitFlags) => {
          const result = await retrofitModel({
            ...flags,
            extra,
            signal,
            onProgress(progress) {
              out.data(progress);
              if (progress.kind === 'data') {
                out.progress(`the model writes texts to learn from: ${thousands(progress.done)} of ${thousands(progress.total)}`);
                return;
              }
              const { kl, share, target } = progress.figures as Readonly<Record<'kl' | 'share' | 'target', number>>;
              const reached = `${(1 / (1 - share)).toFixed(2)}x of ${(1 / (1 - target)).toFixed(2)}x`;
              out.progress(`${phases[progress.phase]}: step ${thousands(progress.step)} of ${thousands(progress.totalSteps)}, KL ${kl.toFixed(4)}, ${reached}, ${milliseconds(progress.leftSec * 1000)} left`);
            },
          });
          out.data({ kind: 'retrofitted', ...result }, text(result));
        }),
      );
    examples(command, ['thalweg retrofit --ratio 4', 'thalweg retrofit -m ./stories260K.bin --kind dmc --ratio 2 --out ./adapters/dmc-2x', 'thalweg retrofit -m ./my-checkpoint --kind dms --ratio 8 --steps 2000']);
  },
};

function ratio(text: string): number {
  const value = Number(text);
  if (!(value > 1 && value <= 64)) throw new InvalidArgumentError('expected a number above 1 and at most 64');
  return value;
}

function extraList(text: string): readonly ExtraMatrix[] {
  if (text === 'all') return extraMatrices;
  return text.split(',').map((name) => {
    const found = extraMatrices.find((known) => known === name);
    if (!found) throw new InvalidArgumentError(`expected all, or some of ${extraMatrices.join(', ')} with commas`);
    return found;
  });
}

function text({ folder, figures, targetRatio, work }: RetrofitRunResult): string {
  const { loss, teacherLoss, kl, ratio: reached, ratios } = figures;
  const change = ((loss / teacherLoss - 1) * 100).toFixed(2);
  const rows = ratios.map((heads, layer) => [`layer ${layer}`, ...heads.map((value) => `${value.toFixed(2)}x`)]);
  return [
    `adapter in ${folder}`,
    `  ratio ${reached.toFixed(2)}x (wanted ${targetRatio}x), loss ${loss.toFixed(4)} against ${teacherLoss.toFixed(4)} uncompressed (${change} %), KL ${kl.toFixed(4)}`,
    ...table([['', ...ratios[0]!.map((_, head) => `head ${head}`)], ...rows]).split('\n').map((line) => `  ${line}`),
    `  log and curves in ${work}`,
  ].join('\n');
}
