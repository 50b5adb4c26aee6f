// Training clips: made once, read again, laid out as a live stream would be, in an order that a resumed run repeats.
import { mkdtemp, readFile, readdir, rm, utimes, writeFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { smolvlmTokens, trainBpe } from './bpe.ts';
import { palette } from './clips.fixture.ts';
import type { ClipSource, ClipSourceOptions } from './clip-source.ts';
import { openClipSource } from './clip-source.ts';
import { writeCheckpointFiles } from './export.ts';
import { createParameters } from './parameters.ts';
import { createClipTokeniser, openTrainingPrompt } from './prompt.ts';
import type { TrainerOptions } from './trainer.ts';
import { train } from './trainer.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmParameters, vlmSizes } from './vlm-config.ts';
import { vlmForward } from './vlm-graph.ts';

const config: VlmConfig = {
  imagePx: 16, patchPx: 8, scale: 2,
  vision: { width: 32, layers: 1, heads: 2, mlpWidth: 48, normEpsilon: 1e-6 },
  text: { width: 32, layers: 2, queryHeads: 4, kvHeads: 2, mlpWidth: 64, vocabulary: 320, normEpsilon: 1e-5, ropeTheta: 1000, contextLength: 128 },
};
const shape = { clips: 2, frames: 3, prefix: 24, threads: 4, threadLength: 40, answers: 40 };
const stages = [
  { batches: 2, variant: 'short', shape: { ...shape, frames: 2 } },
  { batches: 0, variant: 'long', shape },
];

let folder: string;
let options: ClipSourceOptions;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thalweg-clips-'));
  const promptFolder = path.join(folder, 'prompt');
  const corpus = Object.keys(palette).flatMap((colour) => Array<string>(5).fill(`User: What colour is this?\nAssistant: ${colour}\nUser: And before?`));
  await writeCheckpointFiles(promptFolder, config, trainBpe(corpus, { vocabulary: 320, specialTokens: smolvlmTokens }));
  options = {
    maker: new URL('./clips.fixture.ts', import.meta.url).href, makerOptions: { frames: 3 }, config, promptFolder, cacheFolder: path.join(folder, 'cache'),
    stages, clips: { from: 0, to: 5 }, seed: 'test',
  };
});
afterAll(() => rm(folder, { recursive: true }));

const idsOf = (batch: Awaited<ReturnType<ClipSource['next']>>, name = 'threadIds') => Array.from(batch.feeds[name]!.data as BigInt64Array, Number);

