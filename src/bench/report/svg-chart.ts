// Line charts as inline SVG: points with error bars, linear or logarithmic axes, no script.

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
  /** Shown on hovering. */
  readonly label: string;
}

export interface ChartSeries {
  readonly name: string;
  /** Index of its colour and mark, the same in every chart of a report. */
  readonly style: number;
  readonly points: readonly ChartPoint[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isLogX?: boolean;
  /** x is seconds: ticks fall on whole minutes or hours. */
  readonly isTimeX?: boolean;
  readonly series: readonly ChartSeries[];
  readonly formatX?: (value: number) => string;
  readonly formatY?: (value: number) => string;
  /** y cannot be larger: the axis ends there. */
  readonly mostY?: number;
  /** Horizontal reference lines: chance, the baseline. */
  readonly lines?: readonly { readonly y: number; readonly label: string }[];
}

/** Colours of Okabe and Ito (2008), distinguishable with every common colour vision. */
export const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b58900', '#56b4e9', '#7f7f7f', '#8c564b', '#6a3d9a', '#2f4f4f'] as const;

const width = 460;
const height = 300;
const margin = { top: 30, right: 18, bottom: 44, left: 72 };
const plotWidth = width - margin.left - margin.right;
const plotHeight = height - margin.top - margin.bottom;

export function chartSvg(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  if (points.length === 0) return '';
  const formatX = chart.formatX ?? shortNumber;
  const formatY = chart.formatY ?? shortNumber;
  const x = axis(
    points.map((point) => point.x),
    chart.isLogX ?? false,
    chart.isTimeX ? 60 : 10,
  );
  const y = axis([...points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]), ...(chart.lines ?? []).map((line) => line.y)], false, 10, chart.mostY);
  const px = (value: number) => round(margin.left + x.place(value) * plotWidth);
  const py = (value: number) => round(margin.top + (1 - y.place(value)) * plotHeight);
  const parts = [
    `<text class="chart-title" x="${margin.left}" y="16">${escapeXml(chart.title)}</text>`,
    ...y.ticks.map(
      (tick) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${py(tick)}" y2="${py(tick)}"/><text class="tick" x="${margin.left - 6}" y="${py(tick) + 4}" text-anchor="end">${escapeXml(formatY(tick))}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<line class="grid" x1="${px(tick)}" x2="${px(tick)}" y1="${margin.top}" y2="${margin.top + plotHeight}"/><text class="tick" x="${px(tick)}" y="${margin.top + plotHeight + 15}" text-anchor="middle">${escapeXml(formatX(tick))}</text>`,
    ),
    ...(chart.lines ?? []).map(
      (line) =>
        `<line class="reference" x1="${margin.left}" x2="${width - margin.right}" y1="${py(line.y)}" y2="${py(line.y)}"/><text class="tick" x="${width - margin.right - 3}" y="${py(line.y) - 4}" text-anchor="end">${escapeXml(line.label)}</text>`,
    ),
    `<text class="axis" x="${margin.left + plotWidth / 2}" y="${height - 8}" text-anchor="middle">${escapeXml(chart.xLabel)}</text>`,
    `<text class="axis" transform="translate(13 ${margin.top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escapeXml(chart.yLabel)}</text>`,
    ...chart.series.map((series) => drawSeries(series, px, py)),
  ];
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(`${chart.title}: ${chart.yLabel} against ${chart.xLabel}`)}">${parts.join('')}</svg>`;
}

function drawSeries({ style, points, name }: ChartSeries, px: (value: number) => number, py: (value: number) => number): string {
  const colour = colourOf(style);
  const path = points.map((point, index) => `${index === 0 ? 'M' : 'L'}${px(point.x)} ${py(point.y)}`).join('');
  const bars = points.flatMap((point) =>
    point.low === undefined || point.high === undefined
      ? []
      : [
          `<path d="M${px(point.x)} ${py(point.low)}V${py(point.high)}M${px(point.x) - 3} ${py(point.low)}h6M${px(point.x) - 3} ${py(point.high)}h6" stroke-width="1" opacity="0.55"/>`,
        ],
  );
  const marks = points.map((point) => `<g>${mark(style, px(point.x), py(point.y), colour)}<title>${escapeXml(`${name}: ${point.label}`)}</title></g>`);
  const dash = style % colours.length >= colours.length / 2 ? ' stroke-dasharray="5 3"' : '';
  return `<g stroke="${colour}" fill="none">${bars.join('')}${points.length > 1 ? `<path d="${path}" stroke-width="1.6"${dash}/>` : ''}${marks.join('')}</g>`;
}

export function colourOf(style: number): string {
  return colours[style % colours.length]!;
}

/** A shape for each style besides the colour: circle, square, triangle, diamond, cross. */
export function mark(style: number, x: number, y: number, colour: string): string {
  const fill = `fill="${colour}" stroke="none"`;
  // The eleventh method has the colour of the first, and another mark.
  switch ((style + Math.floor(style / colours.length)) % 5) {
    case 0:
      return `<circle cx="${x}" cy="${y}" r="4" ${fill}/>`;
    case 1:
      return `<rect x="${round(x - 3.5)}" y="${round(y - 3.5)}" width="7" height="7" ${fill}/>`;
    case 2:
      return `<path d="M${x} ${round(y - 4.6)}l4.4 8h-8.8z" ${fill}/>`;
    case 3:
      return `<path d="M${x} ${y - 5}l5 5-5 5-5-5z" ${fill}/>`;
    default:
      return `<path d="M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8" stroke="${colour}" stroke-width="2" fill="none"/>`;
  }
}

interface Axis {
  readonly ticks: readonly number[];
  /** 0 at the start of the axis, 1 at its end. */
  place(value: number): number;
}

function axis(values: readonly number[], isLog: boolean, base = 10, most = Infinity): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (isLog && low > 0) {
    const from = Math.log2(low) - 0.25;
    const to = Math.log2(high) + 0.25;
    const step = Math.max(1, Math.ceil((to - from) / 7));
    const ticks: number[] = [];
    for (let power = Math.ceil(from); power <= to; power += step) ticks.push(2 ** power);
    return { ticks, place: (value) => (Math.log2(value) - from) / (to - from) };
  }
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const factors = base === 60 ? [1, 2, 5, 10, 15, 30, 60] : [1, 2, 2.5, 5, 10];
  const step = factors.map((factor) => factor * power).find((one) => one >= rough) ?? power * base;
  const from = low >= 0 && low < span * 0.3 ? 0 : Math.floor((low - span * 0.04) / step) * step;
  const to = Math.min(most, Math.ceil((high + span * 0.04) / step) * step);
  const ticks = Array.from({ length: Math.floor((to - from) / step + 1e-9) + 1 }, (_, index) => from + index * step);
  return { ticks, place: (value) => (value - from) / (to - from) };
}

function shortNumber(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
