// Prompts: equal to the golden templates, and live pieces equal to the whole.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Random } from '../core/random.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint, PromptPart, Turn } from './contract.ts';
import { goldenCheckpoint, goldenCheckpoints, goldenJson, goldenTurns } from './goldens.fixture.ts';
import type { GoldenMessage, GoldenPrompt } from './goldens.fixture.ts';

/** Ids with a frame as −1 and a newline as −2, so that layouts can be compared. */
function flat(parts: readonly PromptPart[]): number[] {
  return parts.flatMap((part) => (part.kind === 'text' ? [...part.ids] : [part.kind === 'frame' ? -1 : -2]));
}

function expanded(checkpoint: Checkpoint, parts: readonly PromptPart[], placeholder: number): number[] {
  return flat(parts).flatMap((id) => (id >= 0 ? [id] : new Array<number>(id === -1 ? checkpoint.tokensPerFrame : 1).fill(placeholder)));
}

const text = (role: Turn['role'], words: string): Turn => ({ role, parts: [{ kind: 'text', text: words }] });

describe.each(goldenCheckpoints)('prompts of %s', (name) => {
  const { prompts, placeholderIds } = goldenJson(name) as { prompts: readonly GoldenPrompt[]; placeholderIds: readonly number[] };

  it('are rendered and tokenised as by Transformers', async () => {
    const checkpoint = await openCheckpoint(goldenCheckpoint(name));
    let compared = 0;
    for (const golden of prompts) {
      const turns = goldenTurns(golden.messages);
      expect(checkpoint.prompt.renderText(turns, { generate: true })).toBe(golden.rendered);
      expect(checkpoint.prompt.decode(golden.greedy)).toBe(golden.greedyText);
      // Pictures cut into tiles are not for video; LLaVA-OneVision shows every single picture so.
      const tiles = golden.imageSplitting === true || (checkpoint.family === 'llava-onevision' && golden.messages.some(({ content }) => content.some(({ type }) => type === 'image')));
      if (tiles) continue;
      expect(expanded(checkpoint, checkpoint.prompt.render(turns, { generate: true }), placeholderIds.at(-1)!)).toEqual(golden.ids);
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
  });
});

describe.each(['smolvlm-tiny', 'smolvlm2-tiny', 'llava-onevision-tiny'])('text of %s', (name) => {
  it('is laid out by the chat template in every shape of dialogue', async () => {
    const { prompt } = await openCheckpoint(goldenCheckpoint(name));
    const cases = (goldenJson('templates') as Record<string, readonly { messages: readonly GoldenMessage[]; addGenerationPrompt: boolean; rendered: string }[]>)[name]!;
    for (const { messages, addGenerationPrompt, rendered } of cases) expect(prompt.renderText(goldenTurns(messages), { generate: addGenerationPrompt })).toBe(rendered);
    expect(cases.length).toBeGreaterThan(10);
  });
});

describe.each(['smolvlm-tiny', 'llava-onevision-tiny'])('tokens of %s', (name) => {
  it('are those of the reference, and give the text back', async () => {
    const { prompt } = await openCheckpoint(goldenCheckpoint(name));
    interface Golden {
      readonly cases: readonly { text: string; ids: readonly number[]; decodedWithoutSpecial: string }[];
      readonly prefixes: { ids: readonly number[]; decoded: readonly string[] };
    }
    const { cases, prefixes } = (goldenJson('tokenization') as Record<string, Golden>)[name]!;
    for (const golden of cases) {
      expect([...prompt.encode(golden.text)]).toEqual(golden.ids);
      expect(prompt.decode(golden.ids)).toBe(golden.decodedWithoutSpecial);
    }
    expect(prefixes.ids.map((_, length) => prompt.decode(prefixes.ids.slice(0, length)))).toEqual(prefixes.decoded.slice(0, prefixes.ids.length));
  });
});

describe('a live stream', () => {
  const words = ['What', ' is', ' that', '?', ' 42', '\n', '  ', 'é', '👍🏽', 'It', "'s", ' red', '.', ' Frame from 00:01:', ':', '\t', '好'];
  const say = (random: Random) => Array.from({ length: random.int(1, 8) }, () => random.pick(words)).join('').trim() || 'Why?';

  it.each(['smolvlm-tiny', 'smolvlm2-tiny', 'llava-onevision-tiny', 'smolvlm2-v5', 'llava-onevision-untied'])('of %s is, piece by piece, the prompt that the whole dialogue has', async (name) => {
    const { prompt, family } = await openCheckpoint(goldenCheckpoint(name));
    const random = createRandom(name);
    for (let round = 0; round < 25; round++) {
      const pieces: number[] = [...prompt.stream.opening];
      const turns: Turn[] = [];
      for (let turn = 0, last = random.int(0, 3); turn <= last; turn++) {
        const times = Array.from({ length: random.int(0, 4) }, (_, i) => 20 * turn + 700 * i + random.next());
        for (const [framesBefore, timeSec] of times.entries()) {
          const { before, after } = prompt.stream.frame({ turn, framesBefore, timeSec });
          pieces.push(...before, -1, ...after);
        }
        const question = say(random);
        pieces.push(...flat(prompt.stream.question(question, { turn, framesBefore: times.length })));
        turns.push({ role: 'user', parts: [...(times.length > 0 ? [{ kind: 'video' as const, frameTimesSec: times }] : []), { kind: 'text', text: question }] });
        let whole = flat(prompt.render(turns, { generate: true }));
        if (family === 'llava-onevision') whole = asOpened(whole, prompt.encode('<|im_start|>assistant \n'), prompt.encode('<|im_start|>assistant\n'));
        expect(pieces).toEqual(whole);
        const answer = say(random);
        pieces.push(...prompt.stream.answer(answer), ...prompt.stream.answerEnd);
        turns.push(text('assistant', answer));
      }
    }
  });

  /** LLaVA-OneVision's template writes a past answer's header with a space that the one it opens has not; what the model saw was the latter. */
  function asOpened(ids: readonly number[], past: Int32Array, opened: Int32Array): number[] {
    const out: number[] = [];
    for (let i = 0; i < ids.length; ) {
      const here = past.every((id, offset) => ids[i + offset] === id);
      out.push(...(here ? opened : [ids[i]!]));
      i += here ? past.length : 1;
    }
    return out;
  }

  it('writes the time before a frame of a video checkpoint, beyond the hour too', async () => {
    const { prompt } = await openCheckpoint(goldenCheckpoint('smolvlm2-tiny'));
    const { before, after } = prompt.stream.frame({ turn: 0, framesBefore: 5, timeSec: 7265.9 });
    expect([...before]).toEqual([...prompt.encode('\nFrame from 121:05:<fake_token_around_image><global-img>')]);
    expect([...after]).toEqual([...prompt.encode('<fake_token_around_image>')]);
  });

  it('refuses a question that would be taken for a picture', async () => {
    const { prompt } = await openCheckpoint(goldenCheckpoint('smolvlm-tiny'));
    expect(() => prompt.stream.question('What is <image>?', { turn: 0, framesBefore: 1 })).toThrow(/stands for a picture.*"<image>"/);
  });
});
