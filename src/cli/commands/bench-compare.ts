// `thalweg bench`: from its flags to a plan, a run, and the files that it leaves.
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { atMiddle, comparisonMethods, firstSize, quickSize, runComparison } from '../../bench/comparison.ts';
import type { Candidate } from '../../bench/contract.ts';
import { measureRates, type MeasuredRates } from '../../bench/measure-rates.ts';
import { methodCandidates } from '../../bench/method-candidate.ts';
import { parseSetting } from '../../bench/method-setting.ts';
import { loadMocks } from '../../bench/mock.ts';
import { pictureOf } from '../../bench/picture.ts';
import { htmlReport } from '../../bench/report/html.ts';
import { markdownReport } from '../../bench/report/markdown.ts';
import { outFault } from '../../bench/run/journal.ts';
import { summarisePlan, type PlanSummary } from '../../bench/run/plan-summary.ts';
import { makePlan, type RunRequest } from '../../bench/run/plan.ts';
import type { Progress } from '../../bench/run/progress.ts';
import { summaryOf, type BenchRecord } from '../../bench/run/record.ts';
import { runBench, type RunOptions } from '../../bench/run/run.ts';
import { loadSuites } from '../../bench/suite.ts';
import { AsyncDisposableStack } from '../../core/disposal.ts';
import { UserError } from '../../core/errors.ts';
import { cacheFault, makeFolder } from '../../core/make-folder.ts';
import { listAdapters, withAdapter } from '../../models/adapters.ts';
import { openCheckpoint } from '../../models/checkpoint.ts';
import type { Precision } from '../../models/packed/contract.ts';
import { inspectModel } from '../../session/inspect-model.ts';
import { cacheFolder, findModel } from '../../session/model-folder.ts';
import { openModel, type Model } from '../../session/model.ts';
import type { RunContext } from '../command.ts';
import { counted, milliseconds, table, thousands } from '../format.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { withJudge, type JudgeFlags } from './bench-judge.ts';

/** A value of each method's own knob, or of one that all have. */
export interface BudgetFlag {
  readonly knob: string;
  readonly value: number;
}

export interface BenchFlags extends JudgeFlags {
  readonly suite: readonly string[];
  readonly folder?: string;
  readonly method: readonly string[];
  readonly model: string;
  readonly adapter: readonly string[];
  readonly precision?: Precision;
  readonly quick?: boolean;
  readonly within: number;
  readonly minutes?: number;
  readonly fps?: number;
  readonly memoryMib: number;
  readonly budget: readonly BudgetFlag[];
  readonly limit?: number;
  readonly ids?: string;
  readonly worldSize?: number;
  readonly seed: number;
  readonly parallel?: number;
  readonly margin: number;
  readonly out: string;
  readonly dryRun?: boolean;
  readonly retryFailed?: boolean;
}

/** A model of fewer parameters computes fastest on one core, several side by side. */
const smallParameters = 50e6;

