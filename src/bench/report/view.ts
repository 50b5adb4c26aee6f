// What a report shows of a record: rows beside their baseline, series over cost and over time, examples where methods differ.
import { createRandom } from '../../core/random.ts';
import { quantile, type Interval } from '../statistics/bootstrap.ts';
import type { BenchRecord, RecordCell, RecordItem, RecordQuestion, RecordSuite } from '../run/record.ts';

/** One row of the main table. Ratios are to the baseline on the same videos; null where there is no baseline or it did none of that work. */
export interface Row {
  readonly cell: RecordCell;
  readonly name: string;
  readonly isBaseline: boolean;
  readonly ratios: Readonly<Record<CostKey, number | null>>;
}

export type CostKey = 'kvBytes' | 'visualTokens' | 'patchLayers' | 'flops' | 'firstToken' | 'streamTime';

/** Costs that quality is drawn against, in the order of the report. */
export const costNames: Readonly<Record<CostKey, string>> = {
  kvBytes: 'Live KV memory at the question',
  visualTokens: 'Visual tokens into the decoder',
  patchLayers: 'Encoder work (patches × layers)',
  flops: 'Floating-point operations',
  firstToken: 'Delay to the first token',
  streamTime: 'Time to process the stream',
};

export interface SuiteView {
  readonly suite: RecordSuite;
  readonly rows: readonly Row[];
  readonly baseline: RecordCell | null;
  /** Unit of the main figure: how it is called and what it is multiplied with to be shown. */
  readonly figure: { readonly name: string; readonly scale: number; readonly unit: string };
  readonly examples: readonly Example[];
}

/** A question where one of the two is right and the other wrong. */
export interface Example {
  readonly question: RecordQuestion;
  readonly videoPath: string | null;
  readonly baseline: RecordItem;
  readonly others: readonly { readonly name: string; readonly item: RecordItem }[];
}

export function viewsOf(
  record: BenchRecord,
  { baseline = record.baseline, examples = 6 }: { readonly baseline?: string | undefined; readonly examples?: number | undefined } = {},
): SuiteView[] {
  return record.suites.map((suite) => {
    const cells = record.cells.filter((cell) => cell.suite === suite.name);
    const baselines = cells.filter((cell) => cell.method === baseline);
    const rows = cells.map((cell): Row => {
      const own = baselines.find((one) => one.model === cell.model) ?? null;
      return { cell, name: rowName(cell, cells), isBaseline: own === cell, ratios: ratiosOf(cell, baselineFor(cell, own)) };
    });
    const first = baselines[0] ?? null;
    return {
      suite,
      rows,
      baseline: first,
      figure: suite.metric === 'ciderD' ? { name: 'CIDEr-D', scale: 100, unit: '' } : { name: 'Accuracy', scale: 100, unit: ' %' },
      examples: first === null ? [] : pickExamples(suite, first, rows, examples, record.seed),
    };
  });
}

function rowName(cell: RecordCell, all: readonly RecordCell[]): string {
  const models = new Set(all.filter((one) => !one.isMock).map((one) => one.model));
  const base = cell.isMock || models.size < 2 ? cell.method : `${cell.method} · ${cell.model}`;
  return cell.budget === null ? base : `${base}, ${cell.knob ?? 'budget'} ${cell.budget}`;
}

/** The baseline's costs on the videos of a cell: a row may have fewer than the baseline has. */
function baselineFor({ comparison }: RecordCell, baseline: RecordCell | null): Pick<RecordCell, 'costs' | 'timings'> | null {
  return comparison !== undefined && comparison.baseline === baseline?.key ? { costs: comparison.baselineCosts, timings: comparison.baselineTimings } : baseline;
}

function ratiosOf(cell: RecordCell, baseline: Pick<RecordCell, 'costs' | 'timings'> | null): Row['ratios'] {
  const ratio = (own: number | undefined, other: number | undefined) => (own === undefined || other === undefined || other === 0 ? null : own / other);
  return {
    kvBytes: ratio(cell.costs.kvBytesMean, baseline?.costs.kvBytesMean),
    visualTokens: ratio(cell.costs.visualTokens, baseline?.costs.visualTokens),
    patchLayers: ratio(cell.costs.patchLayers, baseline?.costs.patchLayers),
    flops: ratio(cell.costs.flops, baseline?.costs.flops),
    firstToken: ratio(cell.timings.firstTokenMs?.median, baseline?.timings.firstTokenMs?.median),
    streamTime: ratio(cell.timings.streamMs, baseline?.timings.streamMs),
  };
}

/** Neither a mock nor a control. */
export function isContestant({ cell }: Row): boolean {
  return !cell.isMock && cell.control === null;
}

/** Rows of one method at its budgets: one curve. */
export function curvesOf(rows: readonly Row[]): { readonly name: string; readonly rows: readonly Row[] }[] {
  return [...Map.groupBy(rows.filter(isContestant), (row) => `${row.cell.method}\u0000${row.cell.model}`).values()].map((group) => {
    const { method, model } = group[0]!.cell;
    const isAlone = new Set(rows.filter(isContestant).map((row) => row.cell.model)).size === 1;
    return { name: isAlone ? method : `${method} · ${model}`, rows: group.toSorted((a, b) => (a.cell.budget ?? 0) - (b.cell.budget ?? 0)) };
  });
}

