// Tests of every suite: official files load, mocks score what they must, faults are named.
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../core/errors.ts';
import { writeOfficialFiles, type Sample } from '../../test/bench/official-files.ts';
import { matchJudge } from './judge/match-judge.ts';
import { loadMocks } from './mock.ts';
import { makePlan } from './run/plan.ts';
import { summarisePlan } from './run/plan-summary.ts';
import type { RecordCell } from './run/record.ts';
import { runBench } from './run/run.ts';
import { loadSuites, resolveFiles, type Suite } from './suite.ts';
import { indexVideos } from './videos.ts';

const names = ['egoschema', 'msrvtt-caption', 'msrvtt-qa', 'ovo-bench', 'streambench', 'streamingbench'];
let root: string;
let samples: readonly Sample[];
let suites: ReadonlyMap<string, Suite>;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'suites-'));
  samples = await writeOfficialFiles(root);
  suites = await loadSuites();
});
afterAll(() => rm(root, { recursive: true }));

const folderOf = (name: string) => samples.find((sample) => sample.suite === name)!.folder;
const load = async (name: string, given?: Readonly<Record<string, string>>) => {
  const suite = suites.get(name)!;
  return suite.load(await resolveFiles(name, suite, folderOf(name), given));
};

describe.each(names)('%s', (name) => {
  let cells: ReadonlyMap<string, RecordCell>;
  let chance: number | null;

  beforeAll(async () => {
    const plan = await makePlan({ suites: [{ name, folder: folderOf(name) }], candidates: [...(await loadMocks()).values()], seed: 1 }, suites);
    const record = await runBench(plan, { folder: path.join(root, 'runs', name), judge: matchJudge('normalised') });
    cells = new Map(record.cells.map((cell) => [cell.candidate, cell]));
    chance = record.suites[0]!.chance;
  });

  test('a mock that answers from the truth scores 100 %', () => {
    const { counts, metrics } = cells.get('oracle')!;
    expect(counts).toMatchObject({ unscored: 0, failed: 0, missing: 0 });
    expect(counts.scored).toBeGreaterThan(0);
    if (metrics.captions) {
      for (const figure of ['bleu1', 'bleu4', 'rougeL', 'meteor'] as const) expect(metrics.captions[figure]).toBeCloseTo(1, 7);
      expect(metrics.main!.estimate).toBeGreaterThan(3);
    } else {
      expect(metrics.main!.estimate).toBe(1);
      expect(metrics.accuracyUnscoredWrong).toBe(1);
    }
  });

  test('a mock that answers nothing is all unscored, not all wrong', () => {
    const { counts, metrics } = cells.get('silent')!;
    expect(counts).toMatchObject({ scored: 0, failed: 0, missing: 0 });
    expect(counts.unscored).toBe(cells.get('oracle')!.counts.scored);
    expect(metrics.main).toBeNull();
    if (metrics.accuracy) expect(metrics.accuracy.accuracy).toBeNull();
  });

  test('a mock that answers the first option scores chance', () => {
    const { counts, metrics } = cells.get('first-option')!;
    expect(counts.unscored + counts.failed).toBe(0);
    if (chance === null) expect(metrics.main!.estimate).toBeLessThan(cells.get('oracle')!.metrics.main!.estimate / 2);
    else expect(metrics.main!.estimate).toBeCloseTo(chance, 12);
  });
});

test('StreamBench: breakpoints come in order of time and stay in the dialogue', async () => {
  const { videos } = await load('streambench');
  expect(videos[1]).toMatchObject({ id: 'ego/clip_1.mp4', footage: 'web' });
  expect(videos[0]!.questions.map((question) => [question.timeSec, question.class, question.remember])).toEqual([
    [10, 'OS', true],
    [20, 'LM', true],
    [30, 'SM', true],
    [40, 'SF', true],
  ]);
});

test('MSR-VTT: the test split is taken, each clip with its captions', async () => {
  const { videos } = await load('msrvtt-caption');
  expect(videos.map((video) => video.id)).toEqual(['video7010', 'video7011', 'video7012', 'video7013']);
  expect(videos[0]!.questions[0]).toMatchObject({
    kind: 'caption',
    timeSec: 'end',
    references: ['a cat runs across the wet grass', 'a cat is running in a garden', 'a cat moves quickly over a lawn'],
  });
});

test('EgoSchema: the prompt letters the options and asks for a letter', async () => {
  const { videos } = await load('egoschema');
  expect(videos[3]!.questions[0]).toMatchObject({ kind: 'choice', correct: 3 });
  expect(videos[3]!.questions[0]!.prompt).toBe(
    "What is C mainly doing?\nA. C washes dishes\nB. C paints a wall\nC. C repairs a bicycle\nD. C cuts the grass\nE. C folds clothes\nAnswer with the option's letter from the given choices directly.",
  );
});

