// `thalweg bench`: suites × methods, with a record and a report; `thalweg bench score`: somebody else's answers.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import {
  cacheFolder,
  createChatJudge,
  htmlReport,
  listMethods,
  loadMocks,
  loadSuites,
  makePlan,
  markdownReport,
  matchJudge,
  methodCandidates,
  openModel,
  resolveFiles,
  runBench,
  scorePredictions,
  summarisePlan,
  type Candidate,
  type ChatJudge,
  type Judge,
} from '../../index.ts';
import { UserError } from '../../core/errors.ts';
import { cacheFault, makeFolder } from '../../core/make-folder.ts';
import { count, examples, jsonOption, nonNegative, positive, positiveUpTo, run, whole, type RunContext } from '../command.ts';
import { counted, milliseconds, table, thousands } from '../format.ts';

interface JudgeFlags {
  readonly judgeUrl?: string;
  readonly judgeModel: string;
}

interface BenchFlags extends JudgeFlags {
  readonly suite: readonly string[];
  readonly folder?: string;
  readonly method: readonly string[];
  readonly model?: string;
  readonly precision: 'float32' | 'w8a8' | 'w8' | 'w4';
  readonly fps: number;
  readonly memoryMib: number;
  readonly budget: readonly number[];
  readonly limit?: number;
  readonly ids?: string;
  readonly worldSize: number;
  readonly seed: number;
  readonly parallel: number;
  readonly margin: number;
  readonly out: string;
  readonly dryRun?: boolean;
  readonly retryFailed?: boolean;
}

const gather = (text: string, before: readonly string[]) => [...before, text];
const gatherNumber = (text: string, before: readonly number[]) => [...before, nonNegative(text)];

export default {
  register(program: Command) {
    const command = program.command('bench').description('compare methods on suites: quality, cost, speed; resumable').enablePositionalOptions();
    addJudgeOptions(command)
      .option('--suite <name>', 'a suite; repeatable', gather, [])
      .option('--folder <path>', 'where the annotation files and videos of an official suite are')
      .option('--method <name>', 'a method, or a mock (oracle, silent, first-option); repeatable', gather, [])
      .option('-m, --model <folder|id>', 'the model that all methods run on')
      .addOption(new Option('--precision <kind>', 'how weights and activations are stored').choices(['float32', 'w8a8', 'w8', 'w4']).default('w8a8'))
      .option('--fps <rate>', 'frames a second that the model sees', positive, 1)
      .option('--memory-mib <MiB>', "hard cap on a stream's memory", positiveUpTo(2 ** 20), 4096)
      .option('--budget <value>', "a value of the methods' knob; repeatable (default: each method's own sweep)", gatherNumber, [])
      .option('--limit <n>', 'videos of each suite, from the first', count)
      .option('--ids <list>', 'question or video ids to keep, with commas')
      .option('--world-size <n>', 'clips of a world suite', count, 100)
      .option('--seed <n>', 'seed of the world suites and of sampling', whole, 0)
      .option('--parallel <n>', 'videos worked on at once', count, 1)
      .option('--margin <share>', 'margin of non-inferiority', positive, 0.01)
      .option('--out <folder>', 'record, journal and report; a run that was cut short goes on from there', 'bench-results')
      .option('--retry-failed', 'run units anew that failed before')
      .option('--dry-run', 'print the plan and its cost, and stop')
      .addOption(jsonOption())
      .action(run((context, flags: BenchFlags) => compare(context, flags)));
    examples(command, [
      'thalweg bench --suite world-stream --method dense --method fifo --method uniform --model ./my-checkpoint',
      'thalweg bench --suite egoschema --folder ./egoschema --method dense --model HuggingFaceTB/SmolVLM2-500M-Video-Instruct --limit 50 --dry-run',
      'thalweg bench score --suite egoschema --folder ./egoschema --predictions answers.json',
    ]);

    const score = addJudgeOptions(command.command('score').description('score an output file in an official format'))
      .requiredOption('--suite <name>', 'the suite that the file answers')
      .requiredOption('--folder <path>', 'where its annotation files are')
      .requiredOption('--predictions <file>', 'the output file')
      .addOption(jsonOption())
      .action(run((context, flags: JudgeFlags & { readonly suite: string; readonly folder: string; readonly predictions: string }) => scoreFile(context, flags)));
    examples(score, ['thalweg bench score --suite streambench --folder ./streambench --predictions output.json --judge-url http://127.0.0.1:8080/v1']);
  },
};

function addJudgeOptions(command: Command): Command {
  return command
    .option('--judge-url <address>', 'an OpenAI-compatible server that judges answers (default: exact and normalised match)')
    .option('--judge-model <name>', 'model of the judge', 'judge');
}

async function withJudge<T>({ judgeUrl, judgeModel }: JudgeFlags, folder: string, work: (judge: Judge) => Promise<T>): Promise<T> {
  if (judgeUrl === undefined) return work(matchJudge('normalised'));
  const apiKey = process.env['OPENAI_API_KEY'];
  const judge: ChatJudge = await createChatJudge({ address: judgeUrl, model: judgeModel, cacheFile: join(folder, 'judge-replies.jsonl'), ...(apiKey !== undefined && { apiKey }) });
  try {
    return await work(judge);
  } finally {
    await judge.close();
  }
}

