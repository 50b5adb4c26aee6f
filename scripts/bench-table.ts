// The README's tables of committed comparisons: main rows suite by suite, and memories by what they hold.
import type { BenchSummary } from '../src/index.ts';
import { mainMethods, middleOf } from '../src/bench/comparison.ts';
import { markdownTable } from '../src/bench/report/markdown.ts';
import { formatBytes, formatInterval, formatRatio } from '../src/bench/report/view.ts';

/** What stands there as long as nothing was measured. */
export const notMeasured = 'Not measured yet.';

export function comparisonTable(summary: BenchSummary | undefined, presets: readonly string[]): string {
  if (summary === undefined) return notMeasured;
  const { environment, suites, cells, startedAt } = summary;
  const header = ['method', 'score [95 %]', 'difference to dense, points [95 %]', 'does not drop', 'live KV at a question', 'encoder work', 'delay to the first token'];
  const parts = suites.map((suite) => {
    const own = cells.filter((cell) => cell.suite === suite.name && cell.control === null && !cell.isMock && (mainMethods.includes(cell.method) || presets.includes(cell.method)));
    const most = Math.max(...own.map(({ watched }) => watched));
    // Of a baseline's settings the one in the middle, which is the main row of the comparison.
    const isMiddle = ({ method, budget }: (typeof own)[number]) => budget === null || budget === middleOf(own.filter((cell) => cell.method === method).map((cell) => cell.budget!));
    const rows = own.filter((cell) => cell.watched === most && isMiddle(cell));
    const unit = suite.metric === 'accuracy' ? ' %' : '';
    const { answers: questions = 0, counts } = rows[0] ?? {};
    const unread = counts && counts.unscored > 0 ? `, of which ${counts.scored} were answered readably by dense (differences are over those that both answered so)` : '';
    const lines = rows.map(({ method, budget, knob, metrics, comparison, costs, timings }) => {
      const verdict = comparison?.nonInferiority;
      const ratio = (value: number | undefined, of: number | undefined) => formatRatio(value === undefined || !of ? null : value / of);
      return [
        budget === null ? method : `${method}, ${knob ?? 'budget'} ${budget}`,
        formatInterval(metrics.main, 100, unit),
        comparison === undefined ? '' : formatInterval(comparison.difference, 100, ''),
        verdict ? `${verdict.verdict}${verdict.required ? ` (needs ≈ ${verdict.required.questions.toLocaleString('en')} questions)` : ''}` : '',
        `${formatBytes(costs.kvBytesMean)}${comparison ? `, ${ratio(costs.kvBytesMean, comparison.baselineCosts.kvBytesMean)}` : ''}`,
        comparison ? ratio(costs.patchLayers, comparison.baselineCosts.patchLayers) : '1×',
        timings.firstTokenMs === null ? '–' : `${timings.firstTokenMs.median.toFixed(1)} ms${comparison ? `, ${ratio(timings.firstTokenMs.median, comparison.baselineTimings.firstTokenMs?.median)}` : ''}`,
      ];
    });
    return [
      `**${suite.name}**, ${suite.metric === 'accuracy' ? 'accuracy' : 'CIDEr-D × 100'}, ${most.toLocaleString('en')} videos, ${questions.toLocaleString('en')} questions${unread} at ${suite.fps} frames a second:`,
      '',
      markdownTable(header, lines),
    ].join('\n');
  });
  const { cpu, cores } = environment.machine;
  const models = [...new Set(cells.filter(({ isMock }) => !isMock).map(({ model }) => model))].join(', ');
  return [`${models} on ${cpu}, ${cores} cores, ${startedAt.slice(0, 10)}. All methods, budgets, classes of question and kinds of footage, with charts and examples: [report](docs/results/bench.md) ([page](docs/results/bench.html)).`, ...parts].join('\n\n');
}

/** Every row of a comparison of memories by what it holds at a question, the most first: which loses what at equal bytes. */
export function memoryTable(summary: BenchSummary | undefined): string {
  if (summary === undefined) return notMeasured;
  const [suite] = summary.suites;
  const rows = summary.cells.filter(({ control }) => control === null).toSorted((a, b) => b.costs.kvBytesMean - a.costs.kvBytesMean);
  const lines = rows.map(({ candidate, model, metrics, comparison, costs }) => [
    `\`${candidate.replace(`@${model}`, '')}\``,
    comparison ? formatRatio(costs.kvBytesMean / comparison.baselineCosts.kvBytesMean) : formatBytes(costs.kvBytesMean),
    formatInterval(metrics.main, 100, ' %'),
    comparison ? formatInterval(comparison.difference, 100, '') : '',
    comparison?.nonInferiority?.verdict ?? '',
    typeof comparison?.agreement.share === 'number' ? `${(comparison.agreement.share * 100).toFixed(1)} %` : '',
  ]);
  return [
    `**${suite!.name}**, ${suite!.videos.toLocaleString('en')} videos, ${rows[0]!.answers.toLocaleString('en')} questions at ${suite!.fps} frames a second ([report](docs/results/memory.md), [page](docs/results/memory.html)):`,
    '',
    markdownTable(['method', 'live KV at a question', 'score [95 %]', 'difference to dense, points [95 %]', 'does not drop', 'agrees'], lines),
  ].join('\n');
}
