// Tests of the world suites: made once and kept, loaded by the loaders of the benchmarks whose formats they have.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '../source/open-source.ts';
import { captionClips, egoClips, streamClips } from '../world/suite.ts';
import { writeSuite, type SuiteClips } from '../world/write-clip.ts';
import { matchJudge } from './judge/match-judge.ts';
import { loadMocks } from './mock.ts';
import { makePlan } from './run/plan.ts';
import { summarisePlan } from './run/plan-summary.ts';
import { runBench } from './run/run.ts';
import { loadSuites, resolveFiles } from './suite.ts';
import { generateWorldSuite } from './world-suite.ts';
import { createDrawing } from './world-videos.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'world-suite-'));
});
afterAll(() => rm(root, { recursive: true }));
const never = new AbortController().signal;

test('the questions are made when a plan first needs them and kept; a video is drawn when a run first needs it', async () => {
  const asked: string[] = [];
  const request = {
    suites: [{ name: 'world-caption' }],
    candidates: [(await loadMocks()).get('oracle')!],
    seed: 3,
    worldSize: 1,
    worldCacheFolder: path.join(root, 'cache'),
    onClip: (id: string) => asked.push(id),
  };
  const first = await makePlan(request, await loadSuites());
  expect((await summarisePlan(first)).suites).toMatchObject([{ name: 'world-caption', videos: 1, missing: 0, undrawn: 1, questions: 1 }]);
  expect(first.suites[0]!.videos[0]!.video).toMatchObject({ footage: 'fixed', questions: [{ kind: 'caption', timeSec: 'end' }] });
  expect(first.suites[0]!.videos[0]!.video.durationSec).toBeGreaterThanOrEqual(8);
  const again = await makePlan(request, await loadSuites());
  expect(asked).toHaveLength(1);
  expect(again.suites[0]!.videos).toEqual(first.suites[0]!.videos);
  const [folder] = await readdir(request.worldCacheFolder);
  expect(folder).toMatch(/^world-caption-seed3-[0-9a-f]{12}$/);
  expect(await readdir(path.join(request.worldCacheFolder, folder!))).toEqual(['1']);

  const record = await runBench(first, { folder: path.join(root, 'drawn'), judge: matchJudge('normalised') });
  expect(record.cells[0]!.units[0]!.timings.drawMs).toBeGreaterThan(0);
  expect((await summarisePlan(again, 1)).suites).toMatchObject([{ undrawn: 0 }]);
  const source = await openSource(first.suites[0]!.videos[0]!.path!, { fps: 1 });
  expect(source.info).toMatchObject({ codec: 'h264', widthPx: 320, heightPx: 240 });
  await source.close();
  expect(await readdir(path.join(request.worldCacheFolder, folder!, 'videos'))).toEqual(['world-caption-test-3-0000.mp4']);
});

test('more clips leave the first ones as they are, so that they share their videos', async () => {
  const cacheFolder = path.join(root, 'growing');
  const load = async (size: number) => {
    const suite = (await loadSuites()).get('world-ego')!;
    const made = await generateWorldSuite('world-ego', { seed: 2, size, cacheFolder, signal: never });
    const { videos } = await suite.load(await resolveFiles('world-ego', suite, made.folder));
    return { made, videos, clips: videos.map((video) => made.clip(video)!) };
  };
  const [few, many] = [await load(2), await load(4)];
  expect(many.made.identity).toBe(few.made.identity);
  expect(many.videos.slice(0, 2)).toEqual(few.videos);
  expect(many.clips.slice(0, 2)).toEqual(few.clips);
  // Several questions share a walk.
  expect(few.videos[0]!.questions.length).toBeGreaterThan(1);
  expect(new Set(many.videos.flatMap(({ questions }) => questions.map(({ id }) => id))).size).toBe(many.videos.reduce((sum, { questions }) => sum + questions.length, 0));
  expect(Math.max(...many.videos.map(({ durationSec }) => durationSec!))).toBeLessThanOrEqual(many.made.longestSec);
});