test('OVO-Bench: items on one video become one stream, forward tasks one question for each test', async () => {
  const { videos } = await load('ovo-bench');
  expect(videos.map((video) => [video.id, video.questions.map((question) => question.id)])).toEqual([
    ['Ego4D/clips/one.mp4', ['0', '1', '2', '3']],
    ['perception_test/two.mp4', ['4.0', '4.1']],
    ['COIN/three.mp4', ['5.0', '5.1']],
    ['MovieNet/four.mp4', ['6.0', '6.1']],
  ]);
  expect(videos[1]!.questions[1]).toMatchObject({ kind: 'count', answer: 2, timeSec: 4.5 });
  expect(videos[2]!.questions[1]).toMatchObject({ kind: 'yes-no', answer: false });
});

test('StreamingBench: sequential prompts repeat earlier questions with their answers; letters in options are taken off', async () => {
  const { videos } = await load('streamingbench');
  const [real, sqa, proactive] = videos;
  expect(real!.questions[0]).toMatchObject({ options: ['a cup', 'a plate', 'a fork', 'a glass'], timeSec: 30 });
  expect(sqa!.questions[0]!.prompt).not.toContain('Earlier questions');
  expect(sqa!.questions[2]!.prompt).toMatch(/Earlier questions[^]*What is on table 0\?[^]*Answer: A\.[^]*What is on table 1\?[^]*Answer: B\./);
  expect(proactive!.questions[0]).toMatchObject({ kind: 'proactive', timeSec: 20, dueSec: 29, untilSec: 33, output: '3' });
});

test('a limit and ids choose videos and questions; an unknown id is refused', async () => {
  const request = { suites: [{ name: 'streambench', folder: folderOf('streambench') }], candidates: [...(await loadMocks()).values()], seed: 1 };
  expect((await summarisePlan(await makePlan({ ...request, limit: 2 }, suites))).suites[0]).toMatchObject({ videos: 2, questions: 8 });
  expect((await summarisePlan(await makePlan({ ...request, ids: ['ego/clip_2.mp4#1', 'ego/clip_3.mp4'] }, suites))).suites[0]).toMatchObject({
    videos: 2,
    questions: 5,
  });
  await expect(makePlan({ ...request, ids: ['clip_9'] }, suites)).rejects.toMatchObject({ code: 'UNKNOWN_ITEM' });
});

test('missing videos are listed with where to get them, counted missing and never scored', async () => {
  const folder = path.join(root, 'moved');
  await rename(path.join(folderOf('egoschema'), 'videos'), folder);
  try {
    const plan = await makePlan(
      { suites: [{ name: 'egoschema', folder: folderOf('egoschema') }], candidates: [(await loadMocks()).get('oracle')!], seed: 1 },
      suites,
    );
    const summary = await summarisePlan(plan);
    expect(summary.suites[0]).toMatchObject({ videos: 0, missing: 5, questions: 0 });
    expect(summary.missing[0]).toMatchObject({
      suite: 'egoschema',
      file: '00000000-aaaa-bbbb-cccc-000000000000',
      obtain: expect.stringContaining('EgoSchema') as string,
    });
    const record = await runBench(plan, { folder: path.join(root, 'runs', 'missing'), judge: matchJudge('exact') });
    expect(record.cells[0]!.counts).toEqual({ scored: 0, unscored: 0, failed: 0, missing: 5 });
    expect(record.cells[0]!.metrics.main).toBeNull();
    expect(record.missing).toHaveLength(5);
    // Elsewhere they are found.
    const found = await makePlan(
      { suites: [{ name: 'egoschema', folder: folderOf('egoschema'), videoFolder: folder }], candidates: [(await loadMocks()).get('oracle')!], seed: 1 },
      suites,
    );
    expect((await summarisePlan(found)).suites[0]).toMatchObject({ videos: 5, missing: 0 });
  } finally {
    await rename(folder, path.join(folderOf('egoschema'), 'videos'));
  }
});

