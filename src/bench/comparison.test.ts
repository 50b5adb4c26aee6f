// Tests of the default comparison: names of settings, sizes from what the first videos show, queues in real time, frames that candidates share.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simulatedCandidate } from '../../test/bench/simulated-candidate.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { atMiddle, comparisonMethods, runComparison } from './comparison.ts';
import { matchJudge } from './judge/match-judge.ts';
import { parseSetting } from './method-setting.ts';
import { queueInRealTime } from './real-time.ts';
import { makePlan } from './run/plan.ts';
import { withoutTimes } from './run/record.ts';
import { createSharedVideo } from './shared-video.ts';
import { loadSuites } from './suite.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'comparison-'));
});
afterAll(() => rm(root, { recursive: true }));
const never = new AbortController().signal;

describe('a setting', () => {
  test('of one method is swept by its knob, all else does nothing', async () => {
    expect(await parseSetting('fifo')).toMatchObject({ isPreset: false, knob: { name: 'frames', stage: 'memory' }, stages: { gate: { method: 'every-frame' }, vision: { method: 'all' }, memory: { method: 'fifo', options: {} } } });
  });

  test('of several stages takes options, and is not swept', async () => {
    const setting = await parseSetting('vision=dtd:threshold=0.2,memory=fifo:frames=8');
    expect(setting.stages).toMatchObject({ vision: { method: 'dtd', options: { threshold: 0.2 } }, memory: { method: 'fifo', options: { frames: 8 } } });
    expect(setting.knob).toBeUndefined();
    expect((await parseSetting('memory=fifo:frames=8')).knob).toBeUndefined();
  });

  test.each([
    ['nope', 'UNKNOWN_METHOD'],
    ['difference', 'AMBIGUOUS_METHOD'],
    ['memory=dtd', 'UNKNOWN_METHOD'],
    ['memory=fifo,memory=merge', 'BAD_COMBINATION'],
    ['memory=fifo:frames', 'BAD_COMBINATION'],
  ])('"%s" is refused', async (text, code) => {
    await expect(parseSetting(text)).rejects.toMatchObject({ code });
  });

  test('methods that need an adapter are compared where there is one', async () => {
    expect(await comparisonMethods([])).not.toContain('dmc');
    const names = await comparisonMethods(['dmc']);
    expect(names).toContain('dmc');
    expect(names).not.toContain('dms');
    expect(names.slice(0, 2)).toEqual(['dense', 'thalweg']);
  });
});

test('each candidate at the middle of its sweep, the wider of two', () => {
  const candidate = simulatedCandidate({ method: 'merged', quality: () => 1, kvBytes: () => 1, budgets: [8, 16, 32] });
  expect(atMiddle([candidate])[0]!.knob!.values).toEqual([16]);
});

test('the main rows get as many videos as decide, within the time; the others stay; a second start changes nothing', async () => {
  const methods = ['dense', 'fifo', 'other'];
  const candidates = methods.map((method) => simulatedCandidate({ method, quality: () => (method === 'dense' ? 0.7 : 0.69), kvBytes: () => 1 }));
  const request = { suites: [{ name: 'world-caption' }], candidates, seed: 1, worldSize: 2, worldCacheFolder: path.join(root, 'cache') };
  const small = { ...request, worldSize: { 'world-caption': 2 } };
  // The candidates look at no picture: empty files do for videos.
  const many = await makePlan({ ...request, worldSize: 200 }, await loadSuites());
  await mkdir(path.dirname(many.suites[0]!.videos[0]!.path!), { recursive: true });
  for (const { path: file } of many.suites[0]!.videos) await writeFile(file!, '');
  const options = { folder: path.join(root, 'run'), judge: matchJudge('normalised') };
  let sizes: Readonly<Record<string, number>> = {};
  const onSizes = (found: Readonly<Record<string, number>>) => (sizes = found);
  // No time: nobody gets more.
  const first = await runComparison(small, { ...options, withinMs: 0, onSizes });
  expect(sizes).toEqual({ 'world-caption': 2 });
  // Time for one or two more.
  const perVideo = first.cells.flatMap(({ units }) => units).reduce((sum, { timings }) => sum + timings.wallMs + timings.drawMs, 0) / 2;
  const record = await runComparison(small, { ...options, withinMs: 4.5 * perVideo, onSizes });
  expect(sizes['world-caption']).toBeGreaterThan(2);
  const watched = (method: string) => record.cells.find((cell) => cell.method === method)!.units.length;
  expect([watched('dense'), watched('fifo'), watched('other')]).toEqual([sizes['world-caption'], sizes['world-caption'], 2]);
  const other = record.cells.find((cell) => cell.method === 'other')!;
  expect(other.comparison!.difference!.pairs + other.comparison!.excluded).toBe(2);
  expect(other.comparison!.baselineCosts.videos).toBe(2);
  const again = await runComparison(small, { ...options, withinMs: 4.5 * perVideo, onSizes });
  expect(withoutTimes(again)).toEqual(withoutTimes(record));
});

describe('a queue in real time', () => {
  test('is empty where work is quicker than the frames', () => {
    expect(queueInRealTime([0, 1, 2].map((timeSec) => ({ kind: 'frame', timeSec, workMs: 400 })))).toEqual({ longest: 0, atEnd: 0 });
  });

  test('grows by what is not done in time: frames of 1.5 s each second', () => {
    // Begins at 0, 1.5, 3, 4.5, 6 s for arrivals at 0…4 s: at 4 s those of 4.5 and 6 s wait.
    expect(queueInRealTime([0, 1, 2, 3, 4].map((timeSec) => ({ kind: 'frame', timeSec, workMs: 1500 })))).toEqual({ longest: 2, atEnd: 2 });
  });

  test('waits for an answer too', () => {
    expect(queueInRealTime([{ kind: 'frame', timeSec: 0, workMs: 10 }, { kind: 'answer', timeSec: 0, workMs: 2500 }, { kind: 'frame', timeSec: 1, workMs: 10 }, { kind: 'frame', timeSec: 2, workMs: 10 }, { kind: 'frame', timeSec: 3, workMs: 10 }])).toEqual({ longest: 2, atEnd: 0 });
  });
});

test('candidates of one video get the same frames, decoded once, with what decoding took', async () => {
  const file = path.join(root, 'clip.mp4');
  await using writer = await openVideoWriter({ path: file, widthPx: 64, heightPx: 48, fps: 10 });
  for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(64 * 48 * 3).fill(i * 10));
  await writer.close();
  const shared = createSharedVideo('clip', 0);
  const watch = async () => {
    const source = await shared.source(file, 2, never);
    const seen: { timeSec: number; decodeMs: number; first: number }[] = [];
    for await (const frame of source) seen.push({ timeSec: frame.timeSec, decodeMs: source.stats().decodeMs, first: frame.rgb[0]! });
    return seen;
  };
  const [one, two] = [await watch(), await watch()];
  expect(one.map(({ timeSec }) => timeSec)).toEqual([0, 0.5, 1, 1.5]);
  expect(one.at(-1)!.decodeMs).toBeGreaterThan(0);
  // The very same times: nothing was decoded again.
  expect(two).toEqual(one);
});
