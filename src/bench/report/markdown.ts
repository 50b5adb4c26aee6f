// The report as Markdown: for a README, a pull request, a terminal.
import { meteorName } from '../metrics/meteor.ts';
import type { BenchRecord, Comparison, RecordCell } from '../run/record.ts';
import { failures, sharedTables } from './tables.ts';
import { captionFigures, formatBytes, formatInterval, formatP, formatRatio, isContestant, viewsOf, type Row, type SuiteView } from './view.ts';

/** The report of a record as Markdown. */
export function markdownReport(record: BenchRecord, options: { readonly baseline?: string } = {}): string {
  const views = viewsOf(record, options);
  return (
    [`# Benchmark`, provenance(record), ...views.flatMap(suiteSection), missingSection(record), reading(record)].filter((part) => part !== '').join('\n\n') +
    '\n'
  );
}

function provenance({ environment, seed, judge, startedAt }: BenchRecord): string {
  const commit =
    environment.commit === null ? 'an installed package' : `commit ${environment.commit.slice(0, 12)}${environment.isDirty ? ' with local changes' : ''}`;
  const { cpu, cores, memoryBytes, system } = environment.machine;
  return `${startedAt.slice(0, 10)}, ${commit}, Thalweg ${environment.versions['thalweg'] ?? '?'}, Node.js ${environment.versions['node'] ?? '?'}, ${cpu} (${cores} cores, ${formatBytes(memoryBytes)}, ${system}), seed ${seed}, judge of open answers: ${judgeName(judge)}.`;
}

export function judgeName(judge: BenchRecord['judge']): string {
  return judge['name'] === 'chat' ? `${judge['model'] ?? '?'} at ${judge['address'] ?? '?'}` : `${judge['name'] ?? '?'} match`;
}

function suiteSection(view: SuiteView): string[] {
  const { suite, rows } = view;
  const videos = suite.videos.filter((video) => video.path !== null).length;
  const intro = `${videos} videos at ${suite.fps} frames a second, ${suite.questions.length} questions${suite.chance === null ? '' : `, chance ${(suite.chance * 100).toFixed(1)} %`}. ${suite.source}.`;
  const failed = failures(view);
  return [
    `## ${suite.name}`,
    [intro, ...suite.notes.map((note) => `Note: ${note}.`)].join(' '),
    mainTable(view),
    ...(failed.length > 0 ? [['Failed:', '', ...failed.map((text) => `- ${text.replaceAll('\n', ' ')}`)].join('\n')] : []),
    costTable(rows),
    ...sharedTables(view).map(({ title, note, header, rows: body }) => `${title}.${note === undefined ? '' : ` ${note}`}\n\n${markdownTable(header, body.map(({ row, cells }) => [nameOf(row), ...cells]))}`),
    ...(rows.some((row) => row.cell.metrics.captions) ? [captionTable(rows)] : []),
    ...(suite.metric === 'accuracy' ? [breakdown(rows, 'byClass', 'By class of question'), breakdown(rows, 'byFootage', 'By kind of footage')] : []),
  ];
}

function mainTable({ rows, figure }: SuiteView): string {
  const hasStream = rows.some((row) => row.cell.metrics.stream);
  const header = [
    'Method',
    `${figure.name} [95 %]`,
    'Difference [95 %], points',
    'Does not drop',
    'McNemar −/+ (p)',
    'Agrees',
    ...(hasStream ? ['Sco', 'Coh'] : []),
    'Scored',
    'Unscored',
    'Failed',
    'Missing',
  ];
  return markdownTable(
    header,
    rows.map((row) => {
      const { metrics, counts, comparison } = row.cell;
      return [
        nameOf(row),
        formatInterval(metrics.main, figure.scale, figure.unit),
        comparison === undefined ? '' : formatInterval(comparison.difference, 100, ''),
        comparison === undefined ? '' : verdictText(comparison),
        comparison?.mcnemar === undefined ? '' : `${comparison.mcnemar.onlyBaseline}/${comparison.mcnemar.onlyMethod} (${formatP(comparison.mcnemar.p)})`,
        typeof comparison?.agreement.share !== 'number' ? '' : `${(comparison.agreement.share * 100).toFixed(1)} %`,
        ...(hasStream ? [metrics.stream?.score?.toFixed(2) ?? '–', metrics.stream?.coherence?.toFixed(2) ?? '–'] : []),
        ...[counts.scored, counts.unscored, counts.failed, counts.missing].map(String),
      ];
    }),
  );
}

