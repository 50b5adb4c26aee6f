// Tests of the runner: same seed same record, a killed run resumes to the record of an unbroken one, failures are kept apart.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { writeOfficialFiles } from '../../../test/bench/official-files.ts';
import { simulatedCandidate, type Simulation } from '../../../test/bench/simulated-candidate.ts';
import { matchJudge } from '../judge/match-judge.ts';
import { loadSuites, type Suite } from '../suite.ts';
import { makePlan, type Plan } from './plan.ts';
import { summarisePlan } from './plan-summary.ts';
import type { Progress } from './progress.ts';
import { readRecord, withoutTimes, type BenchRecord } from './record.ts';
import { runBench, type RunOptions } from './run.ts';

const dense: Simulation = { method: 'dense', quality: () => 0.8, kvBytes: (timeSec) => timeSec * 400_000 };
const merged: Simulation = {
  method: 'merged',
  quality: (budget) => (budget === 512 ? 0.8 : 0.4),
  kvBytes: (timeSec, budget) => Math.min(timeSec * 400_000, budget! * 6144),
  budgets: [128, 512],
};

const allNames = ['streambench', 'egoschema', 'msrvtt-caption', 'streamingbench'];

let root: string;
let suites: ReadonlyMap<string, Suite>;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'run-'));
  await writeOfficialFiles(root);
  suites = await loadSuites();
});
afterAll(() => rm(root, { recursive: true }));

interface PlanOptions {
  readonly simulations?: readonly Simulation[];
  readonly seed?: number;
  readonly names?: readonly string[];
  readonly controls?: boolean;
  readonly limit?: number;
}

function plan({ simulations = [dense, merged], names = allNames, seed = 1, controls = false, ...rest }: PlanOptions = {}): Promise<Plan> {
  const candidates = simulations.map((one) => simulatedCandidate(one));
  return makePlan({ suites: names.map((name) => ({ name, folder: path.join(root, name) })), candidates, seed, controls, ...rest }, suites);
}

const freshFolder = () => path.join(root, `run ${count++}`);

function run(what: Plan, options: Partial<RunOptions> = {}): Promise<BenchRecord> {
  return runBench(what, { folder: freshFolder(), judge: matchJudge('normalised'), ...options });
}

test('two runs with one seed give the same record but for times, also with videos in parallel', async () => {
  const first = await run(await plan());
  const second = await run(await plan());
  const parallel = await run(await plan(), { parallel: 3 });
  expect(withoutTimes(second)).toEqual(withoutTimes(first));
  const options = (withoutTimes(first) as BenchRecord).options;
  expect(withoutTimes({ ...parallel, options })).toEqual(withoutTimes(first));
  expect(withoutTimes(await run(await plan({ seed: 2 })))).not.toEqual(withoutTimes(first));
});

test('the record on disk is the record returned, with commit, versions, machine, ids, raw output and counts', async () => {
  const folder = freshFolder();
  const record = await run(await plan(), { folder, given: { suite: ['streambench'] } });
  expect(await readRecord(path.join(folder, 'record.json'))).toEqual(record);
  await expect(readRecord(path.join(folder, 'journal.jsonl'))).rejects.toMatchObject({ code: 'NOT_A_RECORD' });
  expect(record).toMatchObject({ kind: 'thalweg-bench', version: 1, seed: 1, options: { given: { suite: ['streambench'] } }, judge: { name: 'normalised' } });
  expect(record.environment.versions['node']).toBe(process.versions.node);
  expect(record.environment.machine.cores).toBeGreaterThan(0);
  const cell = record.cells.find((one) => one.key === 'egoschema/merged/512')!;
  expect(cell).toMatchObject({ budget: 512, knob: 'slots', model: 'simulated-1b', isMock: false, counts: { scored: 5 } });
  expect(cell.items[0]).toMatchObject({
    output: expect.any(String) as string,
    parsed: expect.stringMatching(/^[A-E]$/) as string,
    counts: { kvBytes: 512 * 6144 },
  });
  expect(record.suites[1]!.questions[0]).toMatchObject({ id: '00000000-aaaa-bbbb-cccc-000000000000', truth: 'A' });
});

