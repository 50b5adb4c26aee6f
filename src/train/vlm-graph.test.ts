// The training graph of the VLM: equal to Transformers on a golden checkpoint, packed as alone, right gradients, and it learns.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Dense } from '../graph/evaluate.ts';
import { evaluate } from '../graph/evaluate.ts';
import { gradients } from '../graph/gradient.ts';
import { Graph } from '../graph/graph.ts';
import { openTensors } from '../models/tensors.ts';
import { readSafetensorsHeader, weightSource } from '../models/safetensors.ts';
import { Tensor, openOnnx } from '../runtime/onnx.ts';
import { createOptimiser } from './optimiser.ts';
import type { ParameterStore } from './parameters.ts';
import { createParameters, feedNames, parameterTensors } from './parameters.ts';
import { evaluationGraph } from './step-graph.ts';
import type { ClipSample, Thread, Prefix } from './vlm-batch.ts';
import { packBatch, unfoldPatches } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmParameters, vlmSizes } from './vlm-config.ts';
import { vlmForward } from './vlm-graph.ts';

const goldens = new URL('../../test/goldens/', import.meta.url);
const tied: VlmConfig = {
  imagePx: 32, patchPx: 8, scale: 2,
  vision: { width: 32, layers: 2, heads: 2, mlpWidth: 64, normEpsilon: 1e-6 },
  text: { width: 48, layers: 2, queryHeads: 4, kvHeads: 2, mlpWidth: 96, vocabulary: 560, normEpsilon: 1e-5, ropeTheta: 100000, contextLength: 256 },
};
const tiny: VlmConfig = {
  imagePx: 16, patchPx: 4, scale: 2,
  vision: { width: 16, layers: 1, heads: 2, mlpWidth: 24, normEpsilon: 1e-6 },
  text: { width: 16, layers: 2, queryHeads: 4, kvHeads: 2, mlpWidth: 24, vocabulary: 20, normEpsilon: 1e-5, ropeTheta: 1000, contextLength: 64 },
  auxiliary: { labels: 3, numbers: 2 },
};

/** A picture with one square of a colour, as patches. */
function square(config: VlmConfig, colour: readonly number[], seed: string): Uint8Array {
  const random = createRandom(seed);
  const rgb = Uint8Array.from({ length: config.imagePx ** 2 * 3 }, () => 100 + random.int(0, 40));
  const [left, top, size] = [random.int(0, config.imagePx / 2), random.int(0, config.imagePx / 2), config.imagePx / 2];
  for (let y = top; y < top + size; y++) for (let x = left; x < left + size; x++) rgb.set(colour, (y * config.imagePx + x) * 3);
  return unfoldPatches(rgb, config.imagePx, config.imagePx, config.patchPx);
}

/** A prefix with nothing left out; `lengths` after each count of frames. */
function wholePrefix(ids: readonly number[], lengths: readonly number[]): Prefix {
  const visual = ids.filter((id) => id < 0).map((_, token) => token);
  return { ids: Int32Array.from(ids), positions: Int32Array.from(ids, (_, place) => place), visual: Int32Array.from(visual), after: lengths.map((length, shown) => ({ length, position: length, shown })) };
}

/** A clip of frames in random colours; each frame's question asks its colour: ids 10 + colour. */
function clip(config: VlmConfig, seed: string, frames: number): ClipSample & { readonly colours: number[] } {
  const random = createRandom(seed);
  const palette = [[220, 30, 30], [30, 200, 40], [40, 60, 230], [230, 220, 40]];
  const colours = Array.from({ length: frames }, () => random.int(0, palette.length));
  const pictures = colours.map((colour, i) => square(config, palette[colour]!, `${seed} ${i}`));
  const tokens = vlmSizes(config).tokensPerFrame;
  const prefix = wholePrefix([1, ...colours.flatMap(() => [2, ...Array<number>(tokens).fill(-1), 3])], Array.from({ length: frames + 1 }, (_, i) => 1 + i * (tokens + 2)));
  const turn = (i: number) => ({ frames: i + 1, prompt: Int32Array.of(4, 5), answer: Int32Array.of(10 + colours[i]!, 6), label: `frame ${i}`, evidence: Array.from({ length: tokens }, (_, token) => i * tokens + token) });
  const width = config.auxiliary ? config.auxiliary.labels + config.auxiliary.numbers : 0;
  const auxiliary = { targets: Float32Array.from({ length: frames * tokens * width }, () => random.int(0, 2)), weights: new Float32Array(frames * tokens * width).fill(1) };
  return { colours, patches: new Uint8Array(Buffer.concat(pictures)), prefix, threads: colours.map((_, i): Thread => [turn(i)]), ...(width > 0 && { auxiliary }) };
}