describe('videos are found', () => {
  test('by path, by name, by id, with another extension, and two of one name by their folders', async () => {
    const folder = await mkdtemp(path.join(root, 'videos-'));
    const { mkdir } = await import('node:fs/promises');
    for (const file of ['a/clip.mp4', 'b/clip.mp4', 'deep/er/Video7.MKV', 'notes.txt']) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), '');
    }
    const find = await indexVideos(folder);
    expect(find({ id: 'x', file: './x/b/clip.webm' })).toBe(path.join(folder, 'b/clip.mp4'));
    expect(find({ id: 'video7', file: 'some/other_name.mp4' })).toBe(path.join(folder, 'deep/er/Video7.MKV'));
    expect(find({ id: 'notes', file: 'notes.txt' })).toBeUndefined();
    expect(() => find({ id: 'clip', file: 'clip.mp4' })).toThrow(UserError);
  });

  test('not in a folder that is not there', async () => {
    await expect(indexVideos(path.join(root, 'nowhere'))).rejects.toMatchObject({ code: 'NO_VIDEO_FOLDER' });
  });
});

describe('a fault in a file is named by file, item and field', () => {
  const faults: readonly (readonly [string, string, unknown, RegExp])[] = [
    [
      'streambench',
      'annotations',
      [
        { info: { video_path: 'a.mp4' }, breakpoint: [{ time: 1, question: 'q', answer: 'a', class: 'OS' }] },
        { info: { video_path: 'b.mp4' }, breakpoint: [{ time: 'soon', question: 'q', answer: 'a', class: 'OS' }] },
      ],
      /bad\.json: item 1, field breakpoint\[0\]\.time/,
    ],
    ['egoschema', 'questions', [{ q_uid: 'x', question: 'q', 'option 0': 'a' }], /bad\.json: item 0, field option 1/],
    [
      'ovo-bench',
      'annotations',
      [{ id: 1, task: 'EPM', video: 'v', realtime: 3, question: 'q', options: ['a', 'b'], gt: 2 }],
      /item 0, field gt: expected the index of one of the options/,
    ],
    ['ovo-bench', 'annotations', [{ id: 1, task: 'XYZ', video: 'v' }], /item 0, field task/],
    [
      'streamingbench',
      'real',
      [{ video_path: 'v', questions: [{ task_type: 't', question: 'q', time_stamp: '00:00:01', answer: 'E', options: ['a', 'b'] }] }],
      /item 0, field questions\[0\]\.answer: expected the letter/,
    ],
    ['msrvtt-caption', 'annotations', { videos: [{ video_id: 'v', split: 'test' }], sentences: [{ video_id: 'v' }] }, /"sentences", field \[0\]\.caption/],
    ['msrvtt-qa', 'annotations', [{ video_id: 1, question: '', answer: 'a' }], /item 0, field question: expected a text that is not empty/],
  ];
  test.each(faults)('%s', async (name, key, content, message) => {
    const file = path.join(root, 'bad.json');
    await writeFile(file, JSON.stringify(content));
    await expect(load(name, { [key]: file })).rejects.toThrow(message);
  });

  test('a file that is cut off, and one that is not there', async () => {
    const file = path.join(root, 'cut.json');
    await writeFile(file, '[{"info": {"video_pa');
    await expect(load('streambench', { annotations: file })).rejects.toMatchObject({ code: 'INVALID_JSON' });
    await expect(load('streambench', { annotations: path.join(root, 'none.json') })).rejects.toMatchObject({ code: 'SUITE_FILE_MISSING' });
    await expect(load('streambench', { answers: file })).rejects.toMatchObject({ code: 'UNKNOWN_SUITE_FILE' });
  });
});

const data = path.resolve(import.meta.dirname, '../../../shared/data/annotations');

describe.skipIf(!existsSync(data))('published files load whole (skipped where the annotation samples are not there)', () => {
  test.each([
    ['egoschema', { questions: 'EgoSchema.csv' }, 500, 500],
    ['msrvtt-qa', { annotations: 'MSRVTT_QA_first2000.csv' }, 81, 1999],
    ['msrvtt-caption', { annotations: 'captions_msvd.json' }, 1970, 1970],
    ['ovo-bench', { annotations: 'ovo_bench_new.json' }, 644, 3035],
    ['streamingbench', { sqa: 'questions_sqa.json', proactive: 'questions_proactive.json' }, 100, 499],
  ] as const)('%s', async (name, files, videoCount, questionCount) => {
    const { videos, notes } = await suites.get(name)!.load(Object.fromEntries(Object.entries(files).map(([key, file]) => [key, path.join(data, file)])));
    const questions = videos.flatMap((video) => video.questions);
    expect([videos.length, questions.length]).toEqual([videoCount, questionCount]);
    expect(new Set(questions.map((question) => question.id)).size).toBe(questionCount);
    // One published proactive question is asked at the very moment it should be answered.
    expect(notes).toEqual(name === 'streamingbench' ? ['proactive:222.0: the moment to speak lies before the question, left out'] : []);
  });
});
