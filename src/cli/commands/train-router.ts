// `thalweg train router`: trains the gates that choose which frames and patches a checkpoint computes.
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { cacheFolder, findModel } from '../../session/model-folder.ts';
import { trainRouterOf } from '../../train/router-run.ts';
import { count, examples, jsonOption, run, threads, whole } from '../command.ts';

interface RouterFlags {
  readonly model: string;
  readonly labels: 'tokens' | 'truth';
  readonly clips: number;
  readonly steps: number;
  readonly seed: number;
  readonly threads: number;
  readonly work?: string;
}

/** Adds `router` to the group `thalweg train`. */
export function registerTrainRouter(train: Command): void {
  const command = train
    .command('router')
    .description('train the learned gate of a checkpoint on the synthetic world: which frames and patches it computes; writes router.json into its folder')
    .requiredOption('-m, --model <folder|id>', 'the checkpoint; its folder gets router.json')
    .addOption(new Option('--labels <kind>', "what counts as a change: the model's own visual tokens, or what moves in the world").choices(['tokens', 'truth']).default('tokens'))
    .option('--clips <n>', 'clips to learn from; a fifth more are held out', count, 60)
    .option('--steps <n>', 'steps of the optimiser', count, 1500)
    .option('--seed <n>', 'seed of clips and batches', whole, 1)
    .option('--threads <n>', 'threads that compute', threads, 1)
    .option('--work <folder>', 'checkpoints, log and curves; a run that was cut short goes on from there (default: a folder of the cache)')
    .addOption(jsonOption())
    .action(
      run(async ({ out, signal }, flags: RouterFlags) => {
        const folder = await findModel(flags.model);
        const { path, trained } = await trainRouterOf({
          folder,
          cacheFolder: cacheFolder(),
          labels: flags.labels,
          workFolder: flags.work ?? join(cacheFolder(), 'router', `${folder.replaceAll(/[^\w.-]+/g, '-')}-${flags.labels}-${flags.clips}-${flags.steps}-${flags.seed}`),
          clips: flags.clips,
          steps: flags.steps,
          seed: flags.seed,
          threads: flags.threads,
          signal,
          onProgress: ({ stage, done }) => out.progress(`${stage}: ${Math.round(done * 100)} %`),
        });
        out.data({ kind: 'router', path, trained }, `written: ${path}\n${JSON.stringify(trained, undefined, 2)}`);
      }),
    );
  examples(command, ['thalweg train router --model ./my-checkpoint', 'thalweg train router --model ./untrained --labels truth --clips 20']);
}
