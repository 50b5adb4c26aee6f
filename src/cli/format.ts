// Numbers as people read them, and tables.
import { stdout } from 'node:process';

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power]}`;
}

export function milliseconds(value: number): string {
  if (value >= 60_000) return clock(value / 1000);
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 0 : 1)} s`;
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`;
}

/** `1:05`, `1:00:05`; `-:--` for a time before the first frame. */
export function clock(timeSec: number): string {
  if (timeSec < 0) return '-:--';
  const whole = Math.floor(timeSec);
  const two = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest.replace(/^0/, '');
}

/** A media time in a sentence. */
export function moment(timeSec: number): string {
  return timeSec < 0 ? 'before the first frame' : `at ${clock(timeSec)}`;
}

/** `1 frame`, `1,200 frames`. */
export function counted(value: number, singular: string): string {
  return `${thousands(value)} ${value === 1 ? singular : `${singular}s`}`;
}

/** `1 frame/s`, `2.5 frames/s`. */
export function rate(framesPerSec: number, text = String(framesPerSec)): string {
  return `${text} ${framesPerSec === 1 ? 'frame' : 'frames'}/s`;
}

export function thousands(value: number): string {
  return value.toLocaleString('en-US');
}

/** Columns padded to their widest cell; the first row is the heading. The last column is wrapped where `columns` are too few for it. */
export function table(rows: readonly (readonly string[])[], columns = Infinity): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const indent = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  // A terminal too narrow to wrap in wraps by itself.
  const room = columns - indent >= 20 ? columns - indent : Infinity;
  const line = (row: readonly string[]) => {
    const [first = '', ...more] = wrap(row.at(-1) ?? '', room);
    const head = row.slice(0, -1).map((cell, column) => `${cell.padEnd(widths[column]!)}  `).join('') + first;
    return [head, ...more.map((text) => ' '.repeat(indent) + text)].map((text) => text.trimEnd()).join('\n');
  };
  const [head, ...body] = rows;
  const rule = widths.map((width, column) => '─'.repeat(column === widths.length - 1 ? Math.min(width, room) : width));
  return [line(head!), rule.join('  '), ...body.map(line)].join('\n');
}

/** Columns of the terminal; unlimited where there is none. */
export function terminalColumns(): number {
  return stdout.isTTY ? stdout.columns || 80 : Infinity;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
