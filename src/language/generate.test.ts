// Generation: streaming text, stops, limits, aborts; and the documented text of stories260K.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TokenOrigin } from '../memory/contract.ts';
import { Memory } from '../memory/stage.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import { packInline, randomDecoder, tinySpec } from './decoder.fixture.ts';
import { Decoder } from './decoder.ts';
import { createDetokenizer } from './detokenizer.ts';
import { generate, type GeneratedToken, type GenerateOptions, type Generation } from './generate.ts';
import { createStopFilter } from './stop-strings.ts';

const origin: TokenOrigin = { kind: 'answer', source: 0, timeSec: 0 };
const prompt = [{ kind: 'ids', ids: [1, 2, 3], origin: { kind: 'question', source: 0, timeSec: 0 } }] as const;
/** Ids as bytes of UTF-8: characters outside of ASCII take several tokens. */
const bytes = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids));
const letters = (ids: readonly number[]) => ids.map((id) => String.fromCharCode(32 + id)).join('');

async function run(decoder: Decoder, memory: Memory, options: Partial<GenerateOptions> = {}): Promise<{ tokens: GeneratedToken[]; end: Generation }> {
  const tokens: GeneratedToken[] = [];
  const answer = generate(decoder, memory, { prompt, origin, decode: letters, maxTokens: 12, ...options });
  for (;;) {
    const next = await answer.next();
    if (next.done) return { tokens, end: next.value };
    tokens.push(next.value);
  }
}

describe('text', () => {
  test('characters wait until they are whole, and nothing is lost', () => {
    const text = 'né 你好 👍🏽!';
    const detokenizer = createDetokenizer(bytes);
    const pieces = [...new TextEncoder().encode(text)].map((byte) => detokenizer.push(byte));
    expect(pieces.join('') + detokenizer.flush()).toBe(text);
    expect(pieces.join('')).not.toContain('\uFFFD');
    expect(pieces.filter((piece) => piece === '')).not.toEqual([]);
  });

  test('a character that never becomes whole comes out broken, at the end', () => {
    const detokenizer = createDetokenizer(bytes);
    expect([0x61, 0xe4, 0xbd].map((byte) => detokenizer.push(byte))).toEqual(['a', '', '']);
    expect(detokenizer.flush()).toBe('\uFFFD');
  });

  test('a tokenizer that strips the first space does so once', () => {
    const words = ['', ' Once', ' upon', ' a'];
    const detokenizer = createDetokenizer((ids) => ids.map((id) => words[id]).join('').replace(/^ /, ''));
    expect([1, 2, 3].map((id) => detokenizer.push(id))).toEqual(['Once', ' upon', ' a']);
  });

  test('a stop string is found across pieces, and its beginning is held back', () => {
    const filter = createStopFilter(['END', '\n\n']);
    expect(filter.push('one E')).toEqual({ text: 'one ', stopped: false });
    expect(filter.push('N')).toEqual({ text: '', stopped: false });
    expect(filter.push('GINE E')).toEqual({ text: 'ENGINE ', stopped: false });
    expect(filter.push('ND more')).toEqual({ text: '', stopped: true });
    const other = createStopFilter(['aab']);
    expect(other.push('aaa').text + other.push('b').text).toBe('a');
    expect(createStopFilter([]).push('all').text).toBe('all');
    const held = createStopFilter(['END']);
    expect(held.push('the EN').text + held.flush()).toBe('the EN');
  });
});

