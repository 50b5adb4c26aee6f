// Puts what the built-in model scores under docs/results/, from runs of `thalweg bench --method dense --suite … -m nano`: node scripts/publish-nano-quality.ts <folder of a run> …
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchRecord, BenchSummary } from '../src/index.ts';
import { formatInterval } from '../src/bench/report/view.ts';
import { streamClips } from '../src/world/suite.ts';
import { writeRecord } from './record.ts';

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error('name the folders of finished runs');
  process.exit(2);
}
const summaries = folders.map((folder) => JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as BenchSummary);

const rows = summaries.flatMap(({ suites, cells }) =>
  suites.map((suite) => {
    const own = cells.filter((cell) => cell.suite === suite.name && cell.method.startsWith('dense'));
    const unit = suite.metric === 'accuracy' ? ' %' : '';
    const of = (control: (typeof own)[number]['control']) => {
      const cell = own.find((one) => one.control === control);
      return cell === undefined ? '' : formatInterval(cell.metrics.main, 100, unit);
    };
    const { watched, answers, metrics, counts } = own.find(({ control }) => control === null)!;
    const classes = Object.entries(metrics.byClass ?? {}).map(([name, { accuracy }]) => `${name} ${accuracy === null ? '–' : (100 * accuracy).toFixed(1)}`);
    return { suite: suite.name, metric: suite.metric === 'accuracy' ? 'accuracy' : 'CIDEr-D × 100', fps: suite.fps, videos: watched, answers, scored: counts.scored, dense: of(null), blind: of('blind'), oneFrame: of('one-frame'), classes: classes.length > 1 ? classes.join(', ') : '' };
  }),
);
const table = [
  '| suite | videos | questions | answers that can be read | frames/s | score of these [95 %] | without video | one frame | by class, % |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ...rows.map(({ suite, metric, videos, answers, scored, fps, dense, blind, oneFrame, classes }) => `| ${suite}, ${metric} | ${videos} | ${answers.toLocaleString('en')} | ${scored.toLocaleString('en')} | ${fps} | ${dense} | ${blind} | ${oneFrame} | ${classes} |`),
  '',
].join('\n');

const parts = folders.flatMap((folder, i) => (summaries[i]!.suites.some(({ name }) => name === 'world-stream') ? partsOf(folder) : []));
const partsTable = [
  'What training never saw, in `world-stream`:',
  '',
  '| part | questions | right |',
  '| --- | --- | --- |',
  ...parts.map(({ part, questions, correct }) => `| ${part} | ${questions.toLocaleString('en')} | ${((100 * correct) / questions).toFixed(1)} % |`),
  '',
].join('\n');

const { environment, seed } = summaries[0]!;
await writeRecord(fileURLToPath(new URL('../docs/results', import.meta.url)), 'nano-quality', { environment, seed, rows, parts }, `${table}\n${partsTable}`);
console.log(table);
console.log(partsTable);

/** Right answers by what of a question is held out of training. */
function partsOf(folder: string): { readonly part: string; readonly questions: number; readonly correct: number }[] {
  const record = JSON.parse(readFileSync(join(folder, 'record.json'), 'utf8')) as BenchRecord;
  const cell = record.cells.find(({ suite, method, control }) => suite === 'world-stream' && method === 'dense' && control === null)!;
  const isRight = new Map(cell.items.map(({ id, correct }) => [id, correct === true]));
  const flags = [...streamClips({ seed: record.seed, split: 'test', clips: cell.units.length })].flatMap(({ id, questions }) =>
    questions.flatMap(({ heldOut }, i) => {
      const right = isRight.get(`${id}.mp4#${i}`);
      return right === undefined ? [] : [{ ...heldOut, right }];
    }),
  );
  const part = (name: string, within: (flag: (typeof flags)[number]) => boolean) => {
    const some = flags.filter(within);
    return { part: name, questions: some.length, correct: some.filter(({ right }) => right).length };
  };
  return [
    part('nothing held out', ({ wording, colour, activity }) => !wording && !colour && !activity),
    part('a wording', ({ wording }) => wording),
    part('a colour of a class', ({ colour }) => colour),
    part('an activity in a place', ({ activity }) => activity),
  ];
}
