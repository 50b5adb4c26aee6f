// The report as one HTML page that needs nothing else: tables, inline SVG charts, examples with their frames.
import { meteorName } from '../metrics/meteor.ts';
import type { Accuracy } from '../metrics/accuracy.ts';
import type { Interval } from '../statistics/bootstrap.ts';
import type { BenchRecord, Comparison, Counts, RecordItem } from '../run/record.ts';
import { clock, legend, qualityCharts, stylesOf, timeCharts, type Styles } from './charts.ts';
import { judgeName, keptShare } from './markdown.ts';
import { failures, sharedTables, type ReportTable } from './tables.ts';
import { styleSheet } from './style.ts';
import { escapeXml } from './svg-chart.ts';
import { captionFigures, formatBytes, formatP, formatRatio, isContestant, viewsOf, type Example, type Row, type SuiteView } from './view.ts';

/** Baseline, number of examples and their pictures. */
export interface HtmlOptions {
  readonly baseline?: string;
  /** Examples shown for each suite. */
  readonly examples?: number;
  /** The picture at a time of a video as a `data:` URI; without it, or where it gives undefined, an example has no picture. */
  readonly picture?: (videoPath: string, timeSec: number | 'end') => Promise<string | undefined>;
}

/** The report of a record as one HTML page that needs nothing else. */
export async function htmlReport(record: BenchRecord, options: HtmlOptions = {}): Promise<string> {
  const views = viewsOf(record, options);
  const styles = stylesOf(views);
  const sections = await Promise.all(views.map((view) => suiteSection(view, styles, options)));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Thalweg benchmark, ${escapeXml(record.startedAt.slice(0, 10))}</title>
<style>${styleSheet}</style>
</head>
<body>
<h1>Thalweg benchmark</h1>
${provenance(record)}
${views.length > 1 ? `<nav>${views.map((view) => `<a href="#${escapeXml(view.suite.name)}">${escapeXml(view.suite.name)}</a>`).join('')}</nav>` : ''}
${summary(views)}
${sections.join('\n')}
${missingSection(record)}
${reading(record)}
</body>
</html>
`;
}

function provenance({ environment, seed, judge, startedAt, options }: BenchRecord): string {
  const commit =
    environment.commit === null
      ? 'installed package'
      : `commit <code>${environment.commit.slice(0, 12)}</code>${environment.isDirty ? ' with local changes' : ''}`;
  const { cpu, cores, memoryBytes, system } = environment.machine;
  const versions = Object.entries(environment.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  return `<p class="soft">${escapeXml(startedAt.slice(0, 16).replace('T', ' '))} UTC · ${commit} · ${escapeXml(cpu)}, ${cores} cores, ${formatBytes(memoryBytes)} · seed ${seed} · open answers judged by ${escapeXml(judgeName(judge))}</p>
<details><summary>Versions and options</summary><p class="soft">${escapeXml(system)}; ${escapeXml(versions)}</p><pre>${escapeXml(JSON.stringify(options.resolved, null, 1))}</pre></details>`;
}

/** First thing to read: every method against the baseline, over the suites. */
function summary(views: readonly SuiteView[]): string {
  const names = [...new Set(views.flatMap((view) => view.rows.filter(isContestant).map((row) => row.name)))];
  if (views.length < 2 || names.length === 0) return '';
  const header = views.map((view) => `<th>${escapeXml(view.suite.name)}<span class="small">${escapeXml(view.figure.name)}</span></th>`).join('');
  const body = names.map((name) => {
    const cells = views.map((view) => {
      const row = view.rows.find((one) => one.name === name);
      if (row === undefined) return '<td>–</td>';
      return `<td>${intervalCell(row.cell.metrics.main, view.figure.scale, view.figure.unit)}${row.cell.comparison ? ` ${verdict(row.cell.comparison, true)}` : ''}</td>`;
    });
    const isBaseline = views.some((view) => view.rows.some((row) => row.name === name && row.isBaseline));
    return `<tr${isBaseline ? ' class="baseline"' : ''}><td>${escapeXml(name)}</td>${cells.join('')}</tr>`;
  });
  return `<h3>All suites</h3>${table(`<th>Method</th>${header}`, body)}`;
}

async function suiteSection(view: SuiteView, styles: Styles, options: HtmlOptions): Promise<string> {
  const { suite } = view;
  const present = suite.videos.filter((video) => video.path !== null).length;
  const quality = qualityCharts(view, styles);
  const time = timeCharts(view, styles);
  const examples = await Promise.all(view.examples.map((example) => exampleCard(example, view, options)));
  return `<section id="${escapeXml(suite.name)}">
<h2>${escapeXml(suite.name)}</h2>
<p class="soft">${present} videos at ${suite.fps} frames a second, ${suite.questions.length} questions${suite.chance === null ? '' : `, chance ${(suite.chance * 100).toFixed(1)} %`}. ${escapeXml(suite.source)}.${suite.notes.map((note) => ` Note: ${escapeXml(note)}.`).join('')}</p>
${mainTable(view)}
${failed(view)}
${quality.length > 0 ? `<h3>Quality against cost</h3>${legend(view, styles)}<div class="charts">${quality.join('')}</div>` : ''}
${time.length > 0 ? `<h3>Memory and delay over stream time</h3>${quality.length > 0 ? '' : legend(view, styles)}<div class="charts">${time.join('')}</div>` : ''}
${costTable(view)}
${sharedTables(view).map(sharedTable).join('\n')}
${captionTable(view)}
${breakdown(view, 'byClass', 'By class of question')}
${breakdown(view, 'byFootage', 'By kind of footage')}
${examples.length > 0 ? `<h3>Where the baseline and a method differ</h3><div class="examples">${examples.join('')}</div>` : ''}
</section>`;
}

function mainTable({ rows, figure }: SuiteView): string {
  const hasStream = rows.some((row) => row.cell.metrics.stream);
  const hasComparison = rows.some((row) => row.cell.comparison);
  const header = [
    'Method',
    figure.name,
    ...(hasComparison ? ['Difference, points', 'Does not drop', 'Only baseline / only method right', 'Agrees with baseline'] : []),
    ...(hasStream ? ['Sco', 'Coh'] : []),
    'Scored',
    'Not scored',
  ];
  const body = rows.map((row) => {
    const { metrics, counts, comparison } = row.cell;
    const compared = hasComparison
      ? [
          comparison ? intervalCell(comparison.difference, 100, '', true) : '',
          comparison ? verdict(comparison) : '',
          comparison?.mcnemar
            ? `${comparison.mcnemar.onlyBaseline} / ${comparison.mcnemar.onlyMethod}<span class="small">p ${escapeXml(formatP(comparison.mcnemar.p))}</span>`
            : '',
          typeof comparison?.agreement.share !== 'number' ? '' : `${(comparison.agreement.share * 100).toFixed(1)} %`,
        ]
      : [];
    const stream = hasStream ? [metrics.stream?.score?.toFixed(2) ?? '–', metrics.stream?.coherence?.toFixed(2) ?? '–'] : [];
    return tableRow(row, [
      intervalCell(metrics.main, figure.scale, figure.unit),
      ...compared,
      ...stream,
      counts.scored.toLocaleString('en'),
      notScored(counts),
    ]);
  });
  return table(header.map((name) => `<th>${escapeXml(name)}</th>`).join(''), body);
}

/** "12 unscored, 1 failed, 300 missing"; a dash where everything is scored. */
function notScored(counts: Counts): string {
  const parts = (['unscored', 'failed', 'missing'] as const).filter((key) => counts[key] > 0).map((key) => `${counts[key].toLocaleString('en')} ${key}`);
  return parts.length === 0 ? '<span class="soft">–</span>' : `<span class="small">${parts.join('<br>')}</span>`;
}

function verdict({ nonInferiority, excluded }: Comparison, isShort = false): string {
  if (nonInferiority === null) return '<span class="soft">no pairs</span>';
  const { verdict: said, required, margin } = nonInferiority;
  if (isShort) return `<span class="verdict short ${said}" title="does not drop by more than ${margin * 100} points">${said}</span>`;
  const detail = [
    required ? `needs ≈ ${required.questions.toLocaleString('en')} questions` : `margin ${margin * 100}`,
    ...(excluded > 0 ? [`${excluded} unpaired`] : []),
  ].join('; ');
  return `<span class="verdict ${said}">${said}</span><span class="small">${escapeXml(detail)}</span>`;
}

function failed(view: SuiteView): string {
  const reasons = failures(view);
  return reasons.length === 0 ? '' : `<details><summary>Failed questions</summary><ul>${reasons.map((reason) => `<li>${escapeXml(reason)}</li>`).join('')}</ul></details>`;
}

function sharedTable({ title, note, header, rows }: ReportTable): string {
  return `<h3>${escapeXml(title)}</h3>${note === undefined ? '' : `<p class="soft">${escapeXml(note)}</p>`}${table(
    header.map((name) => `<th>${escapeXml(name)}</th>`).join(''),
    rows.map(({ row, cells }) => tableRow(row, cells.map(escapeXml))),
  )}`;
}

function costTable({ rows }: SuiteView): string {
  const real = rows.filter(isContestant);
  if (real.length === 0) return '';
  const header = [
    'Method',
    'KV at the question',
    'Visual tokens',
    'Encoder work',
    'FLOPs',
    'Frames kept',
    'Peak memory of the process',
  ];
  const withRatio = (value: string, ratio: number | null) => `${value}<span class="small">${escapeXml(formatRatio(ratio))}</span>`;
  const body = real.map((row) => {
    const { costs, timings } = row.cell;
    return tableRow(row, [
      withRatio(formatBytes(costs.kvBytesMean), row.ratios.kvBytes),
      withRatio(costs.visualTokens.toLocaleString('en'), row.ratios.visualTokens),
      withRatio(compact(costs.patchLayers), row.ratios.patchLayers),
      withRatio(compact(costs.flops), row.ratios.flops),
      keptShare(row.cell),
      formatBytes(timings.peakRssBytes),
    ]);
  });
  return `<h3>Costs</h3>${table(header.map((name) => `<th>${escapeXml(name)}</th>`).join(''), body)}`;
}

function captionTable({ rows }: SuiteView): string {
  if (!rows.some((row) => row.cell.metrics.captions)) return '';
  const header = ['Method', ...captionFigures.map(([, name]) => name)].map((name) => `<th>${escapeXml(name)}</th>`).join('');
  return `<h3>Caption metrics</h3>${table(
    header,
    rows.map((row) =>
      tableRow(
        row,
        captionFigures.map(([key, , scale]) => (row.cell.metrics.captions ? (row.cell.metrics.captions[key] * scale).toFixed(1) : '–')),
      ),
    ),
  )}`;
}

function breakdown({ rows }: SuiteView, key: 'byClass' | 'byFootage', title: string): string {
  const groups = [...new Set(rows.flatMap((row) => Object.keys(row.cell.metrics[key] ?? {})))].sort();
  if (groups.length < 2) return '';
  const header = `<th>Method</th>${groups.map((group) => `<th>${escapeXml(group)}</th>`).join('')}`;
  return `<h3>${title}</h3>${table(
    header,
    rows.map((row) => `<tr${rowClass(row)}><td>${escapeXml(row.name)}</td>${groups.map((group) => heatCell(row.cell.metrics[key]?.[group])).join('')}</tr>`),
    'fit',
  )}`;
}

/** The deeper the tint, the higher the accuracy. */
function heatCell(figure: Accuracy | undefined): string {
  if (typeof figure?.accuracy !== 'number') return '<td>–</td>';
  const tint = Math.round(figure.accuracy * 32);
  return `<td class="heat" style="background:color-mix(in srgb, var(--accent) ${tint}%, var(--paper))" title="95 %: ${((figure.low ?? 0) * 100).toFixed(1)}–${((figure.high ?? 0) * 100).toFixed(1)} %">${(figure.accuracy * 100).toFixed(1)}<span class="small">${figure.scored}</span></td>`;
}

async function exampleCard({ question, videoPath, baseline, others }: Example, view: SuiteView, options: HtmlOptions): Promise<string> {
  const uri = videoPath === null ? undefined : await options.picture?.(videoPath, baseline.atSec ?? question.timeSec);
  // Anything but an embedded picture would make the page fetch.
  const image = uri?.startsWith('data:image/') ? `<img src="${escapeXml(uri)}" alt="The frame at the time of the question">` : '';
  const at = question.timeSec === 'end' ? 'at the end' : `at ${clock(question.timeSec)}`;
  const answers = [{ name: view.rows.find((row) => row.isBaseline)?.name ?? 'baseline', item: baseline }, ...others.slice(0, 4)];
  return `<article class="example">${image}<p class="question">${escapeXml(question.question)}</p><p class="soft">${escapeXml(question.videoId)}, ${at}, ${escapeXml(question.class)}</p>
${question.options ? `<ol>${question.options.map((option) => `<li>${escapeXml(option)}</li>`).join('')}</ol>` : ''}
<dl><dt>right</dt><dd>${escapeXml(question.truth)}</dd>${answers.map(({ name, item }) => `<dt>${escapeXml(name)}</dt><dd class="${verdictClass(item)}">${escapeXml(item.output ?? '')}${item.ciderD === undefined ? '' : ` <span class="soft">CIDEr-D ${(item.ciderD * 100).toFixed(0)}</span>`}</dd>`).join('')}</dl></article>`;
}

function verdictClass(item: RecordItem): string {
  return item.correct === null ? '' : item.correct ? 'right' : 'wrong';
}

function missingSection({ missing }: BenchRecord): string {
  if (missing.length === 0) return '';
  const groups = [...Map.groupBy(missing, (one) => one.suite)].map(
    ([suite, own]) =>
      `<details><summary>${escapeXml(suite)}: ${own.length} videos</summary><p>Get them from ${escapeXml(own[0]!.obtain)}.</p><p class="soft">${own
        .slice(0, 200)
        .map((one) => escapeXml(one.file))
        .join(', ')}${own.length > 200 ? ` and ${own.length - 200} more` : ''}</p></details>`,
  );
  return `<h2>Missing videos</h2><p class="soft">Counted as missing, never scored.</p>${groups.join('')}`;
}

function reading({ suites }: BenchRecord): string {
  const meteor = suites.some((suite) => suite.metric === 'ciderD')
    ? `<p>${escapeXml(meteorName)} leaves out WordNet synonyms and paraphrases, so it is lower than the full METEOR and compares only with itself.</p>`
    : '';
  return `<h2>How to read this</h2>
<p>Brackets and bars are 95 % bootstrap intervals clustered by video. Differences are paired: the same questions with and without the method. “Does not drop” is <em>yes</em> where the whole interval lies above minus the margin, <em>no</em> where it lies below, and <em>undecided</em> otherwise; then the number of questions is given that would decide with 80 % power if there is in truth no difference. p is McNemar’s exact test.</p>
<p>An answer in which nothing can be read is <em>unscored</em>: neither right nor wrong. Pairs with an unscored side are left out and counted as unpaired.</p>${meteor}`;
}

function intervalCell(interval: Interval | null, scale: number, unit: string, isSigned = false): string {
  if (interval === null) return '<span class="soft">–</span>';
  const show = (value: number) => `${isSigned && value > 0 ? '+' : ''}${(value * scale).toFixed(1)}`.replace('-', '−');
  return `${show(interval.estimate)}${escapeXml(unit)} <span class="interval">[${show(interval.low)}, ${show(interval.high)}]</span>`;
}

function compact(value: number): string {
  return value === 0 ? '–' : new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(value);
}

function tableRow(row: Row, cells: readonly string[]): string {
  return `<tr${rowClass(row)}><td>${escapeXml(row.name)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function rowClass(row: Row): string {
  return row.isBaseline ? ' class="baseline"' : isContestant(row) ? '' : ' class="mock"';
}

function table(header: string, body: readonly string[], style = ''): string {
  return `<div class="scroll"><table${style === '' ? '' : ` class="${style}"`}><thead><tr>${header}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}
