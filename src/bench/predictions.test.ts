// Tests of scoring other people's output files, in the official format of each suite.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeOfficialFiles } from '../../test/bench/official-files.ts';
import { matchJudge } from './judge/match-judge.ts';
import { scorePredictions, type PredictionScores } from './predictions.ts';
import { loadSuites, resolveFiles } from './suite.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'predictions-'));
  await writeOfficialFiles(root);
});
afterAll(() => rm(root, { recursive: true }));

async function score(name: string, content: unknown): Promise<PredictionScores> {
  const suite = (await loadSuites()).get(name)!;
  const loaded = await suite.load(await resolveFiles(name, suite, path.join(root, name)));
  const file = path.join(root, `${name}.predictions.json`);
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return scorePredictions({ name, suite, loaded, file, judge: matchJudge('normalised') });
}

test('StreamBench: output items, matched in the order of the annotations', async () => {
  // Videos 0 and 1, picture 0: a cat and a dog. The last item belongs to no question.
  const items = [
    { time: 10, question: 'Which animal is in picture 0?', label: 'cat', predict: 'The cat.', class: 'OS', process_time: 0.5 },
    { time: 20, question: 'Which animal is in picture 1?', label: 'dog', predict: 'horse', class: 'LM', process_time: 0.7 },
    { time: 10, question: 'Which animal is in picture 0?', label: 'dog', predict: 'dog', class: 'OS', process_time: 0.9 },
    { time: 10, question: 'Which planet is it?', label: 'Mars', predict: 'Mars', class: 'OS', process_time: 0.9 },
  ];
  const scores = await score('streambench', items);
  expect(scores.counts).toEqual({ scored: 3, unscored: 13, failed: 0, missing: 0 });
  expect(scores.metrics.accuracy).toMatchObject({ scored: 3, correct: 2 });
  expect(scores.metrics.stream).toEqual({ score: 10 / 3, coherence: 5 });
  expect(scores.items[0]).toMatchObject({ id: 'ego/clip_0.mp4#0', correct: true, timings: { firstTokenMs: 500 } });
  expect(scores.notes).toEqual(['13 of 16 questions have no prediction and are counted as unscored']);
  // JSON lines, as some harnesses write.
  expect((await score('streambench', items.map((item) => JSON.stringify(item)).join('\n'))).counts.scored).toBe(3);
});

test('MSR-VTT captions: COCO results, with numbers or names of clips, or a plain map', async () => {
  const asNumbers = await score('msrvtt-caption', [
    { image_id: 7010, caption: 'a cat runs across the wet grass' },
    { image_id: 7011, caption: 'a dog is running in a garden' },
  ]);
  const asNames = await score('msrvtt-caption', [
    { image_id: 'video7010', caption: 'a cat runs across the wet grass' },
    { image_id: 'video7011', caption: 'a dog is running in a garden' },
  ]);
  const asMap = await score('msrvtt-caption', { video7010: 'a cat runs across the wet grass', video7011: 'a dog is running in a garden' });
  expect(asNumbers.counts).toEqual({ scored: 2, unscored: 2, failed: 0, missing: 0 });
  expect(asNumbers.metrics.captions!.bleu4).toBeCloseTo(1, 7);
  expect(asNames.metrics).toEqual(asNumbers.metrics);
  expect(asMap.metrics).toEqual(asNumbers.metrics);
});

test('EgoSchema: q_uid to a number from 0 to 4', async () => {
  const scores = await score('egoschema', {
    '00000000-aaaa-bbbb-cccc-000000000000': 0,
    '00000001-aaaa-bbbb-cccc-000000000000': '1',
    '00000002-aaaa-bbbb-cccc-000000000000': 4,
    '00000003-aaaa-bbbb-cccc-000000000000': 'The answer is (D).',
    '00000004-aaaa-bbbb-cccc-000000000000': 'no idea',
  });
  expect(scores.counts).toMatchObject({ scored: 4, unscored: 1 });
  expect(scores.metrics.accuracy).toMatchObject({ scored: 4, correct: 3 });
  expect(scores.metrics.accuracyUnscoredWrong).toBe(0.6);
});

test('MSRVTT-QA: rows by question id; the right answer beside a prediction is not taken for it', async () => {
  const scores = await score('msrvtt-qa', [
    { question_id: 158581, answer: 'cat' },
    { id: '158582', pred: 'horse', answer: 'dog' },
  ]);
  expect(scores.metrics.accuracy).toMatchObject({ scored: 2, correct: 1 });
});

test('OVO-Bench: backward, real-time and forward responses', async () => {
  const single = (id: number, response: string | null) => ({ id, video: 'v', task: 'EPM', question: 'q', response, ground_truth: 'A' });
  const scores = await score('ovo-bench', {
    backward: [single(0, 'A'), single(2, 'B')],
    realtime: [single(1, '(B) in the garden'), single(3, null)],
    forward: [
      {
        id: 4,
        task: 'REC',
        test_info: [
          { realtime: 2, count: 1, response: '1' },
          { realtime: 4.5, count: 2, response: 'five' },
        ],
      },
      {
        id: 5,
        task: 'SSR',
        test_info: [
          { realtime: 5, response: 'Yes' },
          { realtime: 12, response: 'N' },
        ],
      },
    ],
  });
  expect(scores.counts).toEqual({ scored: 7, unscored: 3, failed: 0, missing: 0 });
  expect(scores.metrics.accuracy!.correct).toBe(5);
  expect(scores.metrics.byClass).toMatchObject({ SSR: { scored: 2, correct: 2 }, REC: { scored: 2, correct: 1 } });
});

test('StreamingBench: any suite takes a map from question id to answer', async () => {
  const scores = await score('streamingbench', { 'real:0.0': 'A', 'sqa:0.1.0': 'C' });
  expect(scores.metrics.accuracy).toMatchObject({ scored: 2, correct: 1 });
});

test('a file of another form or of another suite is refused', async () => {
  await expect(score('egoschema', [1, 2, 3])).rejects.toMatchObject({ code: 'INVALID_ANNOTATIONS' });
  await expect(score('egoschema', { nobody: 1 })).rejects.toMatchObject({ code: 'NO_PREDICTION_MATCHES' });
});
