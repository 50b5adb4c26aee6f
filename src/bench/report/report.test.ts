// Tests of the report: the figures of the record are in it, it needs nothing from outside, and text cannot become markup.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeOfficialFiles } from '../../../test/bench/official-files.ts';
import { simulatedCandidate } from '../../../test/bench/simulated-candidate.ts';
import { matchJudge } from '../judge/match-judge.ts';
import { loadMocks } from '../mock.ts';
import { makePlan } from '../run/plan.ts';
import type { BenchRecord } from '../run/record.ts';
import { runBench } from '../run/run.ts';
import { loadSuites } from '../suite.ts';
import { htmlReport } from './html.ts';
import { markdownReport } from './markdown.ts';
import { chartSvg } from './svg-chart.ts';
import { curvesOf, formatBytes, overTime, viewsOf } from './view.ts';

let root: string;
let record: BenchRecord;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'report-'));
  await writeOfficialFiles(root);
  const candidates = [
    simulatedCandidate({ method: 'dense', quality: () => 0.9, kvBytes: (timeSec) => timeSec * 400_000 }),
    simulatedCandidate({
      method: 'merged',
      quality: (budget) => (budget === 512 ? 0.7 : 0.4),
      kvBytes: (_timeSec, budget) => budget! * 6144,
      budgets: [512, 128],
    }),
    (await loadMocks()).get('oracle')!,
  ];
  const suites = ['streambench', 'egoschema', 'msrvtt-caption'].map((name) => ({ name, folder: path.join(root, name) }));
  record = await runBench(await makePlan({ suites, candidates, seed: 1 }, await loadSuites()), {
    folder: path.join(root, 'run'),
    judge: matchJudge('normalised'),
  });
});
afterAll(() => rm(root, { recursive: true }));

test('the Markdown table holds the record’s figures', () => {
  const text = markdownReport(record);
  const cell = record.cells.find((one) => one.key === 'streambench/merged/128')!;
  const { estimate, low, high } = cell.metrics.main!;
  const shown = (value: number) => (value * 100).toFixed(1);
  expect(text).toContain(`| merged, slots 128 | ${shown(estimate)} % [${shown(low)}, ${shown(high)}] |`);
  expect(text).toContain('| dense (baseline) |');
  expect(text).toContain('| oracle (mock) | 100.0 % [100.0, 100.0] |');
  expect(text).toContain('METEOR (exact + stem)');
  expect(text).toContain('By class of question');
  // Every row of a table has as many cells as its header.
  for (const table of text.match(/(?:^\|.*\n?)+/gm)!)
    expect(
      new Set(
        table
          .trim()
          .split('\n')
          .map((line) => line.split(/(?<!\\)\|/).length),
      ).size,
    ).toBe(1);
});

test('the page needs nothing from outside and runs no script', async () => {
  const page = await htmlReport(record, { picture: () => Promise.resolve('https://elsewhere.example/frame.png') });
  expect(page).not.toMatch(/<script|<link|@import|url\(|\ssrc="(?!data:)|href="(?!#)/i);
  expect(page).toContain('<svg class="chart"');
  expect(page).toContain('Quality against cost');
  expect(page).toContain('Memory and delay over stream time');
});

test('examples show where baseline and method differ, with the frame at the time of the question', async () => {
  const asked: (readonly [string, number | 'end'])[] = [];
  const page = await htmlReport(record, {
    picture: (video, timeSec) => {
      asked.push([path.relative(root, video), timeSec]);
      return Promise.resolve('data:image/png;base64,iVBORw0KGgo=');
    },
  });
  expect(asked.length).toBeGreaterThan(3);
  expect(asked).toContainEqual([expect.stringContaining('streambench/videos/ego/clip_'), expect.any(Number)]);
  expect(page).toContain('<img src="data:image/png;base64,iVBORw0KGgo="');
  for (const { examples } of viewsOf(record)) {
    for (const { baseline, others } of examples)
      for (const { item } of others)
        expect(item.correct === null ? item.ciderD : item.correct).not.toBe(baseline.correct === null ? baseline.ciderD : baseline.correct);
  }
});

test('what a model wrote cannot become markup', async () => {
  const hostile = '<img src=x onerror=alert(1)> | "quoted"';
  const changed: BenchRecord = JSON.parse(
    JSON.stringify(record, (key, value: unknown) => (key === 'output' && typeof value === 'string' ? hostile : value)),
  ) as BenchRecord;
  const page = await htmlReport(changed);
  expect(page).not.toContain('<img src=x');
  expect(page).toContain('&#60;img src=x onerror=alert(1)&#62;');
});

test('ratios are to the baseline, and the baseline is 1', () => {
  const view = viewsOf(record)[0]!;
  const dense = view.rows.find((row) => row.isBaseline)!;
  expect(dense.ratios).toMatchObject({ kvBytes: 1, visualTokens: 1, patchLayers: 1 });
  const merged = view.rows.find((row) => row.cell.budget === 128)!;
  expect(merged.ratios.kvBytes).toBeCloseTo((128 * 6144) / (25 * 400_000), 12);
  expect(curvesOf(view.rows).map((curve) => [curve.name, curve.rows.map((row) => row.cell.budget)])).toEqual([
    ['dense', [null]],
    ['merged', [128, 512]],
  ]);
});

test('memory over stream time grows for the baseline and not for a bounded memory', () => {
  const [suite] = record.suites;
  const kvAt = (key: string) =>
    overTime(
      record.cells.find((cell) => cell.key === key)!,
      suite!,
      (item) => item.counts.kvBytes,
    ).map(({ timeSec, median }) => [timeSec, median]);
  expect(kvAt('streambench/dense')).toEqual([
    [10, 4e6],
    [20, 8e6],
    [30, 12e6],
    [40, 16e6],
  ]);
  expect(new Set(kvAt('streambench/merged/128').map(([, median]) => median))).toEqual(new Set([128 * 6144]));
});

test('a chart of one point, and of none, is drawn', () => {
  const base = { title: 't', xLabel: 'x', yLabel: 'y' };
  expect(chartSvg({ ...base, series: [{ name: 'a', style: 0, points: [{ x: 1, y: 0, label: 'p' }] }] })).not.toMatch(/NaN|Infinity/);
  expect(
    chartSvg({
      ...base,
      isLogX: true,
      series: [
        {
          name: 'a',
          style: 7,
          points: [
            { x: 0.25, y: 70, low: 65, high: 74, label: 'p' },
            { x: 1, y: 72, label: 'q' },
          ],
        },
      ],
    }),
  ).not.toMatch(/NaN|Infinity/);
  expect(chartSvg({ ...base, series: [] })).toBe('');
});

test('bytes are shown with their unit', () => {
  expect([0, 512, 6144, 999.7 * 1024, 5 * 2 ** 20, 3 * 2 ** 40].map(formatBytes)).toEqual(['–', '512 B', '6.00 KiB', '1000 KiB', '5.00 MiB', '3.00 TiB']);
});
