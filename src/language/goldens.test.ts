// Decoder and sampler against what Hugging Face Transformers computes for the small checkpoints (test/goldens/README.md).
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../models/checkpoint.ts';
import { readSafetensorsHeader, weightSource } from '../models/safetensors.ts';
import type { TokenOrigin } from '../memory/contract.ts';
import { Memory } from '../memory/stage.ts';
import { packInline } from './decoder.fixture.ts';
import { Decoder, type Piece } from './decoder.ts';
import { generate } from './generate.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecoder } from '../models/packed/contract.ts';

interface GoldenPrompt {
  readonly name: string;
  readonly ids: number[];
  readonly logitPositions: number[];
  readonly greedy: number[];
  /** Of the main checkpoints only, as is `stopped`. */
  readonly penalised?: { readonly repetitionPenalty: number; readonly ids: number[] };
  readonly stopped?: { readonly endTokens: number[]; readonly ids: number[] };
  readonly vision?: Readonly<Record<string, { readonly shape: number[]; readonly rows?: number[] }>>;
}

interface Golden {
  readonly placeholderIds: number[];
  readonly prompts: GoldenPrompt[];
}

const goldens = new URL('../../test/goldens/', import.meta.url);
const text: TokenOrigin = { kind: 'question', source: 0, timeSec: 0 };

/** Tensors of a prompt's visual tokens; none for a prompt that shows pictures of which the file has only some tokens. */
function visualTokens({ ids, vision = {} }: GoldenPrompt, placeholders: ReadonlySet<number>): readonly string[] | undefined {
  if (!ids.some((id) => placeholders.has(id))) return [];
  const names = ['image.tokens', 'video.tokens'].filter((name) => vision[name]);
  return names.length > 0 && names.every((name) => vision[name]!.rows?.length === vision[name]!.shape[0]) ? names : undefined;
}

describe.each(['smolvlm-tiny', 'smolvlm2-tiny', 'llava-onevision-tiny', 'smolvlm-tied'])('%s', (name) => {
  const golden = JSON.parse(readFileSync(new URL(`expected/${name}.json`, goldens), 'utf8')) as Golden;
  const placeholders = new Set(golden.placeholderIds);
  const prompts = golden.prompts.filter((prompt) => visualTokens(prompt, placeholders) !== undefined);
  let spec: DecoderSpec;
  let packed: PackedDecoder;
  let decoder: Decoder;
  let tensors: Awaited<ReturnType<typeof readSafetensorsHeader>>['tensors'];

  beforeAll(async () => {
    const checkpoint = await openCheckpoint(fileURLToPath(new URL(`checkpoints/${name}`, goldens)));
    spec = checkpoint.decoder.spec;
    packed = await packInline(checkpoint.decoder.weights);
    decoder = await Decoder.open(spec, packed, { threads: 2 });
    tensors = (await readSafetensorsHeader(fileURLToPath(new URL(`expected/${name}.safetensors`, goldens)))).tensors;
  });
  afterAll(() => decoder[Symbol.asyncDispose]());

  async function pieces(prompt: GoldenPrompt): Promise<Piece[]> {
    const parts = await Promise.all(visualTokens(prompt, placeholders)!.map((source) => weightSource(tensors.get(`${prompt.name}/${source}`)!).read()));
    const visual = Float32Array.from(parts.flatMap((part) => [...part]));
    const result: Piece[] = [];
    let at = 0;
    for (let from = 0, to = 0; from < prompt.ids.length; from = to) {
      const isVisual = placeholders.has(prompt.ids[from]!);
      while (to < prompt.ids.length && placeholders.has(prompt.ids[to]!) === isVisual) to++;
      if (isVisual) result.push({ kind: 'embeddings', data: visual.subarray(at * spec.width, (at += to - from) * spec.width), origin: { kind: 'visual', source: result.length, timeSec: result.length } });
      else result.push({ kind: 'ids', ids: prompt.ids.slice(from, to), origin: text });
    }
    expect(at * spec.width).toBe(visual.length);
    return result;
  }

  async function write(prompt: GoldenPrompt, options: { readonly repetitionPenalty?: number; readonly stopTokens?: readonly number[]; readonly decoder?: Decoder } = {}): Promise<readonly number[]> {
    using memory = await Memory.open(spec, { method: 'dense' });
    const answer = generate(options.decoder ?? decoder, memory, {
      prompt: await pieces(prompt),
      origin: text,
      decode: () => '',
      maxTokens: 32,
      // Transformers counts placeholders among the tokens seen.
      history: prompt.ids,
      stopTokens: options.stopTokens ?? [],
      sampling: { repetitionPenalty: options.repetitionPenalty ?? 1 },
    });
    for (;;) {
      const next = await answer.next();
      if (next.done) return next.value.ids;
    }
  }

  test('there are prompts to compare: text, and visual tokens where the file has them all', () => {
    const visual = prompts.map((prompt) => visualTokens(prompt, placeholders)!.length > 0);
    expect(visual).toContain(false);
    if (name.endsWith('-tiny') && name.startsWith('smolvlm')) expect(visual).toContain(true);
  });

  test.each(prompts)('$name: logits within 1e-3', async (prompt) => {
    using memory = await Memory.open(spec, { method: 'dense' });
    const logits = await decoder.prefill(memory, await pieces(prompt), { logits: 'all' });
    const expected = await weightSource(tensors.get(`${prompt.name}/logits`)!).read();
    let worst = 0;
    prompt.logitPositions.forEach((position, row) => {
      for (let id = 0; id < spec.vocabulary; id++) worst = Math.max(worst, Math.abs(logits[position * spec.vocabulary + id]! - expected[row * spec.vocabulary + id]!));
    });
    expect(worst).toBeLessThan(1e-3);
  });

  test.each(prompts)('$name: 32 greedy tokens, the same for any chunk size', async (prompt) => {
    expect(await write(prompt)).toEqual(prompt.greedy);
  });

  test('chunks of 1, 3 and 17 tokens give the same greedy tokens', async () => {
    for (const chunkTokens of [1, 3, 17]) {
      await using small = await Decoder.open(spec, packed, { threads: 2, chunkTokens });
      for (const prompt of prompts.slice(0, 3)) expect(await write(prompt, { decoder: small })).toEqual(prompt.greedy);
    }
  });

  test('without a cache the greedy tokens are the same', async () => {
    const prompt = prompts[0]!;
    const ids: number[] = [];
    for (let t = 0; t < 32; t++) {
      using memory = await Memory.open(spec, { method: 'dense' });
      const logits = await decoder.prefill(memory, [...(await pieces(prompt)), { kind: 'ids', ids, origin: text }]);
      ids.push(logits.indexOf(Math.max(...logits)));
    }
    expect(ids).toEqual(prompt.greedy);
  });

  test.each(prompts.filter(({ penalised }) => penalised))('$name: repetition penalty and end tokens as in Transformers', async (prompt) => {
    expect(await write(prompt, { repetitionPenalty: prompt.penalised!.repetitionPenalty })).toEqual(prompt.penalised!.ids);
    expect(await write(prompt, { stopTokens: prompt.stopped!.endTokens })).toEqual(prompt.stopped!.ids);
  });
});
