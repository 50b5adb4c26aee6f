// llama2.c files: sizes, tokenizer, and refusals.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../checkpoint.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-llama2c-'));
});
afterAll(() => rm(root, { recursive: true }));

const vocabulary = ['<unk>', '\n<s>\n', '\n</s>\n', ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`), ' ', 'a', 'b', 'c', 'ab', 'abc', ' a', 'é'];
const scores = [...new Array<number>(259).fill(0), -1, -1, -1, -1, -2, -3, -1.5, -1];

function tokenizerFile(): Buffer {
  const parts = [Buffer.from(Int32Array.of(8).buffer)];
  for (const [id, piece] of vocabulary.entries()) parts.push(Buffer.from(Float32Array.of(scores[id]!).buffer), Buffer.from(Int32Array.of(Buffer.byteLength(piece)).buffer), Buffer.from(piece));
  return Buffer.concat(parts);
}

/** dim 8, MLP 12, 2 layers, 2 heads, 1 KV head, 16 positions; every weight is its index in the file. */
function modelFile(header: readonly number[] = [8, 12, 2, 2, 1, vocabulary.length, 16]): Buffer {
  const floats = vocabulary.length * 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 96 * 3) + 8 + 16 * 4;
  return Buffer.concat([Buffer.from(Int32Array.from(header).buffer), Buffer.from(Float32Array.from({ length: floats }, (_, i) => i).buffer)]);
}

async function folderWith(name: string, model: Uint8Array, tokenizer: Uint8Array | undefined): Promise<string> {
  const folder = path.join(root, name);
  await mkdir(folder);
  await writeFile(path.join(folder, 'model.bin'), model);
  if (tokenizer !== undefined) await writeFile(path.join(folder, 'tok.bin'), tokenizer);
  return folder;
}

describe('a llama2.c model', () => {
  it('has its weights where the format puts them', async () => {
    const { family, decoder, parameters, prompt } = await openCheckpoint(await folderWith('good', modelFile(), tokenizerFile()));
    expect(family).toBe('llama2c');
    expect(decoder.spec).toMatchObject({ width: 8, mlpWidth: 12, layers: 2, queryHeads: 2, kvHeads: 1, headWidth: 4, ropeLayout: 'pairs', tiedEmbeddings: true });
    const embedding = vocabulary.length * 8;
    const layer = decoder.weights.layers[1]!;
    expect((await layer.attentionNorm.scale.read())[0]).toBe(embedding + 8);
    // Behind the embedding: both layers' norms (16) and queries (128), then the first layer's keys (32).
    expect((await layer.key.weight.read())[0]).toBe(embedding + 16 + 128 + 32);
    expect(layer.down.weight.shape).toEqual([8, 12]);
    expect(parameters).toBe(embedding + 2 * 496 + 8);
    expect(prompt.render([{ role: 'user', parts: [{ kind: 'text', text: 'abc' }] }], { generate: true })).toEqual([{ kind: 'text', ids: Int32Array.of(1, 265, 261, 262) }]);
    expect(() => prompt.stream.frame({ turn: 0, framesBefore: 0, timeSec: 0 })).toThrow(/reads text alone/);
  });

  it('merges the pair that scores best first, and writes what it lacks as bytes', async () => {
    const { prompt } = await openCheckpoint(await folderWith('tokens', modelFile(), tokenizerFile()));
    // " a" (−1.5) wins over "ab" (−2) at the beginning; further on there is no space before.
    expect([...prompt.encode('abcabc')]).toEqual([265, 261, 262, 264]);
    expect([...prompt.encode('éß')]).toEqual([259, 266, 3 + 0xc3, 3 + 0x9f]);
    expect(prompt.decode([1, ...prompt.encode('abc éß')])).toBe('abc éß');
    expect([...prompt.encode('')]).toEqual([]);
  });

  const refused: Record<string, [Uint8Array, Uint8Array | undefined, RegExp]> = {
    'it is cut off': [modelFile().subarray(0, 1000), tokenizerFile(), /does not have the length.*1000 bytes/],
    'it is longer than it says': [Buffer.concat([modelFile(), Buffer.alloc(4)]), tokenizerFile(), /does not have the length/],
    'it has no header': [Buffer.alloc(9), tokenizerFile(), /too short.*9 bytes/],
    'it is of a newer version': [modelFile([0x616b3432, 1, 0, 0, 0, 0, 0]), tokenizerFile(), /newer llama2\.c format.*version 1/],
    'a size is absurd': [modelFile([8, 12, 2 ** 30, 2, 1, 10, 16]), tokenizerFile(), /n_layers.*1073741824/],
    'heads do not divide': [modelFile([8, 12, 2, 3, 2, 10, 16]), tokenizerFile(), /n_heads 3, n_kv_heads 2/],
    'its tokenizer is cut off': [modelFile(), tokenizerFile().subarray(0, 500), /tok\.bin does not fit.*byte 500/],
    'its tokenizer is of another model': [modelFile(), Buffer.concat([tokenizerFile(), Buffer.alloc(9)]), /9 bytes behind the last token/],
  };
  it.each(Object.entries(refused))('is refused when %s', async (name, [model, tokenizer, message]) => {
    await expect(openCheckpoint(await folderWith(name.replaceAll(' ', '-'), model, tokenizer))).rejects.toThrow(message);
  });

  it('without a tokenizer beside it is refused', async () => {
    const folder = await folderWith('alone', modelFile(), undefined);
    await expect(openCheckpoint(path.join(folder, 'model.bin'))).rejects.toThrow(/no tok\*\.bin/);
  });
});

// Real weights, where they lie beside the project; the text they write is compared where the decoder is tested.
const stories = fileURLToPath(new URL('../../../../shared/data/stories260K/', import.meta.url));
it.skipIf(!existsSync(stories))('stories260K opens and its tokens are text (skipped where ../shared/data is absent)', async () => {
  const { decoder, prompt, parameters } = await openCheckpoint(path.join(stories, 'stories260K.bin'));
  expect(decoder.spec).toMatchObject({ layers: 5, width: 64, mlpWidth: 172, queryHeads: 8, kvHeads: 4, vocabulary: 512, contextLength: 512 });
  expect(parameters).toBe(260032);
  const ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396];
  expect(prompt.decode(ids)).toBe('Once upon a time, there was a little girl named Lily. She loved');
  expect([1, ...prompt.encode('Once upon a time, there was a little girl named Lily. She loved')]).toEqual(ids);
});