/** Medians over questions of one cell in bins of stream time; questions at the end of a clip count at its length where that is known. */
export function overTime(
  cell: RecordCell,
  suite: RecordSuite,
  pick: (item: RecordItem) => number,
  bins = 12,
): { readonly timeSec: number; readonly median: number; readonly low: number; readonly high: number }[] {
  const points = cell.items.flatMap((item) => {
    if (item.status !== 'scored' && item.status !== 'unscored') return [];
    const timeSec = streamTimeOf(item, suite);
    return timeSec > 0 ? [{ timeSec, value: pick(item) }] : [];
  });
  const longest = Math.max(0, ...points.map((point) => point.timeSec));
  if (longest === 0) return [];
  const groups = Map.groupBy(points, (point) => Math.min(bins - 1, Math.floor((point.timeSec / longest) * bins)));
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => {
      const values = group.map((point) => point.value).sort((a, b) => a - b);
      return {
        timeSec: group.reduce((sum, point) => sum + point.timeSec, 0) / group.length,
        median: quantile(values, 0.5),
        low: quantile(values, 0.05),
        high: quantile(values, 0.95),
      };
    });
}

const lengths = new WeakMap<RecordSuite, ReadonlyMap<string, number>>();

/** When a question was asked, in seconds of its stream; one at the end of a clip at its length. */
export function streamTimeOf(item: RecordItem, suite: RecordSuite): number {
  let known = lengths.get(suite);
  if (!known) lengths.set(suite, (known = new Map(suite.videos.map((video) => [video.id, video.streamSec]))));
  return typeof item.atSec === 'number' ? item.atSec : (known.get(item.videoId) ?? 0);
}

function pickExamples(suite: RecordSuite, baseline: RecordCell, rows: readonly Row[], count: number, seed: number): Example[] {
  const others = rows.filter((row) => row.cell !== baseline && row.cell.model === baseline.model && isContestant(row));
  const items = others.map((row) => ({ name: row.name, byId: new Map(row.cell.items.map((item) => [item.id, item])) }));
  const paths = new Map(suite.videos.map((video) => [video.id, video.path]));
  const questions = new Map(suite.questions.map((question) => [question.id, question]));
  const differing = baseline.items.flatMap((item): Example[] => {
    const own = items.flatMap(({ name, byId }) => {
      const other = byId.get(item.id);
      return other !== undefined && differs(item, other) ? [{ name, item: other }] : [];
    });
    return own.length === 0 ? [] : [{ question: questions.get(item.id)!, videoPath: paths.get(item.videoId) ?? null, baseline: item, others: own }];
  });
  // Losses and gains in turn, so that a report does not show only the ones that flatter.
  const shuffled = createRandom(`${seed}:examples`).shuffle(differing);
  const losses = shuffled.filter((example) => worth(example.baseline) > worth(example.others[0]!.item));
  const gains = shuffled.filter((example) => !losses.includes(example));
  const turns = losses.flatMap((loss, index) => [loss, ...gains.slice(index, index + 1)]);
  return [...turns, ...gains.slice(losses.length)].slice(0, count);
}

function worth(item: RecordItem): number {
  return item.correct === null ? (item.ciderD ?? 0) : Number(item.correct);
}

/** Captions differ where CIDEr-D is more than 0.5 (of 10) apart. */
function differs(a: RecordItem, b: RecordItem): boolean {
  if (a.status !== 'scored' || b.status !== 'scored') return false;
  return a.correct === null ? Math.abs(worth(a) - worth(b)) > 0.5 : a.correct !== b.correct;
}

export function formatInterval(interval: Interval | null, scale: number, unit: string, digits = 1): string {
  if (interval === null) return '–';
  const show = (value: number) => (value * scale).toFixed(digits);
  return `${show(interval.estimate)}${unit} [${show(interval.low)}, ${show(interval.high)}]`;
}

/** "0.25×" where there is a baseline. */
export function formatRatio(ratio: number | null): string {
  return ratio === null ? '–' : `${ratio >= 10 ? ratio.toFixed(0) : ratio.toPrecision(2)}×`;
}

export function formatBytes(bytes: number): string {
  if (bytes === 0) return '–';
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 999.5 ? value.toFixed(0) : value.toPrecision(3)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]!}`;
}

export function formatP(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3);
}

/** Names of all figures of a caption cell, in the order of the toolkit. */
export const captionFigures = [
  ['bleu1', 'BLEU-1', 100],
  ['bleu2', 'BLEU-2', 100],
  ['bleu3', 'BLEU-3', 100],
  ['bleu4', 'BLEU-4', 100],
  ['meteor', 'METEOR (exact + stem)', 100],
  ['rougeL', 'ROUGE-L', 100],
  ['ciderD', 'CIDEr-D (the toolkit’s “CIDEr”)', 100],
  ['ciderPlain', 'CIDEr, plain', 100],
] as const;
