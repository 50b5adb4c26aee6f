// A tokenizer trained here and a model exported here open as any other checkpoint of the family.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import { readSafetensorsHeader } from '../models/safetensors.ts';
import { openTokenizer } from '../models/tokenizer.ts';
import { byteLetters, cutWords, smolvlmTokens, trainBpe } from './bpe.ts';
import { exportCheckpoint } from './export.ts';
import { createParameters } from './parameters.ts';
import { writeSafetensors } from './safetensors-writer.ts';
import { streamPrefix } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmParameters, vlmSizes } from './vlm-config.ts';

const corpus = Array.from({ length: 60 }, (_, i) => {
  const random = createRandom(i);
  const [colour, thing, place] = [random.pick(['red', 'blue', 'yellow']), random.pick(['car', 'dog', 'bicycle']), random.pick(['shop', 'park', "neighbour's house"])];
  return `User: What did the ${colour} ${thing} do at the ${place} ${random.int(1, 90)} seconds ago?\nAssistant: It stopped.`;
});
const tokenizer = trainBpe(corpus, { vocabulary: 400, specialTokens: smolvlmTokens });
const config: VlmConfig = {
  imagePx: 32, patchPx: 8, scale: 2,
  vision: { width: 16, layers: 1, heads: 2, mlpWidth: 24, normEpsilon: 1e-6 },
  text: { width: 16, layers: 2, queryHeads: 4, kvHeads: 2, mlpWidth: 24, vocabulary: 400, normEpsilon: 1e-5, ropeTheta: 10000, contextLength: 128 },
  auxiliary: { labels: 3, numbers: 2 },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thalweg-export-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** BPE by its definition: of the pairs present, merge the earliest learned, until none is left. */
function encode(text: string): string[] {
  const letters = byteLetters();
  const ranks = new Map(tokenizer.merges.map((pair, rank) => [pair.join(' '), rank]));
  return cutWords(text).flatMap((word) => {
    let symbols = Array.from(Buffer.from(word), (byte) => letters[byte]!);
    for (;;) {
      const best = symbols.slice(1).map((right, i) => ({ i, rank: ranks.get(`${symbols[i]} ${right}`) ?? Infinity })).sort((a, b) => a.rank - b.rank || a.i - b.i)[0];
      if (!best || best.rank === Infinity) return symbols;
      symbols = [...symbols.slice(0, best.i), symbols[best.i]! + symbols[best.i + 1]!, ...symbols.slice(best.i + 2)];
    }
  });
}

describe('the tokenizer', () => {
  it('is loaded as any tokenizer.json, cuts text as it was trained to, and gives every text back', async () => {
    const where = path.join(folder, 'tokenizer');
    await exportCheckpoint(where, config, tokenizer, createParameters(vlmParameters(config), createRandom(1)).weights);
    const opened = await openTokenizer(where, tokenizer.size);
    const vocabulary = (tokenizer.document['model'] as { vocab: Record<string, number> }).vocab;
    for (const text of [...corpus.slice(0, 5), 'Where is the red car?', "  odd   spaces\n\n and 12:30, can't we'll", 'Grüße, 世界 🙂 \u0000\u007f', '']) {
      const ids = opened.encode(text);
      expect(Array.from(ids)).toEqual(encode(text).map((token) => vocabulary[token]));
      expect(opened.decode(ids)).toBe(text);
    }
    expect(Array.from(opened.encode('<|im_start|>User:<image><end_of_utterance>')).filter((id) => opened.isSpecial(id))).toEqual([1, 5, 6]);
  });

  it('makes frequent words one token, and depends on the corpus alone', () => {
    for (const word of ['User', ' red', ' bicycle', ' stopped']) expect(encode(word)).toHaveLength(1);
    expect(trainBpe(corpus.toReversed(), { vocabulary: 400, specialTokens: smolvlmTokens })).toEqual(tokenizer);
    expect(tokenizer.size).toBeLessThanOrEqual(400);
    expect(() => trainBpe(corpus, { vocabulary: 200, specialTokens: smolvlmTokens })).toThrow(/too small/);
  });
});

describe('an exported checkpoint', () => {
  it('opens as its family, with the weights in half precision and no auxiliary head', async () => {
    const where = path.join(folder, 'model');
    const store = createParameters(vlmParameters(config), createRandom(2));
    await exportCheckpoint(where, config, tokenizer, store.weights);
    const checkpoint = await openCheckpoint(where);
    expect(checkpoint).toMatchObject({ family: 'smolvlm', tokensPerFrame: 4, generation: { stopTokens: [6], sample: false } });
    expect(checkpoint.decoder.spec).toMatchObject({ layers: 2, kvHeads: 2, tiedEmbeddings: true, ropeTheta: 10000, contextLength: 128 });
    const stored = await checkpoint.decoder.weights.layers[1]!.gate.weight.read();
    store.weights.get('model.text_model.layers.1.mlp.gate_proj.weight')!.forEach((value, i) => expect(Math.abs(stored[i]! - value)).toBeLessThan(1e-3));
  });

  it('has a prompt whose stream is what the training prefix and questions are made of', async () => {
    const { prompt } = await openCheckpoint(path.join(folder, 'model'));
    const { stream } = prompt;
    const { tokensPerFrame } = vlmSizes(config);
    const prefix = streamPrefix(stream, [0, 1, 2], tokensPerFrame);
    const [question] = stream.question('Where is the red car?', { turn: 0, framesBefore: 3 });
    const turn = { role: 'user', parts: [...[0, 1, 2].map(() => ({ kind: 'image' }) as const), { kind: 'text', text: 'Where is the red car?' }] } as const;
    const whole = prompt.render([turn], { generate: true }).flatMap((part) => (part.kind === 'text' ? [...part.ids] : Array<number>(tokensPerFrame).fill(-1)));
    expect(question!.kind === 'text' && [...prefix.ids, ...question!.ids]).toEqual(whole);
    expect(prefix.after).toHaveLength(4);
    expect(prompt.renderText([turn], { generate: true })).toBe('<|im_start|>User:<image><image><image>Where is the red car?<end_of_utterance>\nAssistant:');
  });
});

it('safetensors files are aligned, whole, and refuse what does not fit', async () => {
  const file = path.join(folder, 'some.safetensors');
  await writeSafetensors(file, [{ name: 'half', dtype: 'F16', shape: [3], data: Uint16Array.of(1, 2, 3) }, { name: 'full', dtype: 'F32', shape: [2, 1], data: Float32Array.of(1.5, -2) }], { note: 'ü' });
  const { tensors, metadata } = await readSafetensorsHeader(file);
  expect(metadata.get('note')).toBe('ü');
  expect([...tensors.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual([{ name: 'full', dtype: 'F32', shape: [2, 1] }, { name: 'half', dtype: 'F16', shape: [3] }]);
  const { offsetBytes } = tensors.get('full')!;
  expect(offsetBytes % 8).toBe(0);
  expect((await readFile(file)).readFloatLE(offsetBytes)).toBe(1.5);
  await writeFile(file, 'before');
  await expect(writeSafetensors(file, [{ name: 'bad', dtype: 'F32', shape: [3], data: new Float32Array(2) }])).rejects.toThrow(/wrong size/);
  expect(await readFile(file, 'utf8')).toBe('before');
});