describe('a run that was killed', () => {
  let what: Plan;
  let unbroken: unknown;
  let journal: Buffer;
  let asked: string[];

  beforeAll(async () => {
    const folder = freshFolder();
    asked = [];
    what = await plan({ simulations: [{ ...dense, onAsk: (id) => asked.push(id) }, merged], names: ['streambench', 'egoschema'], limit: 2 });
    unbroken = withoutTimes(await run(what, { folder }));
    journal = await readFile(path.join(folder, 'journal.jsonl'));
  });

  /** The journal as a kill leaves it after so many bytes. */
  async function resumeFrom(bytes: Buffer): Promise<{ readonly record: unknown; readonly resumed: number; readonly total: number }> {
    const folder = freshFolder();
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'journal.jsonl'), bytes);
    const events: Progress[] = [];
    const record = withoutTimes(await run(what, { folder, onProgress: (event) => events.push(event) }));
    return { record, resumed: events[0]!.resumedUnits, total: events[0]!.totalUnits };
  }

  test('at any byte resumes to the record of an unbroken run', async () => {
    const random = createRandom(5);
    const lineEnds = [...journal.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
    const places = [
      0,
      1,
      17,
      18,
      lineEnds[0]! - 1,
      lineEnds[0]!,
      lineEnds[0]! + 1,
      lineEnds[4]! - 1,
      lineEnds[4]!,
      journal.length - 1,
      journal.length,
      ...Array.from({ length: 20 }, () => random.int(0, journal.length)),
    ];
    for (const place of places) {
      const { record, resumed } = await resumeFrom(journal.subarray(0, place));
      expect({ place, record }).toEqual({ place, record: unbroken });
      expect({ place, resumed }).toEqual({ place, resumed: Math.max(0, lineEnds.filter((end) => end <= place).length - 1) });
    }
  });

  test('repeats nothing that was finished', async () => {
    const all = [...asked];
    const half = journal.subarray(0, journal.lastIndexOf(10, Math.floor(journal.length / 2)) + 1);
    asked.length = 0;
    const { resumed, total } = await resumeFrom(half);
    expect(resumed).toBeGreaterThan(0);
    expect(resumed).toBeLessThan(total);
    expect(asked.length).toBeLessThan(all.length);
    asked.length = 0;
    await resumeFrom(journal);
    expect(asked).toEqual([]);
  });

  test('runs a unit again whose line was damaged', async () => {
    const damaged = Buffer.from(journal);
    const middle = Math.floor(journal.length / 2);
    damaged[middle] = damaged[middle] === 0x31 ? 0x32 : 0x31;
    const { record, resumed, total } = await resumeFrom(damaged);
    expect(record).toEqual(unbroken);
    expect(resumed).toBeLessThan(total);
  });

  test('is not continued with other options, nor over a file that is no journal', async () => {
    const folder = freshFolder();
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'journal.jsonl'), journal);
    await expect(run(await plan({ seed: 9 }), { folder })).rejects.toMatchObject({ code: 'OTHER_PLAN' });
    expect(await readFile(path.join(folder, 'journal.jsonl'))).toEqual(journal);
    await writeFile(path.join(folder, 'journal.jsonl'), 'my notes\n');
    await expect(run(what, { folder })).rejects.toMatchObject({ code: 'NOT_A_JOURNAL' });
    expect(await readFile(path.join(folder, 'journal.jsonl'), 'utf8')).toBe('my notes\n');
  });

  test('is not written by two processes at once; the lock of a dead one is taken over', async () => {
    const folder = freshFolder();
    await mkdir(folder, { recursive: true });
    const lock = path.join(folder, 'journal.jsonl.lock');
    // The parent of this process lives as long as the test.
    await writeFile(lock, String(process.ppid));
    await expect(run(what, { folder })).rejects.toMatchObject({ code: 'RUN_IN_PROGRESS' });
    await writeFile(lock, '2147483646');
    expect(withoutTimes(await run(what, { folder }))).toEqual(unbroken);
  });
});