describe('training clips', () => {
  it('come as tokens of a live stream, dialogues in one segment, frames before them visible', async () => {
    await using source = await openClipSource({ ...options, stages: [stages[1]!] });
    const batch = await source.next();
    const prompt = await openTrainingPrompt(options.promptFolder, config);
    const prefix = idsOf(batch, 'prefixIds').slice(0, 24);
    expect(prompt.decode(prefix.filter((id) => id < 320)).trim()).toBe('User:');
    const visual = prefix.filter((id) => id >= 320);
    expect(visual).toEqual(Array.from({ length: 3 * vlmSizes(config).tokensPerFrame }, (_, i) => 320 + i));
    const segments = Array.from(batch.feeds['segments']!.data as BigInt64Array, Number);
    const first = idsOf(batch).filter((_, i) => i < 40 && segments[i] === 0);
    const said = prompt.decode(first);
    expect(said).toMatch(/^What colour is this\?\nAssistant: (red|green|blue|yellow)(\nUser: And before\?\nAssistant: (red|green|blue|yellow))?$/);
    expect(source.counts).toEqual({ questions: expect.any(Number) as number, dropped: 0 });
    expect(source.counts.questions).toBeGreaterThan(10);
  });

  it('follow a dialogue that stands between the frames, as rendered by the chat template', async () => {
    const prompt = await openTrainingPrompt(options.promptFolder, config);
    const tokens = vlmSizes(config).tokensPerFrame;
    const tokenise = createClipTokeniser(prompt, config);
    const turn = (timeSec: number, question: string, answer: string) => ({ timeSec, question, answer, label: '', evidenceSec: timeSec });
    const clip = { timesSec: [0, 1, 2], patches: new Uint8Array(3 * 4 * 192), threads: [[turn(1, 'What colour is this?', 'red')], [turn(2, 'And before?', 'blue')], [turn(1, 'And before?', 'green')], [turn(0, 'And before?', 'yellow')]] };
    const image = { kind: 'image' } as const;
    const text = (said: string) => ({ kind: 'text', text: said }) as const;
    let spoken = 0;
    for (let seed = 0; seed < 20; seed++) {
      const sample = tokenise(clip, { first: 0, count: 3, stride: 1 }, {}, { turns: 1, prefixTokens: 64 }, createRandom(seed));
      if (sample.threads.length === 4 || !prompt.decode(sample.prefix.ids.filter((id) => id >= 0)).includes('red')) continue;
      spoken++;
      for (const [thread] of sample.threads) {
        const dialogue = [
          { role: 'user', parts: [image, image, text('What colour is this?')] },
          { role: 'assistant', parts: [text('red')] },
          { role: 'user', parts: [...(thread!.frames === 3 ? [image] : []), text('And before?')] },
        ] as const;
        // Asked before the dialogue began, it follows its frame alone.
        const turns = thread!.frames === 1 ? ([{ role: 'user', parts: [image, text('And before?')] }] as const) : dialogue;
        const whole = prompt.render(turns, { generate: true }).flatMap((part) => (part.kind === 'text' ? [...part.ids] : Array<number>(tokens).fill(-1)));
        expect([...sample.prefix.ids.subarray(0, sample.prefix.after[thread!.frames]!.length), ...thread!.prompt]).toEqual(whole);
      }
    }
    expect(spoken).toBeGreaterThan(0);
  });

  it('tell where an answer is to be seen, in the pictures that the stretch has of that time', async () => {
    const prompt = await openTrainingPrompt(options.promptFolder, config);
    const perFrame = vlmSizes(config).tokensPerFrame;
    const wide = { ...config, imagePx: 32 };
    const tokens = vlmSizes(wide).tokensPerFrame;
    expect([perFrame, tokens]).toEqual([1, 4]);
    const tokenise = createClipTokeniser(prompt, wide);
    const turn = (timeSec: number, evidence: { spansSec: [number, number][]; subjects: string[] }) => ({ timeSec, question: 'What colour is this?', answer: 'red', label: '', evidenceSec: 0, evidence });
    const timesSec = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5];
    const clip = {
      timesSec, patches: new Uint8Array(8 * 16 * 192),
      squares: { dog: timesSec.map((_, i) => (i < 4 ? [0] : [2, 3])), cat: timesSec.map(() => [1]) },
      threads: [[turn(3.5, { spansSec: [[2.5, 3.5]], subjects: ['dog'] })], [turn(3.5, { spansSec: [[0, 1.2]], subjects: ['dog', 'cat'] })], [turn(3.5, { spansSec: [[1.2, 1.8]], subjects: ['dog'] })], [turn(2, { spansSec: [[1, 2]], subjects: [] })], [turn(2, { spansSec: [[1, 2]], subjects: ['bird'] })]],
    };
    const shown = (stride: number) => {
      const { threads } = tokenise(clip, { first: 0, count: 8 / stride, stride }, {}, { turns: 0, prefixTokens: 200 }, createRandom('evidence'));
      return threads.map(([said]) => said!.evidence!.join(' ')).sort();
    };
    // Now: the newest picture alone. Long: all pictures within. No subject: the whole picture. Never seen: nothing.
    expect(shown(1)).toEqual(['', '0 1 4 5 8 9', '12', '16 17 18 19', '30 31'].sort());
    // Pictures at 0, 1, 2 and 3 s: what lies between two is told by both.
    expect(shown(2)).toEqual(['', '0 1 4 5', '4 10 11', '8 9 10 11', '14 15'].sort());
    // Nothing changes in these pictures: thinned, the first one stands for all, and the others are not shown.
    const thinned = tokenise(clip, { first: 0, count: 8, stride: 1 }, {}, { turns: 0, prefixTokens: 200 }, createRandom('evidence'), { share: 1, change: [0.1, 0.1] });
    expect(thinned.threads.map(([said]) => [...new Set(said!.evidence)].join(' ')).sort()).toEqual(['', '0', '0 1', '0 1 2 3', '2 3'].sort());
    expect([...thinned.prefix.visual]).toEqual([0, 1, 2, 3]);
    expect(thinned.prefix.after.at(-1)).toMatchObject({ shown: 1, position: tokenise(clip, { first: 0, count: 8, stride: 1 }, {}, { turns: 0, prefixTokens: 200 }, createRandom('evidence')).prefix.ids.length });
  });

  it('are made once and read from disk after; a damaged one is made again', async () => {
    // A worker that was stopped in the middle of a write leaves a part behind.
    const names = (await readdir(path.join(options.cacheFolder, 'pictures'))).filter((name) => name.endsWith('.clip')).sort();
    expect(names.length).toBeGreaterThan(1);
    const file = path.join(options.cacheFolder, 'pictures', names[0]!);
    const whole = await readFile(file);
    const damaged = Buffer.from(whole);
    damaged[damaged.length - 5]! ^= 1;
    await writeFile(file, damaged);
    const untouched = path.join(options.cacheFolder, 'pictures', names[1]!);
    await utimes(untouched, 1, 1);
    await using source = await openClipSource({ ...options, stages: [stages[1]!] });
    for (let i = 0; i < 5; i++) await source.next();
    expect(await readFile(file)).toEqual(whole);
    expect((await stat(untouched)).mtimeMs).toBe(1000);
  });

  it('go by the curriculum, in an order that another process repeats from the state alone', async () => {
    const gather = async (source: ClipSource, count: number) => {
      const batches = [];
      for (let i = 0; i < count; i++) batches.push(await source.next());
      return batches.map((batch) => ({ variant: batch.variant, ids: idsOf(batch) }));
    };
    await using first = await openClipSource(options);
    const before = await gather(first, 2);
    const state: unknown = JSON.parse(JSON.stringify(first.state()));
    const after = await gather(first, 4);
    await using second = await openClipSource(options);
    await second.restore(state);
    expect(await gather(second, 4)).toEqual(after);
    expect([...before, ...after].map(({ variant }) => variant)).toEqual(['short', 'short', 'long', 'long', 'long', 'long']);
    expect(after[0]!.ids).not.toEqual(after[1]!.ids);
  });
});