export async function compare({ out, signal }: RunContext, flags: BenchFlags): Promise<void> {
  checkFlags(flags);
  const mocks = await loadMocks();
  // Before a model is looked for, let alone loaded.
  for (const name of flags.method) if (!mocks.has(name)) await parseSetting(name);
  const adapters = await adaptersOf(flags, mocks);
  const names = flags.method.length > 0 ? flags.method : await comparisonMethods(adapters.map(({ kind }) => kind));
  const real = names.filter((name) => !mocks.has(name));
  if (flags.suite.length === 0 || flags.suite.some((name) => name.startsWith('world-'))) await makeFolder(cacheFolder(), cacheFault);

  await using opened = new AsyncDisposableStack();
  const lanes = await openLanes(real.length > 0, flags, adapters.map(({ name }) => name), opened, { out, signal });
  const capped = flags.budget.length > 0 && flags.budget[0]!.knob === 'memoryMiB';
  const candidates: Candidate[] = [
    ...names.flatMap((name) => mocks.get(name) ?? []),
    ...(real.length === 0
      ? []
      : await methodCandidates(real, { models: lanes.models, adapted: lanes.adapted, memoryMiB: flags.memoryMib, ...(lanes.rates && { rates: lanes.rates }), ...(capped && { memoryMiBs: flags.budget.map(({ value }) => value) }) })),
  ];
  const request = requestOf(flags, candidates, capped, { out, signal });
  const plan = await makePlan(request, await loadSuites());
  const summary = await summarisePlan(plan, lanes.parallel, lanes.rates?.drawMsPerSec);
  out.data({ kind: 'plan', ...summary, parallel: lanes.parallel }, planText(summary, lanes.parallel, isWhole(flags) ? flags.within : undefined));
  if (flags.dryRun) return;
  await makeFolder(flags.out, outFault);

  const record = await withJudge(flags, flags.out, (judge) => {
    const options: RunOptions = {
      folder: flags.out,
      judge,
      parallel: lanes.parallel,
      margin: flags.margin,
      given: flags,
      signal,
      ...(flags.retryFailed && { retryFailed: true }),
      onProgress: (progress) => out.progress(progressText(progress)),
    };
    if (!isWhole(flags)) return runBench(plan, options);
    return runComparison(request, {
      ...options,
      withinMs: flags.within * 3_600_000,
      onSizes: (sizes) => out.data({ kind: 'sizes', sizes }, `the main rows get ${Object.entries(sizes).map(([name, size]) => `${thousands(size)} videos of ${name}`).join(', ')}`),
    });
  });
  await writeReports(record, flags.out);
  out.data({ kind: 'record', folder: flags.out, cells: record.cells.length }, `\n${markdownReport(record)}\n\nwritten: ${join(flags.out, 'record.json')}, summary.json, report.md, report.html`);
}

/** Without a suite and without --quick: the comparison that grows until it decides. */
function isWhole({ suite, quick, limit, ids, worldSize, minutes }: BenchFlags): boolean {
  return suite.length === 0 && !quick && limit === undefined && ids === undefined && worldSize === undefined && minutes === undefined;
}

function checkFlags({ suite, quick, minutes, folder }: BenchFlags): void {
  if (minutes !== undefined && (quick || suite.length !== 1 || suite[0] !== 'world-stream')) throw new UserError('BAD_COMBINATION', { what: '--minutes is for world-stream', got: quick ? '--quick' : suite.join(', ') || 'no suite', todo: 'name it alone: --suite world-stream' });
  if (quick && suite.length > 0) throw new UserError('BAD_COMBINATION', { what: '--quick chooses its suites itself', got: `--suite ${suite.join(' --suite ')}`, todo: 'leave one of the two out; --limit makes any suite small' });
  if (folder !== undefined && suite.length === 0) throw new UserError('BAD_COMBINATION', { what: '--folder holds the files of a suite', todo: 'name the suite with --suite' });
}

interface NamedAdapter {
  readonly name: string;
  readonly kind: string;
}

/** The adapters that were named, or all that lie in the model's folder. */
async function adaptersOf({ adapter, model, method }: BenchFlags, mocks: ReadonlyMap<string, unknown>): Promise<NamedAdapter[]> {
  if (method.length > 0 && method.every((name) => mocks.has(name))) return [];
  const checkpoint = await openCheckpoint(await findModel(model));
  if (adapter.length > 0) return Promise.all(adapter.map(async (name) => ({ name, kind: (await withAdapter(checkpoint, name)).adapter!.kind })));
  return (await listAdapters(checkpoint)).flatMap(({ name, kind }) => (kind === undefined ? [] : [{ name, kind }]));
}

interface Lanes {
  readonly models: readonly Model[];
  /** By the adapter's name. */
  readonly adapted: ReadonlyMap<string, readonly Model[]>;
  readonly parallel: number;
  /** Measured for a plan that is only shown. */
  readonly rates?: MeasuredRates;
}

