// Tables that the Markdown report and the page share: what a method saves and where, how it keeps up, what it remembers of long ago.
import { quantile } from '../statistics/bootstrap.ts';
import { ageGroups } from '../run/summarise.ts';
import type { RecordCell, RecordItem } from '../run/record.ts';
import { formatBytes, formatInterval, formatRatio, isContestant, streamTimeOf, type Row, type SuiteView } from './view.ts';

/** A table as text; the first cell of each row is the name of the row. */
export interface ReportTable {
  readonly title: string;
  readonly note?: string;
  readonly header: readonly string[];
  readonly rows: readonly { readonly row: Row; readonly cells: readonly string[] }[];
}

/** The shared tables of a suite, without those that have nothing to say. */
export function sharedTables(view: SuiteView): ReportTable[] {
  return [savings(view), keepingUp(view), footageVerdicts(view), encoderByFootage(view), ages(view), marks(view)].filter((table) => table !== undefined && table.rows.length > 0) as ReportTable[];
}

/** What makes a memory smaller, each factor apart. */
function savings({ rows }: SuiteView): ReportTable {
  const factor = (value: number | null) => (value === null ? '–' : `${value.toFixed(2)}×`);
  const slots = (value: number | null) => (value === null ? '–' : value.toFixed(0));
  return {
    title: 'What makes the memory smaller',
    note: 'Tokens: visual tokens of all frames over those that entered the memory. Slots: tokens that entered over slots that were left of them, merged or dropped. Format: bytes of a slot of the baseline over those of a slot of the method. Slots there and looked at: of one head when a question arrived, the question’s own among the latter.',
    header: ['Method', 'Tokens', 'Slots', 'Format', 'Slots there', 'looked at', 'Live KV at the question, mean', 'most', 'most ever'],
    rows: rows.filter(isContestant).map((row) => {
      const { factors, slotsMean, slotsReadMean, kvBytesMean, kvBytesMax, peakKvBytes } = row.cell.costs;
      const baseline = row.isBaseline ? row.cell.costs : row.cell.comparison?.baselineCosts;
      const format = factors.bytesPerSlot === null || !baseline?.factors.bytesPerSlot ? null : baseline.factors.bytesPerSlot / factors.bytesPerSlot;
      return {
        row,
        cells: [factor(factors.token), factor(factors.merge), factor(format), slots(slotsMean), slots(slotsReadMean), formatBytes(kvBytesMean), formatBytes(kvBytesMax), formatBytes(peakKvBytes)],
      };
    }),
  };
}

function keepingUp({ rows, suite }: SuiteView): ReportTable {
  const ms = (value: number | undefined) => (value === undefined ? '–' : `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ms`);
  return {
    title: 'Keeping up, and the delay of an answer',
    note: `Frames a second with all stages one after the other, decoding included. Waiting frames: had the videos come in real time at ${suite.fps} frames a second.`,
    header: ['Method', 'Frames/s', '× real time', 'Waiting frames, most', 'at the end, mean', 'First token, least', 'median', 'p95', '× baseline, median'],
    rows: rows.filter(isContestant).map((row) => {
      const { framesPerSec, queue, firstTokenMs } = row.cell.timings;
      return {
        row,
        cells: [
          framesPerSec?.toFixed(1) ?? '–',
          framesPerSec === null || suite.fps === 0 ? '–' : `${(framesPerSec / suite.fps).toFixed(1)}×`,
          String(queue.longest),
          queue.meanAtEnd.toFixed(1),
          ms(firstTokenMs?.min),
          ms(firstTokenMs?.median),
          ms(firstTokenMs?.p95),
          formatRatio(row.ratios.firstToken),
        ],
      };
    }),
  };
}

function footageVerdicts({ rows, figure }: SuiteView): ReportTable | undefined {
  const kinds = kindsOf(rows, ({ comparison }) => Object.keys(comparison?.byFootage ?? {}));
  if (kinds.length < 2) return undefined;
  return {
    title: 'Does it drop? By kind of footage',
    note: 'Difference to the baseline in points with its 95 % interval, and the verdict.',
    header: ['Method', ...kinds],
    rows: rows
      .filter((row) => row.cell.comparison?.byFootage && isContestant(row))
      .map((row) => ({
        row,
        cells: kinds.map((kind) => {
          const found = row.cell.comparison!.byFootage![kind];
          if (found === undefined) return '–';
          const { verdict, required } = found.nonInferiority;
          return `${formatInterval(found.difference, figure.scale, '')} ${verdict}${required ? `: needs ≈ ${required.questions.toLocaleString('en')}` : ''}`;
        }),
      })),
  };
}

