// Curves as an SVG picture, with no dependency: a grid of small panels, one a figure.

export interface Curve {
  /** Curves of one panel share its axes. */
  readonly panel: string;
  readonly label: string;
  /** x, y; increasing x. Points that are not finite break the line. */
  readonly points: readonly (readonly [number, number])[];
}

export interface PlotOptions {
  readonly title: string;
  readonly columns?: number;
  readonly xLabel?: string;
}

const panelPx = { width: 360, height: 220, left: 52, right: 12, top: 28, bottom: 30 };
const colours = ['#2563a8', '#c2571a', '#3c8d40', '#8a4fa3', '#8c6d1f', '#4a4a4a'];

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Round values that divide a range into three to six parts. */
export function ticks(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span));
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2].map((factor) => factor * power).find((candidate) => span / candidate <= 5) ?? power;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const short = (value: number) => (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(4))));

/** An SVG document. */
export function curvesSvg(curves: readonly Curve[], { title, columns = 3, xLabel = 'step' }: PlotOptions): string {
  const panels = [...Map.groupBy(curves, ({ panel }) => panel)];
  const rows = Math.ceil(panels.length / columns);
  const width = columns * panelPx.width;
  const height = rows * panelPx.height + 36;
  const body = panels.map(([name, shown], i) => `<g transform="translate(${(i % columns) * panelPx.width} ${36 + Math.floor(i / columns) * panelPx.height})">${panel(name, shown, xLabel)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="12" y="22" font-size="15">${escape(title)}</text>
${body.join('\n')}
</svg>
`;
}

function panel(name: string, curves: readonly Curve[], xLabel: string): string {
  const points = curves.flatMap((curve) => curve.points).filter(([, y]) => Number.isFinite(y));
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const range = (values: readonly number[]): [number, number] => {
    const [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
    if (low > high) return [0, 1];
    return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
  };
  const [[x0, x1], [y0, y1]] = [range(xs), range(ys)];
  const [right, bottom] = [panelPx.width - panelPx.right, panelPx.height - panelPx.bottom];
  const atX = (x: number) => Number((panelPx.left + ((x - x0) / (x1 - x0)) * (right - panelPx.left)).toFixed(1));
  const atY = (y: number) => Number((bottom - ((y - y0) / (y1 - y0)) * (bottom - panelPx.top)).toFixed(1));
  const grid = [
    ...ticks(y0, y1).map((y) => `<path d="M${panelPx.left} ${atY(y)}H${right}" stroke="#e4e4e4"/><text x="${panelPx.left - 5}" y="${atY(y) + 3}" text-anchor="end" fill="#555">${short(y)}</text>`),
    ...ticks(x0, x1).map((x) => `<text x="${atX(x)}" y="${bottom + 13}" text-anchor="middle" fill="#555">${short(x)}</text>`),
  ];
  const lines = curves.map(({ points: own }, i) => {
    let down = false;
    const path = own.map(([x, y]) => {
      const move = Number.isFinite(y) ? `${down ? 'L' : 'M'}${atX(x)} ${atY(y)}` : '';
      down = move !== '';
      return move;
    });
    return `<path d="${path.join('')}" fill="none" stroke="${colours[i % colours.length]}" stroke-width="1.4"/>`;
  });
  const legend = curves.length < 2 ? [] : curves.map(({ label }, i) => `<text x="${right}" y="${panelPx.top + 10 + 12 * i}" text-anchor="end" fill="${colours[i % colours.length]}">${escape(label)}</text>`);
  return `<text x="${panelPx.left}" y="18" font-size="12">${escape(name)}</text>${grid.join('')}<path d="M${panelPx.left} ${panelPx.top}V${bottom}H${right}" fill="none" stroke="#888"/>${lines.join('')}${legend.join('')}<text x="${right}" y="${panelPx.height - 4}" text-anchor="end" fill="#777">${escape(xLabel)}</text>`;
}