test('an abort stops the run, and what was finished is kept', async () => {
  const folder = freshFolder();
  const what = await plan();
  const abort = new AbortController();
  const stopped = run(what, { folder, signal: abort.signal, onProgress: ({ doneUnits }) => doneUnits === 3 && abort.abort(new Error('enough')) });
  await expect(stopped).rejects.toThrow('enough');
  const events: Progress[] = [];
  const record = await run(what, { folder, onProgress: (event) => events.push(event) });
  expect(events[0]).toMatchObject({ resumedUnits: 3 });
  expect(withoutTimes(record)).toEqual(withoutTimes(await run(what)));
});

test('a candidate that fails at a question fails that question only, and can be tried again', async () => {
  let isBroken = true;
  const fragile: Simulation = {
    ...merged,
    method: 'fragile',
    onAsk: (id) => {
      if (isBroken && id.endsWith('#1')) throw new Error('out of slots');
    },
  };
  const what = await plan({ simulations: [dense, fragile], names: ['streambench'] });
  const folder = freshFolder();
  const record = await run(what, { folder });
  const cell = record.cells[1]!;
  expect(cell.counts).toEqual({ scored: 12, unscored: 0, failed: 4, missing: 0 });
  expect(cell.items[1]).toMatchObject({ status: 'failed', reason: 'out of slots', output: null });
  expect(cell.comparison).toMatchObject({ excluded: 4, difference: { pairs: 12, clusters: 4 }, differenceUnscoredWrong: { pairs: 16 } });
  isBroken = false;
  expect((await run(what, { folder })).cells[1]!.counts.failed).toBe(4);
  expect((await run(what, { folder, retryFailed: true })).cells[1]!.counts.failed).toBe(0);
  // The journal now holds both; the later line counts.
  expect((await run(what, { folder })).cells[1]!.counts.failed).toBe(0);
});

test('a judge out of reach ends the run; a new start only judges', async () => {
  const asked: string[] = [];
  const what = await plan({ simulations: [{ ...dense, onAsk: (id) => asked.push(id) }], names: ['streambench'] });
  const folder = freshFolder();
  const unreachable = { description: { name: 'chat' }, judge: () => Promise.reject(new Error('no route')) };
  await expect(run(what, { folder, judge: unreachable })).rejects.toThrow('no route');
  expect(asked).toHaveLength(16);
  const record = await run(what, { folder });
  expect(asked).toHaveLength(16);
  expect(record.cells[0]!.counts.scored).toBe(16);
});

test('a video that cannot be opened fails its questions', async () => {
  const closed = { ...simulatedCandidate(dense), withTruth: () => ({ ...simulatedCandidate(dense), open: () => Promise.reject(new Error('no such codec')) }) };
  const what = await makePlan({ suites: [{ name: 'egoschema', folder: path.join(root, 'egoschema') }], candidates: [closed], seed: 1 }, suites);
  const record = await run(what);
  expect(record.cells[0]!.counts).toEqual({ scored: 0, unscored: 0, failed: 5, missing: 0 });
  expect(record.cells[0]!.units[0]).toMatchObject({ error: 'no such codec' });
});

test('each budget is compared with the baseline of its model on the same questions', async () => {
  const record = await run(await plan({ names: ['streambench'] }));
  const [baseline, narrow, wide] = record.cells;
  expect(baseline!.comparison).toBeUndefined();
  for (const cell of [narrow!, wide!]) {
    const { difference, mcnemar, baseline: key } = cell.comparison!;
    expect(key).toBe('streambench/dense');
    expect(difference!.estimate).toBeCloseTo(cell.metrics.main!.estimate - baseline!.metrics.main!.estimate, 12);
    expect((mcnemar!.onlyMethod - mcnemar!.onlyBaseline) / 16).toBeCloseTo(difference!.estimate, 12);
  }
  // Four videos are too few to say no, however large the loss.
  expect(narrow!.comparison!.nonInferiority).toMatchObject({ verdict: 'undecided' });
  expect(narrow!.comparison!.nonInferiority!.required!.videos).toBeGreaterThanOrEqual(20);
});