describe('a VLM on clips', () => {
  const group = { rateFactor: 1, weightDecay: 0.01 };
  const trainer = (where: string, totalSteps: number): TrainerOptions => ({
    adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 }, groups: { matrix: group, vector: group, embedding: group }, accumulation: 1, threads: 2,
    schedule: { kind: 'constant', peak: 4e-3, warmupSteps: 10, totalSteps, finalShare: 1 }, folder: path.join(folder, where), checkpointEverySec: 3600, logEverySteps: 10,
  });
  const forward = (variant: string) => vlmForward(config, stages.find((stage) => stage.variant === variant)!.shape, { auxiliaryWeight: 0 });

  it('resumes in another process bit for bit, data and all', async () => {
    const bytes = [];
    for (const steps of [[6], [3, 6]]) {
      for (const [i, totalSteps] of steps.entries()) {
        await using source = await openClipSource({ ...options, stages: [stages[1]!] });
        const store = createParameters(vlmParameters(config), createRandom(i));
        await train(store, forward, source, trainer(`resume ${steps.length}`, totalSteps));
        if (totalSteps === 6) bytes.push([store.weights, store.means, store.squares].flatMap((map) => [...map.values()].map((values) => Buffer.from(values.buffer).toString('base64'))).join(' '));
      }
    }
    // The first values differ by process (`i`): the second run's come from its checkpoint, whose first process began as the whole run did.
    expect(bytes[1]).toBe(bytes[0]);
  });
});
