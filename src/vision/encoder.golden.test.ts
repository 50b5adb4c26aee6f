// The vision encoder and projector against Transformers, for every golden checkpoint.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../models/checkpoint.ts';
import { openWeights } from '../models/packed/open.ts';
import { readSafetensorsHeader } from '../models/safetensors.ts';
import { openVisionEncoder } from './encoder.ts';
import { patchesOf } from './golden-patches.fixture.ts';

const goldens = join(import.meta.dirname, '../../test/goldens');

interface Kept {
  readonly shape: readonly number[];
  readonly rows?: readonly number[];
  readonly pictures?: readonly number[];
}

interface Golden {
  readonly prompts: readonly { readonly name: string; readonly vision?: Readonly<Record<string, Kept>> }[];
}

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'thalweg-goldens-'));
});
afterAll(() => rm(cache, { recursive: true }));

function expectClose(got: Float32Array, expected: Float32Array): void {
  expect(got.length).toBe(expected.length);
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(worst).toBeLessThan(1e-3);
}

describe.each(['smolvlm-tiny', 'smolvlm2-tiny', 'llava-onevision-tiny'])('%s', (name) => {
  test('features and visual tokens equal Transformers to 1e-3, picture after picture in one stream', async () => {
    const checkpoint = await openCheckpoint(join(goldens, 'checkpoints', name));
    const { vision } = checkpoint;
    using weights = await openWeights(checkpoint, 'float32', cache);
    await using encoder = await openVisionEncoder({ spec: vision!.spec, projector: vision!.projector }, weights.vision!, { threads: 1 });
    const state = encoder.open();
    const { prompts } = JSON.parse(await readFile(join(goldens, 'expected', `${name}.json`), 'utf8')) as Golden;
    const file = join(goldens, 'expected', `${name}.safetensors`);
    const { tensors } = await readSafetensorsHeader(file);
    const bytes = await readFile(file);
    const tensor = (key: string) => {
      const { offsetBytes, lengthBytes, shape } = tensors.get(key)!;
      return { bytes: new Uint8Array(bytes.subarray(offsetBytes, offsetBytes + lengthBytes)), shape };
    };
    const floats = (key: string) => new Float32Array(tensor(key).bytes.buffer);
    let compared = 0;
    for (const prompt of prompts) {
      for (const kind of ['image', 'video']) {
        const kept = prompt.vision?.[`${kind}.encoded`];
        if (!kept) continue;
        const pixels = tensor(`${prompt.name}/${kind}.pixels`);
        const [count, , size] = pixels.shape as [number, number, number];
        // Pixel shuffle gives each picture its tokens; pooling is for the frames of a video.
        const comparesTokens = vision!.projector.kind === 'pixel-shuffle' || kind === 'video';
        const tokens: Float32Array[] = [];
        for (let picture = 0; picture < count; picture++) {
          const one = pixels.bytes.subarray(picture * 3 * size * size, (picture + 1) * 3 * size * size);
          const frame = await encoder.encode(state, patchesOf(one, size, vision!.spec.patchPx));
          tokens.push(...Array.from({ length: encoder.layout.count }, (_, row) => frame.tokens.slice(row * encoder.tokenWidth, (row + 1) * encoder.tokenWidth)));
          if (!kept.pictures!.includes(picture)) continue;
          expectClose(frame.encoded, floats(`${prompt.name}/${kind}.encoded`));
          if (vision!.projector.kind === 'mlp-pooled') expectClose(state.projected, floats(`${prompt.name}/${kind}.projected`));
          compared++;
        }
        if (!comparesTokens || prompt.name === 'video-turns') continue;
        const rows = prompt.vision[`${kind}.tokens`]!.rows!;
        const expected = floats(`${prompt.name}/${kind}.tokens`);
        for (const [at, row] of rows.entries()) {
          const token = tokens[row] ?? encoder.newline ?? new Float32Array(0);
          expectClose(token, expected.subarray(at * encoder.tokenWidth, (at + 1) * encoder.tokenWidth));
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(10);
  });
});