async function losses(config: VlmConfig, store: ParameterStore, shape: Parameters<typeof packBatch>[1], samples: readonly ClipSample[]) {
  const batch = packBatch(config, shape, samples);
  await using model = await openOnnx(evaluationGraph('vlm', store.specs, vlmForward(config, shape, { auxiliaryWeight: 0.3 })).encode(), { threads: 2 });
  return { batch, judged: batch.judge(await model.run({ ...parameterTensors(store, 'weights'), ...batch.feeds })) };
}

describe('the VLM as a training graph', () => {
  it('gives the logits of Transformers', async () => {
    interface Golden { readonly prompts: readonly { readonly name: string; readonly ids: readonly number[]; readonly logitPositions: readonly number[] }[] }
    const golden = (JSON.parse(readFileSync(new URL('expected/smolvlm-tied.json', goldens), 'utf8')) as Golden).prompts.find(({ name }) => name === 'two-images')!;
    const expected = await openTensorsOf('expected/smolvlm-tied.safetensors');
    const store = createParameters(vlmParameters(tied), createRandom(1));
    const stored = await openTensors(new URL('checkpoints/smolvlm-tied', goldens).pathname);
    expect([...stored.keys()].sort()).toEqual(store.specs.map(({ name }) => name).sort());
    for (const { name, shape } of store.specs) {
      expect(stored.get(name)!.shape).toEqual(shape);
      store.weights.get(name)!.set(await weightSource(stored.get(name)!).read());
    }
    const planar = expected.bytes('two-images/image.pixels');
    const pictures = [0, 1].map((picture) => {
      const rgb = new Uint8Array(32 * 32 * 3).map((_, i) => planar[(picture * 3 + (i % 3)) * 1024 + Math.floor(i / 3)]!);
      return unfoldPatches(rgb, 32, 32, 8);
    });
    const ids = golden.ids.map((id) => (id === 551 ? -1 : id));
    const split = ids.lastIndexOf(-1) + 2;
    const sample = { patches: new Uint8Array(Buffer.concat(pictures)), prefix: wholePrefix(ids.slice(0, split), [0, 0, split]), threads: [] };
    const said = Int32Array.from(ids.slice(split));
    // −log p of every word at every position that has golden logits: one question a word, each sharing the text before it.
    for (const [i, position] of golden.logitPositions.entries()) {
      if (position < split) continue;
      const want = expected.floats('two-images/logits').subarray(i * 560, (i + 1) * 560);
      const top = Math.max(...want);
      const logSum = top + Math.log(want.reduce((sum, value) => sum + Math.exp(value - top), 0));
      const shape = { clips: 1, frames: 2, prefix: split + 3, threads: 2, threadLength: 40, answers: 560 };
      const prompt = said.subarray(0, position - split + 1);
      const thread: Thread = [{ frames: 2, prompt, answer: Int32Array.of(0), label: '' }];
      const batch = packBatch(tied, shape, [{ ...sample, threads: [thread] }]);
      const row = (batch.feeds['answerRows']!.data as BigInt64Array)[0]!;
      await using model = await openOnnx(evaluationGraph('golden', store.specs, vlmForward(tied, shape, { auxiliaryWeight: 0 })).encode(), { threads: 1 });
      const feeds = { ...batch.feeds, answerRows: new Tensor('int64', new BigInt64Array(560).fill(row), [560]), answerTargets: new Tensor('int64', BigInt64Array.from({ length: 560 }, (_, id) => BigInt(id)), [560]) };
      const got = (await model.run({ ...parameterTensors(store, 'weights'), ...feeds }))['logLoss']!.data as Float32Array;
      want.forEach((logit, id) => expect(Math.abs(got[id]! - (logSum - logit))).toBeLessThan(1e-4));
    }
  });

  it('answers packed questions as if each were alone with the frames before it', async () => {
    const store = createParameters(vlmParameters(tiny), createRandom(3));
    const samples = [clip(tiny, 'a', 3), clip(tiny, 'b', 2)];
    // A dialogue of two turns beside single questions, several to a row.
    const turns = samples[0]!.threads.map((thread) => thread[0]!);
    const packed = { ...samples[0]!, threads: [[turns[0]!, { ...turns[2]!, label: 'second turn' }], [turns[1]!], [turns[2]!]] };
    const { batch, judged } = await losses(tiny, store, { clips: 2, frames: 3, prefix: 24, threads: 3, threadLength: 10, answers: 16 }, [packed, samples[1]!]);
    expect(batch).toMatchObject({ questions: 6, dropped: 0 });
    const tokens = vlmSizes(tiny).tokensPerFrame;
    const frameBytes = samples[0]!.patches.length / 3;
    for (const label of ['frame 0', 'frame 1', 'frame 2', 'second turn']) {
      const thread = packed.threads.find((some) => some.some((turn) => turn.label === label))!;
      const upTo = thread.slice(0, thread.findIndex((turn) => turn.label === label) + 1);
      const frames = upTo[upTo.length - 1]!.frames;
      // Only the frames seen so far, and nothing else in the batch.
      const alone: ClipSample = { patches: packed.patches.subarray(0, frames * frameBytes), prefix: wholePrefix([...packed.prefix.ids.subarray(0, 1 + frames * (tokens + 2))], packed.prefix.after.slice(0, frames + 1).map(({ length }) => length)), threads: [upTo] };
      const shape = { clips: 1, frames, prefix: alone.prefix.ids.length, threads: 1, threadLength: 8, answers: 4 };
      const single = await losses(tiny, store, shape, [alone]);
      const want = single.judged.find((question) => question.label === label)!;
      const got = judged.find((question) => question.label === label)!;
      expect(Math.abs(got.logLoss - want.logLoss)).toBeLessThan(1e-4);
    }
  });

  it('is told where answers are to be seen: the visual tokens of a question’s frame, among those seen when it is asked', () => {
    const shape = { clips: 2, frames: 3, prefix: 24, threads: 3, threadLength: 4, answers: 12, pointers: 4 };
    const tokens = vlmSizes(tiny).tokensPerFrame;
    const samples = ['a', 'b'].map((seed) => clip(tiny, seed, 3));
    const { feeds } = packBatch(tiny, shape, samples);
    const floats = (name: string) => Array.from(feeds[name]!.data as Float32Array);
    expect(floats('pointerWeights').map((weight) => Math.round(weight * 6))).toEqual([1, 1, 1, 0, 1, 1, 1, 0]);
    samples.forEach(({ prefix, threads }, b) => threads.forEach(([turn], i) => {
      const row = (name: string) => floats(name).slice((b * 4 + i) * 24, (b * 4 + i + 1) * 24);
      const frames = (count: number) => Array.from({ length: 24 }, (_, place) => Number(place < prefix.after[count]!.length && prefix.ids[place] === -1));
      expect(row('pointerVisible')).toEqual(frames(turn!.frames));
      expect(row('pointerEvidence')).toEqual(frames(i + 1).map((seen, place) => seen - frames(i)[place]!));
      expect(row('pointerEvidence').reduce((a, c) => a + c)).toBe(tokens);
      // The row whose next token is the answer's first.
      const answerRows = Array.from(feeds['answerRows']!.data as BigInt64Array, Number);
      expect(answerRows).toContain(Number((feeds['pointerRows']!.data as BigInt64Array)[b * 4 + i]));
    }));
  });

  it('has the gradients of central differences in double precision, through every part', () => {
    const shape = { clips: 1, frames: 2, prefix: 14, threads: 2, threadLength: 4, answers: 4, pointers: 3 };
    const specs = vlmParameters(tiny);
    const store = createParameters(specs, createRandom(4));
    const graph = new Graph('vlm gradient');
    const weights = new Map(specs.map((spec) => [spec.name, graph.input(feedNames.weight(spec.name), 'float32', spec.shape)]));
    const evidence = { weight: 0.5, heads: [{ layer: 0, head: 1 }, { layer: 1, head: 2 }] };
    const { loss } = vlmForward(tiny, shape, { auxiliaryWeight: 0.3, evidence })(graph, (name) => weights.get(name)!);
    const slopes = gradients(loss, [...weights.values()]);
    const dense = ({ data, dims }: Tensor): Dense => ({ shape: [...dims], data: Float64Array.from(data as ArrayLike<number | bigint>, Number) });
    const batch = packBatch(tiny, shape, [clip(tiny, 'a', 2)]);
    const feeds = Object.fromEntries(Object.entries({ ...parameterTensors(store, 'weights'), ...batch.feeds }).map(([name, tensor]) => [name, dense(tensor)]));
    // Away from the starting values, where biases are 0 and norms 1.
    const random = createRandom(5);
    for (const { name } of specs) {
      const feed = feeds[feedNames.weight(name)]!;
      feed.data.forEach((value, i) => (feed.data[i] = value + 0.1 * random.normal()));
    }
    const exact = evaluate(graph, feeds, slopes);
    specs.forEach(({ name }, i) => {
      const slope = exact.get(slopes[i]!.name)!;
      // Along the gradient itself, the change is its squared norm: one number that holds every element.
      const norm = Math.sqrt(slope.data.reduce((sum, value) => sum + value * value, 0));
      if (name.endsWith('k_proj.bias')) {
        // It moves all scores of a query alike, which softmax does not see.
        expect(norm).toBeLessThan(1e-12);
        return;
      }
      expect({ name, isThere: norm > 1e-9 }).toEqual({ name, isThere: true });
      const at = (step: number) => {
        const feed = feeds[feedNames.weight(name)]!;
        const moved = { ...feed, data: feed.data.map((value, j) => value + (step * slope.data[j]!) / norm) };
        return evaluate(graph, { ...feeds, [feedNames.weight(name)]: moved }, [loss]).get(loss.name)!.data[0]!;
      };
      const step = 1e-4;
      const error = Math.abs((at(step) - at(-step)) / (2 * step) / norm - 1);
      expect({ name, error: error < 1e-3 ? 0 : error }).toEqual({ name, error: 0 });
    });
  });

  it('learns a handful of clips by heart: every answer exact, the loss near nothing', async () => {
    const config: VlmConfig = { ...tiny, vision: { ...tiny.vision, width: 32, mlpWidth: 64 }, text: { ...tiny.text, width: 32, mlpWidth: 64 } };
    const shape = { clips: 4, frames: 3, prefix: 24, threads: 3, threadLength: 4, answers: 24 };
    const store = createParameters(vlmParameters(config), createRandom(6));
    const batch = packBatch(config, shape, ['a', 'b', 'c', 'd'].map((seed) => clip(config, seed, 3)));
    const group = { rateFactor: 1, weightDecay: 0.01 };
    await using optimiser = createOptimiser(store, () => vlmForward(config, shape, { auxiliaryWeight: 0.1 }), {
      adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 }, groups: { matrix: group, vector: group, embedding: group }, accumulation: 1, threads: 2,
    });
    let figures: Record<string, number> = {};
    for (let step = 0; step < 300; step++) {
      const { outputs } = await optimiser.step([{ variant: 'all', feeds: batch.feeds }], 3e-3);
      const before = figures['answerLoss'];
      figures = batch.measure(outputs[0]!);
      if (before === undefined) expect(figures['answerLoss']).toBeGreaterThan(1);
      if (figures['answerLoss']! < 0.01) break;
    }
    expect(figures['answerLoss']).toBeLessThan(0.01);
    expect(figures['exactMatch']).toBe(1);
  });

  it('without questions trains the encoder by exact truth and leaves the decoder as it is', async () => {
    const shape = { clips: 4, frames: 1, prefix: 10, threads: 0, threadLength: 4, answers: 0 };
    const store = createParameters(vlmParameters(tiny), createRandom(8));
    const before = new Map([...store.weights].map(([name, values]) => [name, values.slice()]));
    const batch = packBatch(tiny, shape, ['a', 'b', 'c', 'd'].map((seed) => clip(tiny, seed, 1)));
    const group = { rateFactor: 1, weightDecay: 0.01 };
    await using optimiser = createOptimiser(store, () => vlmForward(tiny, shape, { auxiliaryWeight: 1 }), {
      adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, maxGradientNorm: 1 }, groups: { matrix: group, vector: group, embedding: group }, accumulation: 1, threads: 1,
    });
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) losses.push(batch.measure((await optimiser.step([{ variant: 'sight', feeds: batch.feeds }], 1e-2)).outputs[0]!)['auxiliaryLoss']!);
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);
    for (const [name, values] of store.weights) expect({ name, same: Buffer.from(values.buffer).equals(Buffer.from(before.get(name)!.buffer)) }).toEqual({ name, same: name.startsWith('model.text_model.') });
  });
});

async function openTensorsOf(file: string) {
  const path = new URL(file, goldens).pathname;
  const { tensors } = await readSafetensorsHeader(path);
  const content = readFileSync(path);
  const bytes = (name: string) => {
    const { offsetBytes, lengthBytes } = tensors.get(name)!;
    return new Uint8Array(content.subarray(offsetBytes, offsetBytes + lengthBytes));
  };
  return { bytes, floats: (name: string) => new Float32Array(bytes(name).slice().buffer) };
}
