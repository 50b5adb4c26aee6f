// A retrofit from a checkpoint to an adapter: learning, resumption bit for bit, texts of the model's own, and refusals.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { Decoder } from '../language/decoder.ts';
import { withAdapter } from '../models/adapters.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import { openWeights } from '../models/packed/open.ts';
import { writeRandomCheckpoint } from '../models/random-checkpoint.ts';
import { layOutClip, openClipData } from './retrofit-clips.ts';
import { measureTexts } from './retrofit-measure.ts';
import { phaseAt, retrofitPhases } from './retrofit-phases.ts';
import type { RetrofitOptions } from './retrofit.ts';
import { retrofit, retrofitRecipe } from './retrofit.ts';
import { retrofitModel } from './retrofit-run.ts';
import { openSelfTextData, selfText } from './retrofit-text.ts';
import { writeTinyLlama2c } from './retrofit.fixture.ts';

let root: string;
let base: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-retrofit-'));
  base = path.join(root, 'model');
  await writeTinyLlama2c(base, 'weights');
});
afterAll(() => rm(root, { recursive: true }));

const textOptions = { seed: 1, length: 24, sequences: 4, trainingTexts: 12, heldOutTexts: 8, threads: 1 };

async function run(name: string, kind: 'dmc' | 'dms', more: Partial<RetrofitOptions> & { readonly steps?: number } = {}) {
  const checkpoint = await openCheckpoint(base);
  await using data = await openSelfTextData(checkpoint, path.join(root, 'cache'), { ...textOptions, folder: path.join(root, 'texts') });
  const { steps = 40, ...rest } = more;
  return await retrofit({
    recipe: retrofitRecipe({ kind, ratio: 2, steps, rate: kind === 'dmc' ? 1e-2 : 5e-3, window: 4, extra: kind === 'dmc' ? ['value', 'output'] : [] }, checkpoint),
    checkpoint, data, dataName: 'test', workFolder: path.join(root, name), adapterFolder: path.join(root, `${name}-adapter`), threads: 1, logEverySteps: 5, evaluateEverySteps: 20, ...rest,
  });
}

describe('a retrofit', () => {
  it.each(['dmc', 'dms'] as const)('%s reaches its ratio, and its adapter opens over the checkpoint', async (kind) => {
    const phases = new Set<string>();
    const result = await run(`whole-${kind}`, kind, { steps: 70, onProgress: ({ phase }) => { phases.add(phase); } });
    if (!result.finished) throw new Error('not finished');
    expect(result.figures.ratio).toBeGreaterThan(1.6);
    expect(phases).toEqual(new Set(kind === 'dmc' ? ['fade', 'rise', 'tune'] : ['rise', 'tune']));
    const adapter = JSON.parse(await readFile(path.join(result.adapterFolder, 'adapter.json'), 'utf8')) as Record<string, unknown>;
    expect(adapter).toMatchObject({ format: 1, kind, ratio: 2, offset: 5, trained: { steps: 70, seed: 1, ratios: result.figures.ratios } });
    const checkpoint = await openCheckpoint(base);
    const opened = await withAdapter(checkpoint, result.adapterFolder);
    expect(opened.adapter).toMatchObject({ kind, ratio: 2 });
    const [before, after] = [checkpoint.decoder.weights.layers[0]!.key.weight, opened.decoder.weights.layers[0]!.key.weight];
    if (kind === 'dmc') expect(await after.read()).not.toEqual(await before.read());
    else expect(after).toBe(before);

    // The engine, a few tokens at a time, with the adapter as written and decisions made as it goes, against the training graph.
    const { heldOut } = await selfText(checkpoint, () => Promise.reject(new Error('the texts are there')), { ...textOptions, folder: path.join(root, 'texts') });
    const texts = Array.from({ length: textOptions.heldOutTexts }, (_, i) => heldOut.subarray(i * textOptions.length, (i + 1) * textOptions.length));
    using packed = await openWeights(opened, 'float32', path.join(root, 'cache'), { threads: 1 });
    await using decoder = await Decoder.open(opened.decoder.spec, packed.decoder, { threads: 1, extra: { rawKeys: true } });
    const measured = await measureTexts(decoder, texts, { method: kind, chunk: 5, opening: 1, as: 'answer', adapter: opened.adapter! });
    expect(measured.losses.reduce((a, b) => a + b, 0) / texts.length).toBeCloseTo(result.figures.loss, 4);
    if (kind === 'dmc') measured.ratios.flat().forEach((ratio, i) => expect(1 - 1 / ratio).toBeCloseTo((1 - 1 / result.figures.ratios.flat()[i]!) * (23 / 24), 5));
  });

  it('goes on after an interrupt as if there had been none', async () => {
    const whole = await run('uninterrupted', 'dmc');
    const stop = new AbortController();
    const first = await run('resumed', 'dmc', { signal: stop.signal, onProgress: ({ step }) => { if (step === 15) stop.abort(); } });
    expect(first).toEqual({ finished: false, step: 15 });
    const second = await run('resumed', 'dmc');
    expect(second).toEqual({ ...whole, adapterFolder: path.join(root, 'resumed-adapter') });
    const weights = (name: string) => readFile(path.join(root, `${name}-adapter`, 'adapter.safetensors'));
    expect((await weights('resumed')).equals(await weights('uninterrupted'))).toBe(true);
    await expect(run('resumed', 'dmc', { steps: 50 })).rejects.toMatchObject({ code: 'RETROFIT_OTHER', parts: { got: 'steps 40, not 50' } });
  });

  it('from a name to an adapter in the checkpoint, with the time that is left', async () => {
    const folder = path.join(root, 'own');
    await cp(base, folder, { recursive: true });
    const seen: string[] = [];
    const result = await retrofitModel({ model: folder, kind: 'dmc', ratio: 1.5, steps: 6, work: path.join(root, 'own-work'), batch: 2, length: 16, samples: 4, heldOut: 2, onProgress: ({ kind }) => seen.push(kind) });
    expect(result.folder).toBe(path.join(folder, 'adapters', 'dmc-1.5x'));
    expect(new Set(seen)).toEqual(new Set(['data', 'step']));
    expect((await withAdapter(await openCheckpoint(folder), 'dmc-1.5x')).adapter!.trained).toMatchObject({ ratio: result.figures.ratio });
  });

  it('learns from clips what a model that sees is asked, in two families', async () => {
    for (const size of ['smolvlm2-tiny', 'llava-onevision-tiny'] as const) {
      const folder = path.join(root, size);
      await writeRandomCheckpoint(folder, size, { seed: 1, dtype: 'float32' });
      const checkpoint = await openCheckpoint(folder);
      await using data = await openClipData(checkpoint, { seed: 1, clips: 1, frames: 7, rates: [2], threads: 3, threadLength: 60, spokenTurns: 1, trainingClips: 1, heldOutClips: 1, folder: path.join(root, `${size}-clips`), cacheFolder: path.join(root, 'cache'), onnxThreads: 1 });
      expect(await data.batch('train', 0)).toEqual(await data.batch('train', 0));
      const clip = { visual: new Float32Array(0), timesSec: [0, 0.5], threads: [[{ frames: 1, question: 'Who?', answer: 'nobody' }]], captions: [{ frames: 2, question: 'Describe it.', answer: 'a dog runs' }] };
      const { threads } = layOutClip(clip, checkpoint.prompt.stream, checkpoint.tokensPerFrame, 0, 1000, createRandom('layout'));
      expect(threads.map((thread) => thread.map(({ frames }) => frames))).toEqual([[2], [1]]);
      const result = await retrofit({ recipe: retrofitRecipe({ kind: 'dmc', ratio: 2, steps: 3 }, checkpoint), checkpoint, data, dataName: 'clips', workFolder: path.join(root, `${size}-run`), adapterFolder: path.join(folder, 'adapters', 'test'), threads: 1 });
      expect(result.finished).toBe(true);
      expect((await withAdapter(checkpoint, 'test')).adapter!.kind).toBe('dmc');
    }
  });
});