test('a long stream is asked about what just happened and about what is long past, and says how old each is', async () => {
  const suite = (await loadSuites()).get('world-stream')!;
  const made = await generateWorldSuite('world-stream', { seed: 4, size: 1, length: { minutes: 16 }, cacheFolder: path.join(root, 'long'), signal: never });
  const { videos } = await suite.load(await resolveFiles('world-stream', suite, made.folder));
  const ages = videos[0]!.questions.map(({ evidenceAgeSec }) => evidenceAgeSec!);
  expect(made.clip(videos[0]!)!.spec.durationSec).toBe(960);
  expect(ages.filter((age) => age < 60).length).toBeGreaterThan(5);
  expect(ages.filter((age) => age >= 60 && age < 600).length).toBeGreaterThan(5);
  expect(ages.filter((age) => age >= 600).length).toBeGreaterThan(0);
});

test('an interrupted generation leaves nothing behind that could be taken for a suite', async () => {
  const cacheFolder = path.join(root, 'interrupted');
  await expect(generateWorldSuite('world-caption', { seed: 1, size: 1, cacheFolder, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  const [folder] = await readdir(cacheFolder);
  expect(await readdir(path.join(cacheFolder, folder!))).toEqual([]);
});

test('an interrupted drawing leaves no video', async () => {
  const folder = path.join(root, 'half drawn');
  await using drawing = createDrawing();
  const stop = new AbortController();
  const spec = { seed: 1, split: 'test', footage: 'fixed', durationSec: 600, activities: 'many', heldOut: false } as const;
  const work = drawing.draw({ id: 'clip', spec, path: path.join(folder, 'clip.mp4') }, 0, stop.signal);
  // The file of the draft is there once drawing has begun.
  while ((await readdir(folder).catch(() => [])).length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('stop'));
  await expect(work).rejects.toThrow('stop');
  expect(await readdir(folder)).toEqual([]);
});

describe.each(['world-stream', 'world-caption', 'world-ego'] as const)('%s', (name) => {
  test('mocks score 100 %, nothing, and about chance', async () => {
    // Annotations as generated; the mocks look at no picture, so empty files do for videos.
    const folder = path.join(root, name);
    const options = { seed: 1, split: 'test', clips: name === 'world-ego' ? 24 : 6 } as const;
    const clips: SuiteClips =
      name === 'world-stream'
        ? { kind: 'stream', clips: streamClips(options) }
        : name === 'world-caption'
          ? { kind: 'captions', clips: captionClips(options) }
          : { kind: 'ego', clips: egoClips(options) };
    const ids: string[] = [];
    await writeSuite(clips, folder, { videos: false, onClip: (id) => ids.push(id), signal: never });
    await mkdir(path.join(folder, 'videos'), { recursive: true });
    for (const id of ids) await writeFile(path.join(folder, 'videos', `${id}.mp4`), '');
    const plan = await makePlan({ suites: [{ name, folder }], candidates: [...(await loadMocks()).values()], seed: 1 }, await loadSuites());
    const record = await runBench(plan, { folder: path.join(root, `run ${name}`), judge: matchJudge('normalised') });
    const cell = (candidate: string) => record.cells.find((one) => one.candidate === candidate)!;
    const oracle = cell('oracle').metrics;
    if (oracle.captions) expect(oracle.captions.rougeL).toBeCloseTo(1, 9);
    else expect(oracle.main!.estimate).toBe(1);
    expect(cell('oracle').counts).toMatchObject({ unscored: 0, failed: 0, missing: 0 });
    expect(cell('silent').counts).toMatchObject({ scored: 0, unscored: cell('oracle').counts.scored });
    expect(cell('first-option').metrics.main!.estimate).toBeLessThan(oracle.main!.estimate / 2);
    expect(JSON.parse(await readFile(path.join(root, `run ${name}`, 'record.json'), 'utf8'))).toMatchObject({ kind: 'thalweg-bench' });
  });
});