function encoderByFootage({ rows }: SuiteView): ReportTable | undefined {
  const kinds = kindsOf(rows, ({ costs }) => Object.keys(costs.byFootage));
  if (kinds.length < 2) return undefined;
  const share = (own: number | undefined, all: number | undefined) => (own === undefined || !all ? '–' : `${((own / all) * 100).toFixed(0)} %`);
  return {
    title: 'Encoder work by kind of footage',
    note: 'Patches × layers computed, of the baseline’s on the same videos; in brackets visual tokens passed on.',
    header: ['Method', ...kinds],
    rows: rows
      .filter((row) => isContestant(row) && row.cell.comparison)
      .map((row) => ({
        row,
        cells: kinds.map((kind) => {
          const [own, other] = [row.cell.costs.byFootage[kind], row.cell.comparison!.baselineCosts.byFootage[kind]];
          return `${share(own?.patchLayers, other?.patchLayers)} (${share(own?.visualTokens, other?.visualTokens)})`;
        }),
      })),
  };
}

function ages({ rows, suite }: SuiteView): ReportTable | undefined {
  if (!suite.questions.some(({ evidenceAgeSec = 0 }) => evidenceAgeSec >= 60)) return undefined;
  return {
    title: 'By age of what the answer rests on',
    note: 'Accuracy in %, questions scored.',
    header: ['Method', ...ageGroups],
    rows: rows.map((row) => ({
      row,
      cells: ageGroups.map((group) => {
        const figure = row.cell.metrics.byAge?.[group];
        return typeof figure?.accuracy !== 'number' ? '–' : `${(figure.accuracy * 100).toFixed(1)} (${figure.scored})`;
      }),
    })),
  };
}

/** Times of a stream at which memory and delay are told: one minute, ten, an hour. */
const marksSec = [60, 600, 3600] as const;
const markNames = ['1 min', '10 min', '1 h'] as const;

/** Medians over the questions of the last half before each mark. */
function marks({ rows, suite }: SuiteView): ReportTable | undefined {
  const longest = Math.max(0, ...suite.videos.map(({ streamSec }) => streamSec));
  // A stream is asked for the last time shortly before its end.
  const reached = marksSec.filter((mark) => mark <= longest * 1.1);
  if (reached.length < 2) return undefined;
  const names = markNames.slice(0, reached.length);
  const at = (cell: RecordCell, mark: number, pick: (item: RecordItem) => number): number | undefined => {
    const values = cell.items
      .filter((item) => item.status === 'scored' || item.status === 'unscored')
      .filter((item) => {
        const timeSec = streamTimeOf(item, suite);
        return timeSec > mark / 2 && timeSec <= mark;
      })
      .map(pick)
      .sort((a, b) => a - b);
    return values.length === 0 ? undefined : quantile(values, 0.5);
  };
  return {
    title: 'Memory and delay after 1 minute, 10 minutes, 1 hour',
    note: 'Medians over questions between half of that time and it. A method that ended before with a full context has a dash.',
    header: ['Method', ...names.map((name) => `Live KV, ${name}`), ...names.map((name) => `First token, ${name}`), `Delay, ${names.at(-1)!} ÷ ${names[0]!}`],
    rows: rows.filter(isContestant).map((row) => {
      const kv = reached.map((mark) => at(row.cell, mark, (item) => item.counts.kvBytes));
      const delays = reached.map((mark) => at(row.cell, mark, (item) => item.timings.firstTokenMs));
      const [first, last] = [delays[0], delays.at(-1)];
      return {
        row,
        cells: [
          ...kv.map((bytes) => (bytes === undefined ? '–' : formatBytes(bytes))),
          ...delays.map((ms) => (ms === undefined ? '–' : `${ms.toFixed(1)} ms`)),
          first === undefined || last === undefined || first === 0 ? '–' : (last / first).toFixed(2),
        ],
      };
    }),
  };
}

/** Why questions failed, most frequent first: "12× fifo, frames 8: the memory is full". */
export function failures({ rows }: SuiteView, most = 8): string[] {
  const counts = new Map<string, number>();
  for (const { cell, name } of rows) {
    for (const { status, reason = 'no reason given' } of cell.items) {
      if (status === 'failed') counts.set(`${name}: ${reason}`, (counts.get(`${name}: ${reason}`) ?? 0) + 1);
    }
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([text, count]) => `${count}× ${text}`);
  return sorted.length <= most ? sorted : [...sorted.slice(0, most), `and ${sorted.length - most} more reasons`];
}

function kindsOf(rows: readonly Row[], of: (cell: RecordCell) => readonly string[]): string[] {
  return [...new Set(rows.flatMap((row) => of(row.cell)))].sort();
}