it('phases: the channel fades, the ratio rises to its target, the noise goes', () => {
  const phases = retrofitPhases('dmc', 100, 4);
  const states = Array.from({ length: 100 }, (_, step) => phaseAt(phases, step));
  expect(states[0]).toMatchObject({ phase: 'fade', noise: 'closed', target: 0 });
  expect(states[14]).toMatchObject({ phase: 'fade', fade: 0 });
  expect(states[15]).toMatchObject({ phase: 'rise', noise: 1 });
  expect(states[59]!.target).toBeCloseTo(0.75);
  expect(states[99]).toEqual({ phase: 'tune', fade: 0, target: 0.75, noise: 0 });
  for (let i = 1; i < 60; i++) expect(states[i]!.target).toBeGreaterThanOrEqual(states[i - 1]!.target);
  expect(phaseAt(retrofitPhases('dms', 100, 4), 0)).toMatchObject({ phase: 'rise', fade: 0 });
});

describe('is refused', () => {
  it.each([
    [{ ratio: 1 }, 'RETROFIT_RATIO'], [{ ratio: 65 }, 'RETROFIT_RATIO'], [{ steps: 2 }, 'RETROFIT_STEPS'], [{ rate: Number.NaN }, 'RETROFIT_RECIPE'], [{ length: 65 }, 'RETROFIT_LENGTH'], [{ model: 'no-such-folder' }, 'NO_MODEL'],
  ] as const)('%o', async (wrong, code) => {
    await expect(retrofitModel({ model: base, kind: 'dmc', ratio: 2, steps: 5, work: path.join(root, `refused-${code}`), out: path.join(root, 'refused'), batch: 1, samples: 1, heldOut: 1, length: 8, ...wrong })).rejects.toMatchObject({ code });
  });

  it('where the adapter cannot be written', async () => {
    const file = path.join(root, 'file');
    await writeFile(file, '');
    await expect(retrofitModel({ model: base, kind: 'dmc', ratio: 2, steps: 5, out: path.join(file, 'adapter'), work: path.join(root, 'refused-out') })).rejects.toMatchObject({ code: 'BAD_FOLDER' });
  });
});
