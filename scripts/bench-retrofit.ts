// Losses of retrofitted adapters of a text model against eviction at equal bytes, through the engine, on text that the model wrote and training never saw.
// Usage: node scripts/bench-retrofit.ts --model stories260K.bin --adapters <folder>[,<folder>…] [--texts 24] [--length 256] [--seed 1001] [--threads 1] [--name stories] [--work .cache/retrofit-bench] [--out docs/results]
// Writes retrofit-<name>.json, retrofit-<name>.md, a chart, and a picture of each adapter's ratios over layers and heads.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chartSvg } from '../src/bench/report/svg-chart.ts';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { pairedDifference } from '../src/bench/statistics/bootstrap.ts';
import { UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import { Decoder } from '../src/language/decoder.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import { openWeights } from '../src/models/packed/open.ts';
import { heatmapSvg } from '../src/train/retrofit-heatmap.ts';
import { capOfMeanSlots, measureTexts, type MeasureOptions, type TextMeasure } from '../src/train/retrofit-measure.ts';
import { selfText } from '../src/train/retrofit-text.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' }, adapters: { type: 'string', default: '' }, texts: { type: 'string', default: '24' }, length: { type: 'string', default: '256' },
    seed: { type: 'string', default: '1001' }, threads: { type: 'string', default: '1' }, name: { type: 'string', default: 'stories' },
    work: { type: 'string', default: '.cache/retrofit-bench' }, out: { type: 'string', default: 'docs/results' },
  },
});
if (!values.model) throw new UserError('NO_MODEL', { what: 'no model to measure', expected: '--model with a text model', todo: 'see the first lines of this script' });
const model = values.model;
const [count, length, seed, threads] = [values.texts, values.length, values.seed, values.threads].map(Number) as [number, number, number, number];
/** Tokens that go in at once: what eviction takes for a frame. Decisions of adapters do not depend on it. */
const chunk = 16;
const loadAtStart = loadavg()[0]!;
const log = (text: string) => void process.stderr.write(`${text}\n`);

async function withDecoder<T>(adapter: string | undefined, work: (decoder: Decoder, trained: Pick<MeasureOptions, 'adapter'>) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(model, adapter === undefined ? {} : { adapter: path.resolve(adapter) });
  using packed = await openWeights(checkpoint, 'float32', values.work, { threads });
  await using decoder = await Decoder.open(checkpoint.decoder.spec, packed.decoder, { threads, extra: { rawKeys: true } });
  return await work(decoder, checkpoint.adapter ? { adapter: checkpoint.adapter } : {});
}

const base = await openCheckpoint(model);
const written = await selfText(base, async () => Decoder.open(base.decoder.spec, (await openWeights(base, 'float32', values.work, { threads })).decoder, { threads }), {
  seed, length, trainingTexts: 0, heldOutTexts: count, folder: values.work, onProgress: (done, total) => log(`writing texts: ${done} of ${total}`),
});
const texts = Array.from({ length: count }, (_, i) => written.heldOut.subarray(i * length, (i + 1) * length));
const opening = written.opening.length;
const measure = (decoder: Decoder, options: Pick<MeasureOptions, 'method' | 'options' | 'as' | 'adapter'>) => measureTexts(decoder, texts, { ...options, chunk, opening });

interface Measured {
  readonly loss: number;
  /** Of the loss without compression, in percent, with a 95 % interval over texts. */
  readonly changePercent: number;
  readonly low: number;
  readonly high: number;
  readonly meanSlots: number;
  readonly endSlots: number;
}

const mean = (some: readonly number[]) => some.reduce((a, b) => a + b, 0) / some.length;
function compared({ losses, meanSlots, endSlots }: TextMeasure, dense: TextMeasure): Measured {
  const denseLoss = mean(dense.losses);
  const { estimate, low, high } = pairedDifference(losses.map((method, i) => ({ cluster: String(i), method, baseline: dense.losses[i]! })), createRandom('bench'), { range: 10 });
  return { loss: mean(losses), changePercent: (100 * estimate) / denseLoss, low: (100 * low) / denseLoss, high: (100 * high) / denseLoss, meanSlots, endSlots };
}

/** Evictors by a cap on slots. */
const evictors: Readonly<Record<string, (cap: number) => Pick<MeasureOptions, 'method' | 'options'>>> = {
  'streaming-llm': (cap) => ({ method: 'streaming-llm', options: { sinks: 4, window: cap - 4 } }),
  'infinipot-v': (cap) => ({ method: 'infinipot-v', options: { slots: cap } }),
  fifo: (cap) => ({ method: 'fifo', options: { frames: Math.max(1, Math.floor((cap - opening) / chunk)) } }),
};

interface AdapterFile {
  readonly kind: 'dmc' | 'dms';
  readonly ratio: number;
  readonly window?: number;
  readonly channel: number;
  readonly trained: { readonly steps: number; readonly loss: number; readonly teacherLoss: number; readonly ratio: number; readonly ratios: readonly (readonly number[])[] };
}

