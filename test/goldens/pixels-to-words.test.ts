// From pixels to words against Transformers: pictures and videos through this project's encoder and projector, then its decoder.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Decoder, type Piece } from '../../src/language/decoder.ts';
import { generate } from '../../src/language/generate.ts';
import { Memory } from '../../src/memory/stage.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { openWeights } from '../../src/models/packed/open.ts';
import { readSafetensorsHeader, weightSource } from '../../src/models/safetensors.ts';
import { openVisionEncoder } from '../../src/vision/encoder.ts';
import { patchesOf } from '../../src/vision/golden-patches.fixture.ts';

interface GoldenPrompt {
  readonly name: string;
  readonly ids: readonly number[];
  readonly logitPositions: readonly number[];
  readonly greedy: readonly number[];
}

const folder = import.meta.dirname;
let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'thalweg-llava-'));
});
afterAll(() => rm(cache, { recursive: true }));

// Pictures that LLaVA-OneVision cuts into tiles are left out: this project watches frames, which are not cut.
describe.each([
  ['llava-onevision-tiny', 'one-video'],
  ['llava-onevision-tiny', 'video-turns'],
  ['llava-onevision-untied', 'one-video'],
  ['llava-onevision-v5', 'one-video'],
  ['smolvlm-tied', 'two-images'],
  ['smolvlm2-v5', 'two-images'],
  ['smolvlm2-v5', 'one-video'],
])('%s, %s', (name, asked) => {
  test('logits within 1e-3 and 32 greedy tokens, for chunks of 128 and of 7 tokens', async () => {
    const checkpoint = await openCheckpoint(join(folder, 'checkpoints', name));
    const { spec } = checkpoint.decoder;
    const vision = checkpoint.vision!;
    using weights = await openWeights(checkpoint, 'float32', cache);
    await using encoder = await openVisionEncoder({ spec: vision.spec, projector: vision.projector }, weights.vision!, { threads: 1 });
    const golden = JSON.parse(await readFile(join(folder, `expected/${name}.json`), 'utf8')) as { readonly placeholderIds: readonly number[]; readonly prompts: readonly GoldenPrompt[] };
    const prompt = golden.prompts.find((one) => one.name === asked)!;
    const { tensors } = await readSafetensorsHeader(join(folder, `expected/${name}.safetensors`));
    const file = await readFile(join(folder, `expected/${name}.safetensors`));

    // Every picture, or every frame of every video, in order.
    const { offsetBytes, lengthBytes, shape } = (tensors.get(`${asked}/video.pixels`) ?? tensors.get(`${asked}/image.pixels`))!;
    const pixels = new Uint8Array(file.subarray(offsetBytes, offsetBytes + lengthBytes));
    const [frames, , size] = shape as [number, number, number];
    const state = encoder.open();
    const tokens: Float32Array[] = [];
    for (let i = 0; i < frames; i++) tokens.push((await encoder.encode(state, patchesOf(pixels.subarray(i * 3 * size * size, (i + 1) * 3 * size * size), size, vision.spec.patchPx))).tokens.slice());

    const places = new Set(golden.placeholderIds);
    const pieces: Piece[] = [];
    let frame = 0;
    for (let from = 0, to = 0; from < prompt.ids.length; from = to) {
      const isVisual = places.has(prompt.ids[from]!);
      while (to < prompt.ids.length && places.has(prompt.ids[to]!) === isVisual) to++;
      if (!isVisual) {
        pieces.push({ kind: 'ids', ids: prompt.ids.slice(from, to), origin: { kind: 'question', source: 0, timeSec: 0 } });
        continue;
      }
      // The tokens of a picture or of a video's frames; where they are pooled, one new-line token behind them.
      const count = (to - from - (encoder.newline ? 1 : 0)) / encoder.layout.count;
      expect(Number.isInteger(count)).toBe(true);
      for (let i = 0; i < count; i++, frame++) pieces.push({ kind: 'embeddings', data: tokens[frame]!, origin: { kind: 'visual', source: frame, timeSec: frame } });
      if (encoder.newline) pieces.push({ kind: 'embeddings', data: encoder.newline, origin: { kind: 'wrap', source: frame - 1, timeSec: frame - 1 } });
    }
    expect(frame).toBe(frames);

    const expected = await weightSource(tensors.get(`${asked}/logits`)!).read();
    for (const chunkTokens of [128, 7]) {
      await using decoder = await Decoder.open(spec, weights.decoder, { threads: 1, chunkTokens });
      using memory = await Memory.open(spec, { method: 'dense' });
      const logits = await decoder.prefill(memory, pieces, { logits: 'all' });
      let worst = 0;
      prompt.logitPositions.forEach((position, row) => {
        for (let id = 0; id < spec.vocabulary; id++) worst = Math.max(worst, Math.abs(logits[position * spec.vocabulary + id]! - expected[row * spec.vocabulary + id]!));
      });
      expect(worst).toBeLessThan(1e-3);

      using fresh = await Memory.open(spec, { method: 'dense' });
      const answer = generate(decoder, fresh, { prompt: pieces, origin: { kind: 'question', source: 0, timeSec: 0 }, decode: () => '', maxTokens: 32, history: [...prompt.ids], stopTokens: [], sampling: {} });
      for (;;) {
        const next = await answer.next();
        if (!next.done) continue;
        expect(next.value.ids).toEqual(prompt.greedy);
        break;
      }
    }
  });
});
