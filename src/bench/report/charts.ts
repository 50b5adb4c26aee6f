// The charts of one suite: quality against each cost, memory and delay over stream time.
import type { RecordItem } from '../run/record.ts';
import { chartSvg, colourOf, escapeXml, mark, type ChartSeries } from './svg-chart.ts';
import { costNames, curvesOf, formatBytes, formatInterval, formatRatio, overTime, type CostKey, type SuiteView } from './view.ts';

/** Methods keep their colour and mark through a whole report. */
export type Styles = ReadonlyMap<string, number>;

export function stylesOf(views: readonly SuiteView[]): Styles {
  const names = [...new Set(views.flatMap((view) => curvesOf(view.rows).map((curve) => curve.name)))];
  return new Map(names.map((name, index) => [name, index]));
}

export function legend(view: SuiteView, styles: Styles): string {
  const entries = curvesOf(view.rows).map(({ name }) => {
    const style = styles.get(name) ?? 0;
    return `<span class="legend-entry"><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">${mark(style, 7, 7, colourOf(style))}</svg>${escapeXml(name)}</span>`;
  });
  return entries.length === 0 ? '' : `<p class="legend">${entries.join('')}</p>`;
}

/** One chart for each cost that differs between methods. */
export function qualityCharts(view: SuiteView, styles: Styles): string[] {
  const { figure, suite } = view;
  return (Object.keys(costNames) as CostKey[]).flatMap((key) => {
    const series = curvesOf(view.rows).map((curve): ChartSeries => ({
      name: curve.name,
      style: styles.get(curve.name) ?? 0,
      points: curve.rows.flatMap(({ cell, ratios, name }) => {
        const main = cell.metrics.main;
        const ratio = ratios[key];
        if (main === null || ratio === null || ratio <= 0) return [];
        return [
          {
            x: ratio,
            y: main.estimate * figure.scale,
            low: main.low * figure.scale,
            high: main.high * figure.scale,
            label: `${name}, ${formatInterval(main, figure.scale, figure.unit)} at ${formatRatio(ratio)}`,
          },
        ];
      }),
    }));
    const ratios = series.flatMap((one) => one.points.map((point) => point.x));
    if (ratios.length < 2 || Math.max(...ratios) / Math.min(...ratios) < 1.01) return [];
    // A line far below the data would only flatten it: chance is in the text above.
    const lowest = Math.min(...series.flatMap((one) => one.points.map((point) => point.low ?? point.y)));
    const chance = suite.chance === null || suite.chance * figure.scale < lowest ? [] : [{ y: suite.chance * figure.scale, label: 'chance' }];
    return [
      chartSvg({
        title: costNames[key],
        xLabel: '× baseline (left is cheaper)',
        yLabel: `${figure.name}${figure.unit}`,
        isLogX: true,
        ...(figure.unit === ' %' && { mostY: 100 }),
        formatX: (value) => (value >= 1 ? `${value}` : `1/${Math.round(1 / value)}`),
        series,
        lines: chance,
      }),
    ];
  });
}

export function timeCharts(view: SuiteView, styles: Styles): string[] {
  // One curve a method: at its largest budget, where it comes nearest to the baseline's quality.
  const curves = curvesOf(view.rows).map((curve) => ({ name: curve.name, row: curve.rows.at(-1)! }));
  const chart = (title: string, yLabel: string, pick: (item: RecordItem) => number, formatY: (value: number) => string) => {
    const series = curves.map(({ name, row }): ChartSeries => ({
      name,
      style: styles.get(name) ?? 0,
      points: overTime(row.cell, view.suite, pick).map(({ timeSec, median, low, high }) => ({
        x: timeSec,
        y: median,
        low,
        high,
        label: `${row.name}, ${formatY(median)} at ${clock(timeSec)}`,
      })),
    }));
    if (series.every((one) => one.points.every((point) => point.y === 0))) return [];
    return [chartSvg({ title, xLabel: 'time in the stream', yLabel, series, isTimeX: true, formatX: clock, formatY })];
  };
  return [
    ...chart(
      'Live KV memory over stream time',
      'median, 5–95 % of questions',
      (item) => item.counts.kvBytes / 2 ** 20,
      (value) => (value === 0 ? '0' : formatBytes(value * 2 ** 20)),
    ),
    ...chart(
      'Delay to the first token over stream time',
      'median, 5–95 % of questions',
      (item) => item.timings.firstTokenMs,
      (value) => `${Number(value.toPrecision(3))} ms`,
    ),
  ];
}

export function clock(timeSec: number): string {
  const whole = Math.round(timeSec);
  const two = (value: number) => String(value).padStart(2, '0');
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}