const adapterFolders = values.adapters.split(',').filter(Boolean);
const measured: { readonly name: string; readonly file: AdapterFile; readonly result: TextMeasure }[] = [];
for (const folder of adapterFolders) {
  const file = JSON.parse(await readFile(path.join(folder, 'adapter.json'), 'utf8')) as AdapterFile;
  measured.push({ name: path.basename(folder), file, result: await withDecoder(folder, (decoder, trained) => measure(decoder, { method: file.kind, as: 'answer', ...trained })) });
  log(`${path.basename(folder)} measured`);
}
const { dense, adapters, sweep } = await withDecoder(undefined, async (decoder) => {
  const whole = await measure(decoder, { method: 'dense', as: 'answer' });
  const evicted = async (name: string, cap: number) => ({ method: name, cap, ...compared(await measure(decoder, { ...evictors[name]!(cap), as: 'frames' }), whole) });
  const rows = [];
  for (const { name, file, result } of measured) {
    const caps = { meanBytes: capOfMeanSlots(result.meanSlots, length, chunk, opening), endBytes: Math.ceil(result.endSlots) };
    const eviction = { meanBytes: [] as Awaited<ReturnType<typeof evicted>>[], endBytes: [] as Awaited<ReturnType<typeof evicted>>[] };
    for (const [at, cap] of Object.entries(caps) as ['meanBytes' | 'endBytes', number][]) for (const method of Object.keys(evictors)) eviction[at].push(await evicted(method, cap));
    log(`${name} compared`);
    const { kind, ratio, window, channel, trained } = file;
    rows.push({ name, kind, ratio, ...(window !== undefined && { window }), channel, steps: trained.steps, trainingGraph: { loss: trained.loss, teacherLoss: trained.teacherLoss, ratio: trained.ratio }, ...compared(result, whole), ratios: result.ratios, eviction });
  }
  const curve = [];
  for (const cap of [32, 64, 128].filter((one) => one < length)) for (const method of Object.keys(evictors)) curve.push(await evicted(method, cap));
  return { dense: compared(whole, whole), adapters: rows, sweep: curve };
});

const environment = await readEnvironment();
const record = {
  what: `${path.basename(model)}: adapters against eviction, through the engine`, model: path.basename(model), parameters: base.parameters, precision: 'float32',
  texts: count, length, chunk, seed, loadAverage: [loadAtStart, loadavg()[0]!], environment, dense, adapters, eviction: sweep,
};
await mkdir(values.out, { recursive: true });
const file = (suffix: string) => path.join(values.out, `retrofit-${values.name}${suffix}`);
await writeFile(file('.json'), `${JSON.stringify(record, null, 2)}\n`);

const percent = (value: number) => `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(2)} %`;
const interval = ({ low, high }: Measured) => `${percent(low)} to ${percent(high)}`;
const best = (some: readonly (Measured & { readonly method: string; readonly cap: number })[]) => some.reduce((a, b) => (b.loss < a.loss ? b : a));
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
await writeFile(
  file('.md'),
  [
    `${path.basename(model)}, ${base.parameters} parameters in float32; ${count} texts of ${length} tokens that it wrote at temperature 1 from seeds that training never saw, ${chunk} tokens at a time through the engine. ` +
      `Loss without compression ${dense.loss.toFixed(4)} nats a token. Changes of the loss with 95 % intervals over texts.`,
    '',
    line(['adapter', 'steps', 'loss', 'change', 'interval', 'slots of a head, mean', 'at the end', 'tokens for each slot', 'best eviction at equal mean bytes', 'at equal bytes at the end']),
    line(Array<string>(10).fill('---')),
    ...adapters.map((row) => {
      const [atMean, atEnd] = [best(row.eviction.meanBytes), best(row.eviction.endBytes)];
      const shown = (one: ReturnType<typeof best>) => `${percent(one.changePercent)} (${one.method}, ${one.cap} slots)`;
      return line([row.name, String(row.steps), row.loss.toFixed(4), percent(row.changePercent), interval(row), row.meanSlots.toFixed(0), row.endSlots.toFixed(0), `${(length / row.endSlots).toFixed(2)}×`, shown(atMean), shown(atEnd)]);
    }),
    '',
    `![loss over slots](retrofit-${values.name}.svg)`,
    ...adapters.map(({ name }) => `![ratios of ${name}](retrofit-${values.name}-${name}.svg)`),
    '',
  ].join('\n'),
);
for (const { name, ratios } of adapters) await writeFile(file(`-${name}.svg`), heatmapSvg(ratios, { title: `${name}: tokens for each slot`, rowName: 'layer', columnName: 'head' }));
const groups = [...Object.keys(evictors).map((method) => ({ name: method, points: sweep.filter((one) => one.method === method) })), ...[...Map.groupBy(adapters, ({ kind }) => kind)].map(([kind, points]) => ({ name: kind, points }))];
const drawn = chartSvg({
  title: 'Loss over the slots that a head holds on average', xLabel: 'slots of a head, mean over the text', yLabel: 'nats a token', lines: [{ y: dense.loss, label: 'uncompressed' }],
  series: groups.map(({ name, points }, style) => ({ name, style, points: points.toSorted((a, b) => a.meanSlots - b.meanSlots).map((point) => ({ x: point.meanSlots, y: point.loss, label: `${point.meanSlots.toFixed(0)} slots, ${point.loss.toFixed(4)}` })) })),
});
await writeFile(file('.svg'), standalone(drawn, groups.map(({ name }) => name)));
process.stdout.write(await readFile(file('.md'), 'utf8'));

/** The report's charts take their colours from the page; alone they need them, and a legend. */
function standalone(svg: string, names: readonly string[]): string {
  const style = '<style>text{font:11px sans-serif;fill:#333}.chart-title{font-size:13px}.grid{stroke:#e4e4e4}.reference{stroke:#888;stroke-dasharray:4 3}</style><rect width="460" height="330" fill="#ffffff"/>';
  const legend = names.map((name, i) => `<text x="${72 + (i % 5) * 76}" y="318" style="fill:${['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b58900'][i % 5]!}">${name}</text>`).join('');
  return `${svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" width="460" height="330" ').replace('viewBox="0 0 460 300"', 'viewBox="0 0 460 330"').replace(/(<svg[^>]*>)/, `$1${style}`).replace('</svg>', `${legend}</svg>`)}\n`;
}