async function openLanes(isNeeded: boolean, flags: BenchFlags, adapters: readonly string[], opened: AsyncDisposableStack, { out, signal }: RunContext): Promise<Lanes> {
  if (!isNeeded) return { models: [], adapted: new Map(), parallel: flags.parallel ?? 1 };
  const { parameters } = await inspectModel(flags.model);
  const cores = availableParallelism();
  const parallel = flags.parallel ?? (parameters.total <= smallParameters ? cores : 1);
  out.progress(`opening ${flags.model}`);
  const open = async (adapter?: string): Promise<readonly Model[]> => {
    const models: Model[] = [];
    for (let lane = 0; lane < (flags.dryRun ? 1 : parallel); lane++) {
      models.push(
        opened.use(
          await openModel({
            model: flags.model,
            // The same in every lane count that a run may be resumed with: sums differ with the number of threads.
            threads: parameters.total <= smallParameters ? 1 : Math.max(1, Math.floor(cores / parallel)),
            signal,
            onProgress: ({ stage, done }) => out.progress(`${stage}: ${Math.round(done * 100)} %`),
            ...(flags.precision && { precision: flags.precision }),
            ...(adapter !== undefined && { adapter }),
          }),
        ),
      );
    }
    return models;
  };
  const models = await open();
  const adapted = new Map<string, readonly Model[]>();
  for (const adapter of adapters) adapted.set(basename(adapter), await open(adapter));
  if (!flags.dryRun) return { models, adapted, parallel };
  out.progress('measuring a frame, a question and the drawing of a clip');
  await using folder = await temporaryFolder('thalweg-rates-');
  return { models, adapted, parallel, rates: await measureRates(models[0]!, folder.path, signal) };
}

function requestOf(flags: BenchFlags, candidates: readonly Candidate[], capped: boolean, { out, signal }: RunContext): RunRequest {
  const suites = flags.suite.map((name) => ({ name, ...(flags.folder !== undefined && { folder: flags.folder }) }));
  const size = flags.suite.length > 0 ? { suites } : flags.quick ? quickSize : firstSize;
  return {
    ...size,
    candidates: flags.quick && flags.budget.length === 0 ? atMiddle(candidates) : candidates,
    seed: flags.seed,
    worldCacheFolder: join(cacheFolder(), 'world'),
    onClip: (id, done, total) => out.progress(`asking about clip ${done} of ${total}: ${id}`),
    signal,
    ...(flags.worldSize !== undefined && { worldSize: flags.worldSize }),
    ...(flags.minutes !== undefined && { worldLength: { minutes: flags.minutes } }),
    ...(flags.fps !== undefined && { fps: flags.fps }),
    ...(!capped && flags.budget.length > 0 && { budgets: flags.budget.map(({ value }) => value) }),
    ...(flags.limit !== undefined && { limit: flags.limit }),
    ...(flags.ids !== undefined && { ids: flags.ids.split(',') }),
  };
}

function planText({ suites, cells, missing, drawMs, estimateMs }: PlanSummary, parallel: number, withinHours: number | undefined): string {
  const rows = suites.map((suite) => [suite.name, thousands(suite.videos), thousands(suite.missing), thousands(suite.undrawn), thousands(suite.questions), milliseconds(suite.streamSec * 1000), `${suite.fps}`]);
  const text = [
    table([['suite', 'videos', 'missing', 'to be drawn', 'questions', 'stream', 'frames/s'], ...rows]),
    '',
    table([['run', 'videos', 'questions', 'estimate'], ...cells.map(({ key, videos, questions, estimateMs: ms }) => [key, thousands(videos), thousands(questions), ms === null ? '–' : milliseconds(ms)])]),
    '',
    `${counted(cells.length, 'run')}, ${counted(parallel, 'video')} at once${drawMs ? `, drawing ${milliseconds(drawMs)}` : ''}${estimateMs === null ? '' : `: about ${milliseconds(estimateMs)}, measured on this machine as it is now`}`,
  ];
  if (withinHours !== undefined) text.push(`then the main rows get as many videos more as their differences need to be decided, within ${withinHours} h in all`);
  for (const { file, obtain } of missing.slice(0, 5)) text.push(`missing: ${file} (${obtain})`);
  if (missing.length > 5) text.push(`… and ${missing.length - 5} more`);
  return text.join('\n');
}

function progressText({ doneUnits, totalUnits, leftMs, last }: Progress): string {
  return `${thousands(doneUnits)} of ${counted(totalUnits, 'video')}${leftMs === null ? '' : `, ${milliseconds(leftMs)} left`}${last === null ? '' : ` (${last})`}`;
}

async function writeReports(record: BenchRecord, folder: string): Promise<void> {
  const markdown = markdownReport(record);
  await writeFile(join(folder, 'report.md'), markdown);
  await writeFile(join(folder, 'report.html'), await htmlReport(record, { picture: pictureOf }));
  await writeFile(join(folder, 'summary.json'), `${JSON.stringify(summaryOf(record), null, 1)}\n`);
}