/** "yes (margin 1)", "undecided: needs about 4,200 questions". */
export function verdictText({ nonInferiority, excluded }: Comparison): string {
  if (nonInferiority === null) return 'no pairs';
  const { verdict, margin, required } = nonInferiority;
  const left = excluded > 0 ? `; ${excluded} unpaired` : '';
  if (verdict !== 'undecided') return `${verdict} (margin ${margin * 100})${left}`;
  return `undecided${required === undefined ? '' : `: needs about ${required.questions.toLocaleString('en')} questions`}${left}`;
}

function costTable(rows: readonly Row[]): string {
  const header = [
    'Method',
    'KV at question',
    '× baseline',
    'Visual tokens',
    '× baseline',
    'Encoder work × baseline',
    'FLOPs × baseline',
    'Frames kept',
    'Peak memory',
  ];
  return markdownTable(
    header,
    rows.filter(isContestant).map((row) => {
      const { costs, timings } = row.cell;
      return [
        nameOf(row),
        formatBytes(costs.kvBytesMean),
        formatRatio(row.ratios.kvBytes),
        costs.visualTokens.toLocaleString('en'),
        formatRatio(row.ratios.visualTokens),
        formatRatio(row.ratios.patchLayers),
        formatRatio(row.ratios.flops),
        keptShare(row.cell),
        formatBytes(timings.peakRssBytes),
      ];
    }),
  );
}

export function keptShare({ costs }: RecordCell): string {
  return costs.frames === 0 ? '–' : `${((100 * costs.keptFrames) / costs.frames).toFixed(0)} %`;
}

function captionTable(rows: readonly Row[]): string {
  return markdownTable(
    ['Method', ...captionFigures.map(([, name]) => name)],
    rows.map((row) => [
      nameOf(row),
      ...captionFigures.map(([key, , scale]) => (row.cell.metrics.captions === undefined ? '–' : (row.cell.metrics.captions[key] * scale).toFixed(1))),
    ]),
  );
}

function breakdown(rows: readonly Row[], key: 'byClass' | 'byFootage', title: string): string {
  const groups = [...new Set(rows.flatMap((row) => Object.keys(row.cell.metrics[key] ?? {})))].sort();
  if (groups.length < 2) return '';
  return `${title} (accuracy in %, questions scored):\n\n${markdownTable(
    ['Method', ...groups],
    rows.map((row) => [
      nameOf(row),
      ...groups.map((group) => {
        const figure = row.cell.metrics[key]?.[group];
        return typeof figure?.accuracy !== 'number' ? '–' : `${(figure.accuracy * 100).toFixed(1)} (${figure.scored})`;
      }),
    ]),
  )}`;
}

function missingSection({ missing }: BenchRecord): string {
  if (missing.length === 0) return '';
  const groups = [...Map.groupBy(missing, (one) => one.suite)];
  return [
    '## Missing videos',
    'Counted as missing, never scored.',
    ...groups.map(
      ([suite, own]) =>
        `- ${suite}: ${own.length}, first ${own
          .slice(0, 5)
          .map((one) => `\`${one.file}\``)
          .join(', ')}; get them from ${own[0]!.obtain}`,
    ),
  ].join('\n');
}

function reading({ suites }: BenchRecord): string {
  const hasCaptions = suites.some((suite) => suite.metric === 'ciderD');
  return [
    '## How to read this',
    'Intervals are 95 % bootstrap intervals clustered by video. Differences are paired: the same questions with and without the method. “Does not drop” is yes where the whole interval lies above minus the margin, no where it lies below, and undecided otherwise. McNemar counts the questions that only the baseline (−) and only the method (+) got right. An answer in which nothing can be read is unscored, which is neither right nor wrong; videos that are not there are missing.',
    ...(hasCaptions ? [`${meteorName} leaves out WordNet synonyms and paraphrases, so it is lower than the full METEOR and compares only with itself.`] : []),
  ].join('\n\n');
}

function nameOf(row: Row): string {
  return `${row.name}${row.isBaseline ? ' (baseline)' : ''}${row.cell.isMock ? ' (mock)' : row.cell.control === null ? '' : ' (control)'}`;
}

/** A table whose first column is text, and the others mostly numbers. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(header), line(header.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
