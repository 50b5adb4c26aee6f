// `thalweg bench`: suites × methods, with a record and a report; `thalweg bench score`: somebody else's answers.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { builtInModel } from '../../session/model-folder.ts';
import { count, examples, jsonOption, nonNegative, positive, positiveUpTo, run, whole } from '../command.ts';
import { compare, type BenchFlags, type BudgetFlag } from './bench-compare.ts';
import { addJudgeOptions } from './bench-judge.ts';
import { scoreFile, type ScoreFlags } from './bench-score.ts';

const gather = (text: string, before: readonly string[]) => [...before, text];

export default {
  register(program: Command) {
    const command = program
      .command('bench')
      .description('compare methods on suites: quality, cost, speed; without arguments all methods on the synthetic world, at sizes that decide; resumable')
      .enablePositionalOptions();
    addJudgeOptions(command)
      .option('--suite <name>', 'a suite; repeatable (default: the three suites of the synthetic world)', gather, [])
      .option('--folder <path>', 'where the annotation files and videos of an official suite are')
      .option('--method <name>', 'a method, a combination such as vision=dtd,memory=fifo:frames=32, or a mock (oracle, silent, first-option); repeatable (default: all methods)', gather, [])
      .addOption(new Option('-m, --model <folder|id>', 'the model that all methods run on').env('THALWEG_MODEL').default(builtInModel))
      .option('--adapter <name>', "a memory adapter for the methods that need one; repeatable (default: all in the model's folder)", gather, [])
      .addOption(new Option('--precision <kind>', 'how weights and activations are stored (default: by the size of the model)').choices(['float32', 'w8a8', 'w8', 'w4']))
      .option('--quick', 'every method at one setting on a few short clips: minutes instead of hours')
      .option('--within <hours>', 'how long the comparison without a suite may take', positive, 2)
      .option('--minutes <n>', 'streams of that length instead of the usual world-stream: what happened long ago beside what just happened', positiveUpTo(24 * 60))
      .option('--fps <rate>', 'frames a second that the model sees (default: by suite, the highest of 2, 1, 0.5, 0.25 that dense holds)', positive)
      .option('--memory-mib <MiB>', "hard cap on a stream's memory", positiveUpTo(2 ** 20), 4096)
      .option('--budget <value>', "a value of the methods' knob, or memoryMiB=value for a cap on all; repeatable (default: each method's own sweep)", budgets, [])
      .option('--limit <n>', 'videos of each suite, from the first', count)
      .option('--ids <list>', 'question or video ids to keep, with commas')
      .option('--world-size <n>', 'clips of a world suite', count)
      .option('--seed <n>', 'seed of the world suites and of sampling', whole, 0)
      .option('--parallel <n>', 'videos worked on at once, each with a model of its own (default: as many as there are cores for a small model, else 1)', count)
      .option('--margin <share>', 'margin of non-inferiority', positive, 0.01)
      .option('--out <folder>', 'record, journal and report; a run that was cut short goes on from there', 'bench-results')
      .option('--retry-failed', 'run units anew that failed before')
      .option('--dry-run', 'measure the model on a clip of seconds, print the plan and its cost, and stop')
      .addOption(jsonOption())
      .action(run((context, flags: BenchFlags) => compare(context, flags)));
    examples(command, [
      'thalweg bench --quick',
      'thalweg bench --dry-run',
      'thalweg bench --suite world-stream --minutes 60 --world-size 2 --method fifo --method merge',
      'thalweg bench --suite world-stream --method dense --method vision=dtd,memory=fifo:frames=32 --model ./my-checkpoint',
      'thalweg bench --suite egoschema --folder ./egoschema --method dense --model HuggingFaceTB/SmolVLM2-500M-Video-Instruct --limit 50 --dry-run',
      'thalweg bench score --suite egoschema --folder ./egoschema --predictions answers.json',
    ]);

    const score = addJudgeOptions(command.command('score').description('score an output file in an official format'))
      .requiredOption('--suite <name>', 'the suite that the file answers')
      .requiredOption('--folder <path>', 'where its annotation files are')
      .requiredOption('--predictions <file>', 'the output file')
      .addOption(jsonOption())
      .action(run((context, flags: ScoreFlags) => scoreFile(context, flags)));
    examples(score, ['thalweg bench score --suite streambench --folder ./streambench --predictions output.json --judge-url http://127.0.0.1:8080/v1']);
  },
};

/** `0.5` is a value of each method's knob, `memoryMiB=0.5` a cap. */
function budgets(text: string, before: readonly BudgetFlag[]): BudgetFlag[] {
  const [, knob, value] = /^(?:(\w+)=)?(.+)$/.exec(text) ?? [];
  if (value === undefined || (knob !== undefined && knob !== 'memoryMiB')) throw new InvalidArgumentError('expected a number, or memoryMiB=number');
  const one: BudgetFlag = knob === undefined ? { knob: 'own', value: nonNegative(value) } : { knob, value: positive(value) };
  if (before.some((other) => other.knob !== one.knob)) throw new InvalidArgumentError('expected either values of the knobs or caps, not both');
  return [...before, one];
}
