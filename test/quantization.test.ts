// Logits of quantised models, pictures to logits, against Transformers: on plain small checkpoints and on ones with outlier channels.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Piece } from '../src/language/decoder.ts';
import { Decoder } from '../src/language/decoder.ts';
import type { TokenOrigin } from '../src/memory/contract.ts';
import { Memory } from '../src/memory/stage.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import type { Checkpoint } from '../src/models/contract.ts';
import type { Precision } from '../src/models/packed/contract.ts';
import { openWeights } from '../src/models/packed/open.ts';
import { readSafetensorsHeader, weightSource } from '../src/models/safetensors.ts';
import { openVisionEncoder } from '../src/vision/encoder.ts';

const goldens = join(import.meta.dirname, 'goldens');
const text: TokenOrigin = { kind: 'question', source: 0, timeSec: 0 };

interface Operation {
  readonly tensor: string;
  readonly axis: number;
  readonly indices: readonly number[] | null;
  readonly factor: number;
}

interface GoldenPrompt {
  readonly name: string;
  readonly ids: number[];
  readonly logitPositions: number[];
  readonly vision?: unknown;
}

interface Golden {
  readonly checkpoint: string;
  readonly placeholderIds: number[];
  readonly operations?: readonly Operation[];
  readonly prompts: GoldenPrompt[];
}

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'thalweg-quantization-'));
});
afterAll(() => rm(scratch, { recursive: true }));

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Writes the checkpoint in float32 with channels multiplied as the golden says. */
async function plantOutliers(base: string, operations: readonly Operation[], folder: string): Promise<void> {
  await cp(base, folder, { recursive: true });
  const { tensors } = await readSafetensorsHeader(join(base, 'model.safetensors'));
  const header: Record<string, unknown> = {};
  const parts: Float32Array[] = [];
  let at = 0;
  for (const [name, entry] of tensors) {
    const values = await weightSource(entry).read();
    for (const { axis, indices, factor } of operations.filter(({ tensor }) => tensor === name)) {
      const inner = sizeOf(entry.shape.slice(axis + 1));
      const chosen = indices && new Set(indices);
      for (let i = 0; i < values.length; i++) if (!chosen || chosen.has(Math.floor(i / inner) % entry.shape[axis]!)) values[i] = Math.fround(values[i]! * Math.fround(factor));
    }
    header[name] = { dtype: 'F32', shape: entry.shape, data_offsets: [at, (at += values.byteLength)] };
    parts.push(values);
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.concat([Buffer.alloc(8), json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  head.writeBigUInt64LE(BigInt(head.length - 8));
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat([head, ...parts.map(({ buffer }) => Buffer.from(buffer))]));
}

/** Patches of a uint8 [3, size, size] picture. */
function patchesOf(picture: Uint8Array, size: number, patch: number): Float32Array {
  const across = Math.floor(size / patch);
  const patches = new Float32Array(across * across * 3 * patch * patch);
  let at = 0;
  for (let y = 0; y < across; y++) {
    for (let x = 0; x < across; x++) {
      for (let row = 0; row < 3 * patch; row++) {
        const start = (Math.floor(row / patch) * size + y * patch + (row % patch)) * size + x * patch;
        for (let dx = 0; dx < patch; dx++) patches[at++] = (picture[start + dx]! / 255 - 0.5) / 0.5;
      }
    }
  }
  return patches;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return dot / Math.sqrt(left * right);
}

/** Smallest cosine of logits over all positions that the golden keeps. */
async function agreement(checkpoint: Checkpoint, golden: Golden, prompts: readonly GoldenPrompt[], expectedFile: string, pixelFile: string, precision: Precision): Promise<number> {
  const vision = checkpoint.vision!;
  const { spec } = checkpoint.decoder;
  using weights = await openWeights(checkpoint, precision, join(scratch, 'cache'));
  await using encoder = await openVisionEncoder(vision, weights.vision!, { threads: 2 });
  await using decoder = await Decoder.open(spec, weights.decoder, { threads: 2 });
  const { tensors } = await readSafetensorsHeader(expectedFile);
  const pixelTensors = (await readSafetensorsHeader(pixelFile)).tensors;
  const pixelBytes = await readFile(pixelFile);
  const placeholders = new Set(golden.placeholderIds);
  const state = encoder.open();
  let least = 1;
  for (const prompt of prompts) {
    const entry = pixelTensors.get(`${prompt.name}/image.pixels`) ?? pixelTensors.get(`${prompt.name}/video.pixels`);
    const visual: number[] = [];
    if (entry) {
      const [count, , size] = entry.shape as [number, number, number];
      for (let picture = 0; picture < count; picture++) {
        const start = entry.offsetBytes + picture * 3 * size * size;
        visual.push(...(await encoder.encode(state, patchesOf(pixelBytes.subarray(start, start + 3 * size * size), size, vision.spec.patchPx))).tokens);
      }
      visual.push(...(encoder.newline ?? []));
    }
    const tokens = Float32Array.from(visual);
    const pieces: Piece[] = [];
    let used = 0;
    for (let from = 0, to = 0; from < prompt.ids.length; from = to) {
      const isVisual = placeholders.has(prompt.ids[from]!);
      while (to < prompt.ids.length && placeholders.has(prompt.ids[to]!) === isVisual) to++;
      if (isVisual) pieces.push({ kind: 'embeddings', data: tokens.subarray(used * spec.width, (used += to - from) * spec.width), origin: { kind: 'visual', source: pieces.length, timeSec: pieces.length } });
      else pieces.push({ kind: 'ids', ids: prompt.ids.slice(from, to), origin: text });
    }
    expect(used * spec.width).toBe(tokens.length);
    using memory = await Memory.open(spec, { method: 'dense' });
    const logits = await decoder.prefill(memory, pieces, { logits: 'all' });
    const expected = await weightSource(tensors.get(`${prompt.name}/logits`)!).read();
    for (const [row, position] of prompt.logitPositions.entries()) {
      least = Math.min(least, cosine(logits.subarray(position * spec.vocabulary, (position + 1) * spec.vocabulary), expected.subarray(row * spec.vocabulary, (row + 1) * spec.vocabulary)));
    }
  }
  return least;
}

/** Prompts whose pictures become tokens by the encoder alone (LLaVA-OneVision lays single images out in tiles), and what is compared with them. */
const compared: Readonly<Record<string, { readonly prompts: readonly string[]; readonly precisions: readonly Precision[] }>> = {
  'smolvlm-tiny': { prompts: ['text-only', 'two-images', 'turns'], precisions: ['w8a8'] },
  'smolvlm-outliers': { prompts: ['two-images', 'turns', 'text-first'], precisions: ['float32', 'w8', 'w8a8', 'w4'] },
  'llava-onevision-tiny': { prompts: ['text-only', 'one-video'], precisions: ['w4'] },
  'llava-onevision-outliers': { prompts: ['one-video'], precisions: ['float32', 'w8', 'w8a8'] },
};
const leastCosine: Readonly<Record<Precision, number>> = { float32: 0.999999, w8: 0.999, w8a8: 0.995, w4: 0.98 };

describe.each(Object.entries(compared))('%s', (name, { prompts: names, precisions }) => {
  let golden: Golden;
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    golden = JSON.parse(await readFile(join(goldens, 'expected', `${name}.json`), 'utf8')) as Golden;
    let folder = join(goldens, 'checkpoints', golden.checkpoint);
    if (golden.operations) {
      const planted = join(scratch, name);
      await plantOutliers(folder, golden.operations, planted);
      folder = planted;
    }
    checkpoint = await openCheckpoint(folder);
  });

  test.each(precisions)('%s: the cosine of logits is as promised', async (precision) => {
    const chosen = golden.prompts.filter((prompt) => names.includes(prompt.name));
    expect(chosen).toHaveLength(names.length);
    const got = await agreement(checkpoint, golden, chosen, join(goldens, 'expected', `${name}.safetensors`), join(goldens, 'expected', `${golden.checkpoint}.safetensors`), precision);
    expect(got).toBeGreaterThanOrEqual(leastCosine[precision]);
  });
});
