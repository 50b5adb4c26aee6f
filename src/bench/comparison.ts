// The comparison that `thalweg bench` makes when it is told nothing: every method on the three world suites, and as many videos for the main rows as decide.
import type { Candidate } from './contract.ts';
import { adapterKindOf, allSettings, denseName, presetNames } from './method-setting.ts';
import { makePlan, type Cell, type Plan, type RunRequest } from './run/plan.ts';
import type { BenchRecord, RecordCell } from './run/record.ts';
import { runBench, type RunOptions } from './run/run.ts';
import { loadSuites } from './suite.ts';

/** The suites that need no files. */
export const worldSuites = ['world-stream', 'world-caption', 'world-ego'] as const;

/** Videos of every row before the main rows get more, and the most that a main row gets. */
const firstSizes: Readonly<Record<string, number>> = { 'world-stream': 36, 'world-caption': 48, 'world-ego': 24 };
const largestSize = 3000;
const quickSizes: Readonly<Record<string, number>> = { 'world-stream': 2, 'world-caption': 2, 'world-ego': 1 };

/** Baselines that every method has to be seen beside. */
export const mainMethods: readonly string[] = [denseName, 'fifo', 'uniform'];

/** Suites, sizes and lengths of a comparison. */
export type ComparisonSize = Pick<RunRequest, 'suites' | 'worldSize' | 'worldLength'>;

/** Slots in fewer bytes, all else dense: what the format alone costs. */
const slotFormats = ['memory=dense:slotFormat=int8'];

/**
 * The names of all methods, in the order of a table.
 * @param adapters kinds of the memory adapters that there are; methods that need another are left out
 */
export async function comparisonMethods(adapters: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const setting of await allSettings()) {
    const needed = await adapterKindOf(setting);
    if (needed === undefined || adapters.includes(needed)) names.push(setting.name);
  }
  return [...names, ...slotFormats];
}

/** A few short clips: enough to see every method run. */
export const quickSize: ComparisonSize = { suites: worldSuites.map((name) => ({ name })), worldSize: quickSizes, worldLength: 'short' };

/** What every row begins with. */
export const firstSize: ComparisonSize = { suites: worldSuites.map((name) => ({ name })), worldSize: firstSizes };

/** Each candidate at one value of its knob, in the middle of its sweep. */
export function atMiddle(candidates: readonly Candidate[]): Candidate[] {
  return candidates.map((candidate) => (candidate.knob === undefined ? candidate : { ...candidate, knob: { ...candidate.knob, values: [middleOf(candidate.knob.values)] } }));
}

/** Whether a row is one that has to be decided: the baselines, and presets as they are without a memory adapter. */
function isMainRow({ candidate, budget }: Pick<Cell, 'candidate' | 'budget'>, presets: ReadonlySet<string>): boolean {
  if (presets.has(candidate.method)) return true;
  return mainMethods.includes(candidate.method) && (budget === null || (candidate.knob !== undefined && budget === middleOf(candidate.knob.values)));
}

/** A run, the time that all of it may take, and who is told of the sizes. */
export interface ComparisonOptions extends RunOptions {
  /** All of it should take no longer, as far as the first videos tell. */
  readonly withinMs: number;
  /** Called with the sizes that the main rows get. */
  readonly onSizes?: (sizes: Readonly<Record<string, number>>) => void;
}

/**
 * Runs every row on the first videos, and then the main rows on as many as their differences need to be decided at the margin (with 80 % power, should
 * there be no difference), as far as the time allows. The number follows from the spread seen in the first videos alone, not from the differences
 * (an internal pilot: Wittes and Brittain 1990). A run that was cut short goes on where it was.
 */
export async function runComparison(request: RunRequest, options: ComparisonOptions): Promise<BenchRecord> {
  const suites = await loadSuites();
  const first = await makePlan(request, suites);
  const record = await runBench(first, options);
  const presets = new Set(await presetNames());
  const sizes = largerSizes(first, record, presets, options);
  options.onSizes?.(sizes);
  if (first.suites.every((suite) => sizes[suite.name] === suite.videos.length)) return record;
  const isMain = (row: Pick<Cell, 'candidate' | 'budget'>) => isMainRow(row, presets);
  const started = new Map(first.suites.map((suite) => [suite.name, suite.videos.length]));
  const larger = await makePlan(
    {
      ...request,
      worldSize: sizes,
      fps: Object.fromEntries(first.suites.map(({ name, fps }) => [name, fps])),
      limitOf: (row, suite) => (isMain(row) ? sizes[suite] : started.get(suite)),
    },
    suites,
  );
  return runBench(larger, options);
}

/** Videos of each suite for the main rows. Suites that are decided soonest come first. */
export function largerSizes(plan: Plan, record: BenchRecord, presets: ReadonlySet<string>, { withinMs, parallel = 1 }: Pick<ComparisonOptions, 'withinMs' | 'parallel'>): Record<string, number> {
  const units = record.cells.flatMap((cell) => cell.units);
  let leftMs = withinMs * parallel - units.reduce((sum, { timings }) => sum + timings.wallMs + timings.drawMs, 0);
  const main = new Set(plan.cells.filter((cell) => isMainRow(cell, presets)).map(({ key }) => key));
  const wanted = plan.suites.map((suite) => {
    const rows = record.cells.filter((cell) => cell.suite === suite.name && main.has(cell.key));
    const needed = Math.max(suite.videos.length, ...rows.map((cell) => cell.comparison?.nonInferiority?.required?.videos ?? 0));
    return { name: suite.name, has: suite.videos.length, needed: Math.min(largestSize, needed), msPerVideo: msPerVideo(rows, record.cells.filter((cell) => cell.suite === suite.name), suite.videos.length) };
  });
  const sizes: Record<string, number> = {};
  for (const { name, has, needed, msPerVideo: each } of wanted.toSorted((a, b) => (a.needed - a.has) * a.msPerVideo - (b.needed - b.has) * b.msPerVideo)) {
    const more = Math.max(0, Math.min(needed - has, each === 0 ? 0 : Math.floor(leftMs / each)));
    sizes[name] = has + more;
    leftMs -= more * each;
  }
  return sizes;
}

/** Of the rows that go on, and of drawing. */
function msPerVideo(rows: readonly RecordCell[], all: readonly RecordCell[], videos: number): number {
  const wallMs = rows.flatMap((cell) => cell.units).reduce((sum, { timings }) => sum + timings.wallMs, 0);
  const drawMs = all.flatMap((cell) => cell.units).reduce((sum, { timings }) => sum + timings.drawMs, 0);
  return (wallMs + drawMs) / Math.max(1, videos);
}

/** The setting in the middle of a sweep. */
export function middleOf(values: readonly number[]): number {
  return values[Math.floor((values.length - 1) / 2)]!;
}
