// Fills the generated parts of README.md: what stands between `<!-- name -->` and `<!-- /name -->`. With --check it only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { listMethods, presetNames, type BenchSummary } from '../src/index.ts';
import { comparisonTable, memoryTable, notMeasured } from './bench-table.ts';

const readme = new URL('../README.md', import.meta.url);
const results = (name: string) => new URL(`../docs/results/${name}`, import.meta.url);

const blocks: Readonly<Record<string, () => Promise<string> | string>> = { methods, comparison, memory, hour, speed, nano, training };

let text = readFileSync(readme, 'utf8');
const before = text;
for (const [name, make] of Object.entries(blocks)) {
  const pattern = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!pattern.test(text)) throw new Error(`README.md has no block <!-- ${name} -->`);
  const made = await make();
  text = text.replace(pattern, (_, open: string, close: string) => `${open}${made}\n${close}`);
}
if (process.argv.includes('--check')) {
  if (text !== before) {
    console.error('README.md is not what its generator gives; run: node scripts/generate-docs.ts');
    process.exit(1);
  }
} else {
  writeFileSync(readme, text);
}

async function methods(): Promise<string> {
  const rows = (await listMethods()).map(({ stage, name, budget, adapter, summary }) => `| ${stage} | \`${name}\` | ${budget ? `${budget.kind}, by \`${budget.knob}\`` : adapter ? `by its ${adapter} adapter` : 'keeps all'} | ${summary} |`);
  return ['| stage | method | budget | what it does |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** Of the committed comparison; says so where there is none. */
async function comparison(): Promise<string> {
  return comparisonTable(benchSummary('bench.json'), await presetNames());
}

function memory(): string {
  return memoryTable(benchSummary('memory.json'));
}

function benchSummary(name: string): BenchSummary | undefined {
  const record = results(name);
  return existsSync(record) ? (JSON.parse(readFileSync(record, 'utf8')) as BenchSummary) : undefined;
}

interface HourRecord {
  readonly what: string;
  readonly frames: number;
  readonly dropped: number;
  readonly longestQueue: number;
  readonly rssSpread: number;
  readonly delayRatio: number;
  readonly liveBytesAtEnd: number;
}

function hour(): string {
  const { what, frames, dropped, longestQueue, rssSpread, delayRatio, liveBytesAtEnd } = JSON.parse(readFileSync(results('hour.json'), 'utf8')) as HourRecord;
  return [
    `${what}:`,
    '',
    '| frames | dropped | longest queue | memory of the process, spread after warm-up | KV memory at the end | delay of an answer, last minutes ÷ first minutes |',
    '| --- | --- | --- | --- | --- | --- |',
    `| ${frames} | ${dropped} | ${longestQueue} | ${(rssSpread * 100).toFixed(1)} % | ${liveBytesAtEnd} bytes | ${delayRatio.toFixed(2)} |`,
  ].join('\n');
}

/** The tables that the run of the built-in model wrote beside its record. */
function nano(): string {
  return readFileSync(results('nano.md'), 'utf8').trim();
}

/** How the built-in model was made, and what it scores with everything computed and kept. */
function training(): string {
  const [made, quality] = ['nano-training.md', 'nano-quality.md'].map((name) => (existsSync(results(name)) ? readFileSync(results(name), 'utf8').trim() : undefined));
  return [
    made === undefined ? notMeasured : `The weights in the package: ${made.split('\n', 1)[0]!} [What it had learned when](docs/results/nano-training.md). On clips of other seeds, everything computed and kept:`,
    quality ?? notMeasured,
  ].join('\n\n');
}

/** The table that the speed run wrote beside its record. */
function speed(): string {
  return readFileSync(results('speed.md'), 'utf8').trim();
}