async function compare({ out, signal }: RunContext, flags: BenchFlags): Promise<void> {
  const mocks = await loadMocks();
  const real = flags.method.filter((name) => !mocks.has(name));
  await using opened = new AsyncDisposableStack();
  const candidates: Candidate[] = flags.method.flatMap((name) => mocks.get(name) ?? []);
  await checkMethods(real, [...mocks.keys()]);
  if (real.length > 0) {
    if (flags.model === undefined) throw new UserError('NO_MODEL_NAMED', { what: `method ${real[0]!} needs a model`, todo: 'name one with --model' });
    out.progress(`opening ${flags.model}`);
    const model = opened.use(await openModel({ model: flags.model, precision: flags.precision, signal, onProgress: ({ stage, done }) => out.progress(`${stage}: ${Math.round(done * 100)} %`) }));
    candidates.push(...(await methodCandidates(real, { model, fps: flags.fps, memoryMiB: flags.memoryMib })));
  }
  if (flags.suite.some((name) => name.startsWith('world-'))) await makeFolder(cacheFolder(), cacheFault);
  const request = {
    suites: flags.suite.map((name) => ({ name, ...(flags.folder !== undefined && { folder: flags.folder }) })),
    candidates,
    seed: flags.seed,
    worldSize: flags.worldSize,
    worldCacheFolder: join(cacheFolder(), 'world'),
    onClip: (id: string, done: number, total: number) => out.progress(`drawing clip ${done} of ${total}: ${id}`),
    signal,
    ...(flags.budget.length > 0 && { budgets: flags.budget }),
    ...(flags.limit !== undefined && { limit: flags.limit }),
    ...(flags.ids !== undefined && { ids: flags.ids.split(',') }),
  };
  const plan = await makePlan(request, await loadSuites());
  const summary = summarisePlan(plan, flags.parallel);
  const suiteRows = summary.suites.map(({ name, videos, missing, questions, streamSec }) => [name, thousands(videos), thousands(missing), thousands(questions), milliseconds(streamSec * 1000)]);
  const planText = [table([['suite', 'videos', 'missing', 'questions', 'stream'], ...suiteRows]), '', `${counted(plan.cells.length, 'run')}: ${plan.cells.map(({ key }) => key).join(', ')}`];
  for (const { file, obtain } of summary.missing.slice(0, 5)) planText.push(`missing: ${file} (${obtain})`);
  if (summary.missing.length > 5) planText.push(`… and ${summary.missing.length - 5} more`);
  out.data({ kind: 'plan', ...summary }, planText.join('\n'));
  if (flags.dryRun) return;
  await makeFolder(flags.out, { code: 'OUT_NOT_WRITABLE', purpose: 'the results', todo: 'name another folder with --out' });

  const record = await withJudge(flags, flags.out, (judge) =>
    runBench(plan, {
      folder: flags.out,
      judge,
      parallel: flags.parallel,
      margin: flags.margin,
      given: flags,
      signal,
      ...(flags.retryFailed && { retryFailed: true }),
      onProgress({ doneUnits, totalUnits, leftMs, last }) {
        out.progress(`${thousands(doneUnits)} of ${counted(totalUnits, 'video')}${leftMs === null ? '' : `, ${milliseconds(leftMs)} left`}${last === null ? '' : ` (${last})`}`);
      },
    }),
  );
  const markdown = markdownReport(record);
  await writeFile(join(flags.out, 'report.md'), markdown);
  await writeFile(join(flags.out, 'report.html'), await htmlReport(record));
  out.data({ kind: 'record', folder: flags.out, cells: record.cells.length }, `\n${markdown}\n\nwritten: ${join(flags.out, 'record.json')}, report.md, report.html`);
}

/** Before a model is looked for, let alone loaded. */
async function checkMethods(names: readonly string[], mocks: readonly string[]): Promise<void> {
  const known = (await listMethods()).map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UserError('UNKNOWN_METHOD', { what: 'unknown method', got: `"${unknown}"`, expected: `one of ${[...new Set([...known, ...mocks])].join(', ')}` });
}

async function scoreFile({ out, signal }: RunContext, { suite: name, folder, predictions, ...judgeFlags }: JudgeFlags & { readonly suite: string; readonly folder: string; readonly predictions: string }): Promise<void> {
  const suites = await loadSuites();
  const suite = suites.get(name);
  if (!suite) throw new UserError('UNKNOWN_SUITE', { what: 'unknown suite', got: `"${name}"`, expected: `one of ${[...suites.keys()].join(', ')}` });
  const loaded = await suite.load(await resolveFiles(name, suite, folder));
  const scores = await withJudge(judgeFlags, folder, (judge) => scorePredictions({ name, suite, loaded, file: predictions, judge, signal }));
  out.data({ kind: 'scores', ...scores }, JSON.stringify(scores, null, 2));
}
