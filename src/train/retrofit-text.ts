// Retrofit data for models of text alone: stretches that the model itself wrote, at temperature 1, each from a seed of its own.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Decoder } from '../language/decoder.ts';
import { createSampler } from '../language/sampler.ts';
import { Memory } from '../memory/stage.ts';
import type { Checkpoint } from '../models/contract.ts';
import { openWeights } from '../models/packed/open.ts';
import { Tensor } from '../runtime/onnx.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { createEpochs } from './epochs.ts';
import type { RetrofitShape } from './retrofit-decoder.ts';
import type { RetrofitData } from './retrofit-data.ts';
import { writeWhole } from '../core/write-whole.ts';

export interface SelfTextOptions {
  readonly seed: number;
  /** Tokens of a stretch, the opening included. */
  readonly length: number;
  readonly sequences: number;
  readonly trainingTexts: number;
  readonly heldOutTexts: number;
  /** Where written texts are kept. */
  readonly folder: string;
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Tokens that a model writes after its opening; what ends a text does not end the stretch, since training saw texts one after another. */
export interface SelfText {
  readonly opening: readonly number[];
  readonly length: number;
  /** int32 [count, length] */
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
}

/** Texts after which what was written is kept on disk. */
const keptEvery = 25;

/**
 * Writes the texts, or reads those that an earlier run with the same options left.
 * @throws the signal's reason when aborted
 */
export async function selfText({ prompt }: Checkpoint, open: () => Promise<Decoder>, options: Omit<SelfTextOptions, 'sequences' | 'threads'>): Promise<SelfText> {
  const { seed, length, folder, signal } = options;
  const opening = [...prompt.stream.opening];
  const made = async (split: 'train' | 'held-out', count: number, onText: (n: number) => void) => {
    const file = path.join(folder, `${split}-${seed}-${length}.int32`);
    const ids = new Int32Array(count * length);
    const stored = await readFile(file).catch(() => new Uint8Array());
    const kept = Math.min(count, Math.floor(stored.length / (length * 4)));
    ids.set(new Int32Array(stored.buffer.slice(stored.byteOffset, stored.byteOffset + kept * length * 4)));
    if (kept === count) return ids;
    await using decoder = await open();
    await mkdir(folder, { recursive: true });
    const keep = (texts: number) => writeWhole(file, [new Uint8Array(ids.buffer, 0, texts * length * 4)]);
    for (let i = kept; i < count; i++) {
      ids.set(await write(decoder, opening, length, `${seed} ${split} ${i}`, signal), i * length);
      onText(i + 1);
      // What is interrupted goes on from here.
      if ((i + 1) % keptEvery === 0) await keep(i + 1);
    }
    await keep(count);
    return ids;
  };
  const total = options.trainingTexts + options.heldOutTexts;
  const heldOut = await made('held-out', options.heldOutTexts, (n) => options.onProgress?.(n, total));
  const train = await made('train', options.trainingTexts, (n) => options.onProgress?.(options.heldOutTexts + n, total));
  return { opening, length, train, heldOut };
}

async function write(decoder: Decoder, opening: readonly number[], length: number, seed: string, signal: AbortSignal | undefined): Promise<number[]> {
  using memory = await Memory.open(decoder.spec, { method: 'dense' });
  const sampler = createSampler({ temperature: 1, seed });
  const origin = { kind: 'answer', source: 0, timeSec: 0 } as const;
  const ids = [...opening];
  let logits = await decoder.prefill(memory, [{ kind: 'ids', ids, origin: { ...origin, kind: 'opening', source: -1 } }], { ...(signal && { signal }) });
  for (;;) {
    ids.push(sampler.sample(logits));
    if (ids.length >= length) return ids;
    logits = await decoder.step(memory, ids.at(-1)!, origin, signal);
  }
}

/** Batches of a model's own texts: every token but the first is learned. */
export async function openSelfTextData(checkpoint: Checkpoint, cacheFolder: string, options: SelfTextOptions): Promise<RetrofitData> {
  const { sequences: B, length: P, threads } = options;
  const open = async () => Decoder.open(checkpoint.decoder.spec, (await openWeights(checkpoint, 'float32', cacheFolder, { threads })).decoder, { threads });
  const texts = await selfText(checkpoint, open, options);
  const rows = B * (P - 1);
  const shape: RetrofitShape = { sequences: B, prefix: P, threads: 0, threadLength: 0, rows, visual: 0 };
  const trainingText = createEpochs(options.trainingTexts, (pass) => `${options.seed} texts ${pass}`);
  return {
    shape,
    opening: texts.opening.length,
    heldOutBatches: Math.floor(options.heldOutTexts / B),
    batch(split, index): Promise<Tensors> {
      const numbers = Array.from({ length: B }, (_, i) => {
        const at = index * B + i;
        return split === 'held-out' ? at % options.heldOutTexts : trainingText(at);
      });
      const from = split === 'train' ? texts.train : texts.heldOut;
      return Promise.resolve(textBatch(shape, numbers.map((n) => from.subarray(n * P, (n + 1) * P))));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** @param texts token ids, each P of them */
export function textBatch({ sequences: B, prefix: P, rows: A }: RetrofitShape, texts: readonly Int32Array[]): Tensors {
  const int64 = (dims: readonly number[], at: (i: number) => number) => new Tensor('int64', BigInt64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => BigInt(at(i))), dims);
  const place = (row: number) => ({ text: Math.floor(row / (P - 1)), token: row % (P - 1) });
  return {
    prefixIds: int64([B, P], (i) => texts[Math.floor(i / P)]![i % P]!),
    prefixWeights: new Tensor('float32', Float32Array.from({ length: B * P }, (_, i) => Number(i % P > 0)), [B, P]),
    lossRows: int64([A], (row) => place(row).text * P + place(row).token),
    lossTargets: int64([A], (row) => texts[place(row).text]![place(row).token + 1]!),
    lossWeights: new Tensor('float32', new Float32Array(A).fill(1 / A), [A]),
  };
}
