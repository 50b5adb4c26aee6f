// A table of numbers as an SVG picture: a row for each layer, a column for each head.

/** @param values [rows][columns] */
export function heatmapSvg(values: readonly (readonly number[])[], { title, rowName, columnName, format = (value) => value.toFixed(1) }: { readonly title: string; readonly rowName: string; readonly columnName: string; readonly format?: (value: number) => string }): string {
  const cell = { width: 54, height: 24 };
  const [left, top] = [70, 54];
  const columns = Math.max(...values.map((row) => row.length));
  const all = values.flat();
  const [low, high] = [Math.log(Math.min(...all)), Math.log(Math.max(...all))];
  const [width, height] = [Math.max(left + columns * cell.width + 12, 260), top + values.length * cell.height + 12];
  const body = values.flatMap((row, y) => row.map((value, x) => {
    // By logarithm: ratios of 2, 4 and 8 are equally far apart.
    const share = high > low ? (Math.log(value) - low) / (high - low) : 0.5;
    const colour = `hsl(212 62% ${(94 - 56 * share).toFixed(0)}%)`;
    const at = { x: left + x * cell.width, y: top + y * cell.height };
    return `<rect x="${at.x}" y="${at.y}" width="${cell.width - 2}" height="${cell.height - 2}" fill="${colour}"/><text x="${at.x + cell.width / 2 - 1}" y="${at.y + 15}" text-anchor="middle" fill="${share > 0.55 ? '#ffffff' : '#222222'}">${format(value)}</text>`;
  }));
  const heads = Array.from({ length: columns }, (_, x) => `<text x="${left + x * cell.width + cell.width / 2}" y="${top - 8}" text-anchor="middle">${columnName} ${x}</text>`);
  const layers = values.map((_, y) => `<text x="${left - 8}" y="${top + y * cell.height + 15}" text-anchor="end">${rowName} ${y}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="12" y="22" font-size="14">${title}</text>
${[...heads, ...layers, ...body].join('\n')}
</svg>
`;
}