describe('answers', () => {
  let decoder: Decoder;
  beforeAll(async () => {
    decoder = await Decoder.open(tinySpec, randomDecoder(tinySpec, 5), { threads: 1 });
  });
  afterAll(() => decoder[Symbol.asyncDispose]());
  const open = () => Memory.open(tinySpec, { method: 'dense' });

  test('tokens come one by one; joined they are the text', async () => {
    using memory = await open();
    const { tokens, end } = await run(decoder, memory);
    expect(tokens).toHaveLength(12);
    expect(end).toMatchObject({ finish: 'length', unwritten: 1, ids: tokens.map(({ id }) => id), text: letters(end.ids) });
    expect(tokens.map(({ text }) => text).join('')).toBe(end.text);
    expect(memory.tokensSeen).toBe(3 + 11);
    expect(end.prefillMs).toBe(tokens[0]!.ms);
  });

  test('a stop token ends the answer and is no text', async () => {
    using memory = await open();
    const { end } = await run(decoder, memory);
    using again = await open();
    const stopToken = end.ids[4]!;
    const at = end.ids.indexOf(stopToken);
    expect((await run(decoder, again, { stopTokens: [stopToken] })).end).toMatchObject({ finish: 'stop', ids: end.ids.slice(0, at + 1), text: letters(end.ids.slice(0, at)) });
  });

  test('a stop string over two tokens ends the answer before it', async () => {
    using memory = await open();
    const { end } = await run(decoder, memory);
    using again = await open();
    const stop = end.text.slice(5, 7);
    const cut = await run(decoder, again, { stop: [stop] });
    expect(cut.end).toMatchObject({ finish: 'stop', text: end.text.slice(0, end.text.indexOf(stop)) });
    expect(cut.tokens.map(({ text }) => text).join('')).toBe(cut.end.text);
  });

  test('what might have been a stop string comes out at the limit', async () => {
    using memory = await open();
    const { end } = await run(decoder, memory);
    using again = await open();
    expect((await run(decoder, again, { stop: [`${end.text.at(-1)!}never`] })).end.text).toBe(end.text);
  });

  test('an abort ends the answer with what there is, and the memory holds what was used', async () => {
    using memory = await open();
    const controller = new AbortController();
    const answer = generate(decoder, memory, { prompt, origin, decode: letters, maxTokens: 50, signal: controller.signal });
    for (let i = 0; i < 3; i++) await answer.next();
    controller.abort();
    const last = await answer.next();
    expect(last).toMatchObject({ done: true, value: { finish: 'aborted', unwritten: 1 } });
    expect(memory.tokensSeen).toBe(3 + 2);
    expect(await run(decoder, memory)).toMatchObject({ end: { finish: 'length' } });
  });

  test('seeds give the same answer again, other seeds another', async () => {
    const texts = [];
    for (const seed of [1, 1, 2]) {
      using memory = await open();
      texts.push((await run(decoder, memory, { sampling: { temperature: 2, seed } })).end.text);
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
  });

  test('one call at a time, and none after the end', async () => {
    using memory = await open();
    const first = decoder.prefill(memory, prompt);
    await expect(decoder.prefill(memory, prompt)).rejects.toMatchObject({ code: 'DECODER_BUSY' });
    await first;
    await expect(decoder.prefill(memory, [])).rejects.toMatchObject({ code: 'NO_TOKENS' });
    const other = await Decoder.open(tinySpec, randomDecoder(tinySpec, 5), { threads: 1 });
    await other[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await expect(other.prefill(memory, prompt)).rejects.toMatchObject({ code: 'DECODER_CLOSED' });
  });
});

const stories = fileURLToPath(new URL('../../../shared/data/stories260K', import.meta.url));
const documented = `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she said, "I'm sorry, mom. I didn't know what to do." Her mom said, "Don't worry, Lily. We can help you.`;

if (!existsSync(stories)) console.warn('skipped: the text of stories260K, which is not on this machine');
test.skipIf(!existsSync(stories))('stories260K tells its documented story to the byte, for any chunk size', async () => {
  const checkpoint = await openCheckpoint(`${stories}/stories260K.bin`);
  const { spec, weights } = checkpoint.decoder;
  const ids: number[] = [];
  {
    await using decoder = await Decoder.open(spec, await packInline(weights), { threads: 1 });
    using memory = await Memory.open(spec, { method: 'dense' });
    const { tokens, end } = await run(decoder, memory, {
      prompt: [{ kind: 'ids', ids: [1], origin: { kind: 'opening', source: -1, timeSec: 0 } }],
      decode: (of) => checkpoint.prompt.decode(of),
      maxTokens: 256,
    });
    expect(tokens.map(({ text }) => text).join('')).toBe(end.text);
    expect(end.text.startsWith(documented)).toBe(true);
    ids.push(...end.ids);
  }
  for (const chunkTokens of [7, 100]) {
    await using decoder = await Decoder.open(spec, await packInline(weights), { threads: 1, chunkTokens });
    using memory = await Memory.open(spec, { method: 'dense' });
    const logits = await decoder.prefill(memory, [{ kind: 'ids', ids: [1, ...ids], origin: { kind: 'opening', source: -1, timeSec: 0 } }], { logits: 'all' });
    const best = ids.map((_, t) => {
      const row = logits.subarray(t * spec.vocabulary, (t + 1) * spec.vocabulary);
      return row.indexOf(Math.max(...row));
    });
    expect(best).toEqual(ids);
  }
});
