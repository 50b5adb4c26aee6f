// `thalweg train nano` on a recipe of a few steps: stops with a checkpoint, goes on by itself, and gives a model that opens.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCheckpoint } from '../../models/checkpoint.ts';
import { nanoRecipe, type NanoRecipe } from '../../train/nano.ts';
import type { Output } from '../output.ts';
import { ofSteps, runTrainNano } from './train-nano.ts';

const recipe: NanoRecipe = {
  ...nanoRecipe,
  config: {
    ...nanoRecipe.config, imagePx: 32, patchPx: 8,
    vision: { width: 16, layers: 1, heads: 2, mlpWidth: 16, normEpsilon: 1e-6 },
    text: { width: 16, layers: 1, queryHeads: 2, kvHeads: 1, mlpWidth: 16, vocabulary: 400, normEpsilon: 1e-5, ropeTheta: 10_000, contextLength: 512 },
  },
  trainingClips: 2, evaluationClips: 1, tokenizerClips: 2, streamSec: 8,
  curriculum: [{ name: 'a few pictures', steps: 30, frames: 2, stretches: 2, windows: 2, strides: [1], rows: 1 }],
  evaluation: { name: 'held out', frames: 2, stretches: 1, windows: 1, strides: [1], rows: 1 },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thalweg-train-nano-'));
});
afterAll(() => rm(folder, { recursive: true }));

function recordingOutput(onProgress: (text: string) => void = () => undefined): { readonly out: Output; readonly events: Record<string, unknown>[] } {
  const events: Record<string, unknown>[] = [];
  const ignore = () => undefined;
  return { events, out: { json: true, line: ignore, write: ignore, clearProgress: ignore, progress: onProgress, data: (value) => events.push(value as Record<string, unknown>) } };
}

it('an interrupt leaves a checkpoint, and the same command goes on to a model', async () => {
  const flags = { out: folder, threads: 1, checkpointEvery: 300 };
  const controller = new AbortController();
  const stopped = recordingOutput((text) => {
    if (text.startsWith('step 20')) controller.abort();
  });
  await runTrainNano({ out: stopped.out, signal: controller.signal }, flags, recipe);
  expect(stopped.events.at(-1)).toMatchObject({ kind: 'trained', finished: false, step: 20 });
  expect(await readdir(folder)).not.toContain('model');

  const texts: string[] = [];
  const finished = recordingOutput((text) => texts.push(text));
  await runTrainNano({ out: finished.out, signal: new AbortController().signal }, flags, recipe);
  expect(finished.events[0]).toMatchObject({ kind: 'started', step: 20, totalSteps: 30 });
  expect(finished.events.at(-1)).toMatchObject({ kind: 'trained', finished: true, step: 30, model: path.join(folder, 'model'), heldOut: { kind: 'evaluate', step: 30 } });
  expect(texts.at(-1)).toMatch(/^step 30 of 30 · loss \d+\.\d+ · .* left$/);
  expect(await readdir(path.join(folder, 'run'))).toEqual(expect.arrayContaining(['curves.svg', 'log.jsonl']));
  expect(await openCheckpoint(path.join(folder, 'model'))).toMatchObject({ family: 'smolvlm', tokensPerFrame: 4 });
  await expect(runTrainNano({ out: finished.out, signal: new AbortController().signal }, { ...flags, steps: 9 }, recipe)).rejects.toMatchObject({ code: 'OTHER_RECIPE' });
});

it('fewer steps keep the shares of the curriculum, to the step', () => {
  for (const steps of [1, 7, 300, 40_000]) {
    const short = ofSteps(nanoRecipe, steps);
    expect(short.curriculum.reduce((sum, lesson) => sum + lesson.steps, 0)).toBe(steps);
    expect(short.schedule.warmupSteps).toBeLessThanOrEqual(nanoRecipe.schedule.warmupSteps);
    for (const { clips = short.trainingClips, stretches, windows } of short.curriculum) {
      expect(clips).toBeLessThanOrEqual(short.trainingClips);
      expect(clips * windows).toBeGreaterThanOrEqual(stretches);
    }
  }
  const half = ofSteps(nanoRecipe, nanoRecipe.curriculum.reduce((sum, lesson) => sum + lesson.steps, 0) / 2);
  expect(half.trainingClips).toBe(nanoRecipe.trainingClips / 2);
  expect(half.curriculum.map(({ name, steps }) => [name, steps])).toEqual(nanoRecipe.curriculum.map(({ name, steps }) => [name, steps / 2]));
});