test('a caption has the same score in every row, also where a row has fewer clips', async () => {
  const [all, few] = ['dense', 'other'].map((method) => simulatedCandidate({ ...dense, method, quality: () => 1 }));
  const suite = { name: 'msrvtt-caption', folder: path.join(root, 'msrvtt-caption') };
  const { cells } = await run(await makePlan({ suites: [suite], candidates: [all!, few!], seed: 1, limitOf: ({ candidate }) => (candidate === few ? 1 : undefined) }, suites));
  const scores = cells.map(({ items }) => items.map(({ ciderD }) => ciderD!));
  expect(scores[0]![0]).toBeGreaterThan(0);
  expect(scores[1]).toEqual(scores[0]!.slice(0, 1));
  expect(cells[1]!.comparison!.difference!.estimate).toBe(0);
});

test('proactive questions are polled every second until the model speaks', async () => {
  const record = await run(await plan({ simulations: [{ ...dense, quality: () => 1 }], names: ['streamingbench'] }));
  const items = record.cells[0]!.items.filter((item) => item.polls);
  expect(items.map((item) => [item.polls!.length, item.atSec, item.correct])).toEqual([
    [9, 29, true],
    [2, 26, true],
  ]);
});

test('EgoSchema gets the baseline blind and with one frame beside it, other suites do not', async () => {
  const seen: (number | 'end')[] = [];
  const watching: Simulation = { ...dense, onAdvance: (timeSec) => seen.push(timeSec) };
  const what = await plan({ simulations: [watching, merged], names: ['egoschema', 'streambench'], controls: true });
  expect(what.cells.filter((cell) => cell.candidate.control).map((cell) => cell.key)).toEqual(['egoschema/dense-blind', 'egoschema/dense-one-frame']);
  const only = (keep: string) => ({ ...what, cells: what.cells.filter((cell) => cell.key === keep) });
  const blind = await run(only('egoschema/dense-blind'));
  expect(seen).toEqual([]);
  expect(blind.cells[0]).toMatchObject({ control: 'blind', counts: { scored: 5 }, costs: { frames: 0 } });
  await run(only('egoschema/dense-one-frame'));
  expect(seen).toEqual([0, 0, 0, 0, 0]);
});

test('a dry run says what would be done and what it would cost', async () => {
  const summary = await summarisePlan(await plan({ names: ['streambench', 'egoschema'] }), 2);
  expect(summary.suites).toMatchObject([
    { name: 'streambench', videos: 4, questions: 16, streamSec: 160, missing: 0 },
    { name: 'egoschema', videos: 5, questions: 5, streamSec: 900 },
  ]);
  expect(summary.cells.map((cell) => cell.key)).toEqual([
    'streambench/dense',
    'streambench/merged/128',
    'streambench/merged/512',
    'egoschema/dense',
    'egoschema/merged/128',
    'egoschema/merged/512',
  ]);
  // By hand: 3 · (160 · 10 + 16 · 5) + 3 · (900 · 10 + 5 · 5), over two lanes.
  expect(summary.estimateMs).toBe((3 * (1600 + 80) + 3 * (9000 + 25)) / 2);
});

test('progress counts units and says how long the rest takes', async () => {
  const events: Progress[] = [];
  await run(await plan({ names: ['streambench'] }), { onProgress: (event) => events.push(event) });
  expect(events[0]).toMatchObject({ doneUnits: 0, totalUnits: 12, leftMs: null });
  expect(events.slice(1).map((event) => event.doneUnits)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  expect(events[6]!.leftMs).toBeGreaterThan(0);
  expect(events[12]!.leftMs).toBe(0);
});

test('a plan with an unknown suite or a name twice is refused', async () => {
  await expect(plan({ names: ['nonsense'] })).rejects.toMatchObject({ code: 'UNKNOWN_SUITE' });
  await expect(plan({ simulations: [dense, dense] })).rejects.toMatchObject({ code: 'DUPLICATE' });
});
