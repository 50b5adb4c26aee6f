// Tests of the world suites: made once and kept, loaded by the loaders of the benchmarks whose formats they have.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captionClips, egoClips, streamClips } from '../world/suite.ts';
import { writeSuite, type SuiteClips } from '../world/write-clip.ts';
import { matchJudge } from './judge/match-judge.ts';
import { loadMocks } from './mock.ts';
import { makePlan, summarisePlan } from './run/plan.ts';
import { runBench } from './run/run.ts';
import { loadSuites } from './suite.ts';
import { generateWorldSuite } from './world-suite.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'world-suite-'));
});
afterAll(() => rm(root, { recursive: true }));
const never = new AbortController().signal;

test('a suite is generated with its videos when a run first needs it, and kept', async () => {
  const written: string[] = [];
  const request = {
    suites: [{ name: 'world-caption' }],
    candidates: [(await loadMocks()).get('oracle')!],
    seed: 3,
    worldSize: 1,
    worldCacheFolder: path.join(root, 'cache'),
    onClip: (id: string) => written.push(id),
  };
  const first = await makePlan(request, await loadSuites());
  expect(summarisePlan(first).suites).toMatchObject([{ name: 'world-caption', videos: 1, missing: 0, questions: 1 }]);
  expect(first.suites[0]!.videos[0]!.video).toMatchObject({ footage: 'fixed', questions: [{ kind: 'caption', timeSec: 'end' }] });
  expect(first.suites[0]!.videos[0]!.video.durationSec).toBeGreaterThanOrEqual(8);
  const again = await makePlan(request, await loadSuites());
  expect(written).toHaveLength(1);
  expect(again.suites[0]!.videos).toEqual(first.suites[0]!.videos);
  expect(await readdir(request.worldCacheFolder)).toEqual([expect.stringMatching(/^world-caption-seed3-1-[0-9a-f]{12}$/)]);
});

test('an interrupted generation leaves nothing behind that could be taken for a suite', async () => {
  const cacheFolder = path.join(root, 'interrupted');
  await expect(generateWorldSuite('world-caption', { seed: 1, size: 1, cacheFolder, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  expect(await readdir(cacheFolder)).toEqual([]);
});

describe.each(['world-stream', 'world-caption', 'world-ego'] as const)('%s', (name) => {
  test('mocks score 100 %, nothing, and about chance', async () => {
    // Annotations as generated; the mocks look at no picture, so empty files do for videos.
    const folder = path.join(root, name);
    const options = { seed: 1, split: 'test', clips: name === 'world-ego' ? 12 : 6 } as const;
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
