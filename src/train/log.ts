// The log of a training run: one JSON line an entry, cut back to the checkpoint when a run is continued, and drawn as curves.
import { mkdirSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { curvesSvg } from './plot.ts';
import type { Curve } from './plot.ts';
import { writeWhole } from '../core/write-whole.ts';

export type LogEntry = { readonly kind: 'train' | 'evaluate'; readonly step: number } & Readonly<Record<string, number | string>>;

export interface TrainingLog extends AsyncDisposable {
  write(entry: LogEntry): Promise<void>;
  /** Writes `curves.svg`. */
  plot(): Promise<void>;
}

/** Entries of a log file, oldest first. A last line that a kill left unfinished is dropped. */
export async function readLog(file: string): Promise<LogEntry[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as LogEntry);
}

/** @param step of the checkpoint that the run continues from: later lines are removed */
export async function openLog(folder: string, step: number): Promise<TrainingLog> {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'log.jsonl');
  const entries = (await readLog(file)).filter((entry) => entry.step <= step);
  await writeWhole(file, [Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))]);
  const plot = async () => {
    if (entries.length > 0) await writeWhole(path.join(folder, 'curves.svg'), [Buffer.from(curvesSvg(curvesOf(entries), { title: path.basename(folder) }))]);
  };
  return {
    async write(entry) {
      entries.push(entry);
      await appendFile(file, `${JSON.stringify(entry)}\n`);
    },
    plot,
    [Symbol.asyncDispose]: plot,
  };
}

/** One curve a figure; training and evaluation of one figure share a panel. */
export function curvesOf(entries: readonly LogEntry[]): Curve[] {
  const curves = new Map<string, Curve & { points: [number, number][] }>();
  for (const entry of entries) {
    for (const [name, value] of Object.entries(entry)) {
      if (typeof value !== 'number' || name === 'step') continue;
      const key = `${entry.kind} ${name}`;
      const curve = curves.get(key) ?? { panel: name, label: entry.kind === 'train' ? 'training' : 'held out', points: [] };
      curves.set(key, curve);
      curve.points.push([entry.step, value]);
    }
  }
  return [...curves.values()];
}
