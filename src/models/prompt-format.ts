// Lays out dialogues with pictures as token ids: whole ones, and piece by piece for a live stream.
import { ModelError, UserError } from '../core/errors.ts';
import type { PromptFormat, PromptPart, StreamFormat, Turn, TurnPart } from './contract.ts';
import type { ChatMessage } from './chat-template.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** A stretch of an expanded prompt, before tokenisation. */
export type PromptSegment = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'frame' } | { readonly kind: 'newline' };

interface RenderOptions {
  readonly generate: boolean;
}

/** What a family knows of its prompts. */
export interface DialogueLayout {
  /** The chat template's text, placeholders not expanded. */
  text(turns: readonly Turn[], options: RenderOptions): string;
  /** The same with every picture expanded, by the family's processor. */
  segments(turns: readonly Turn[], options: RenderOptions): readonly PromptSegment[];
  /** The token that stands for a visual token: its id splits the prompt. */
  readonly placeholder: string;
  /** How the frames of a live stream are shown. */
  frames(timesSec: readonly number[]): readonly TurnPart[];
}

/** @throws ModelError when the template cannot be taken apart for a live stream */
export function createPromptFormat(tokenizer: TextTokenizer, layout: DialogueLayout): PromptFormat {
  const toParts = (segments: readonly PromptSegment[]) => tokenise(tokenizer, layout.placeholder, segments);
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (ids) => tokenizer.decode(ids),
    render: (turns, options) => toParts(layout.segments(turns, options)),
    renderText: (turns, options) => layout.text(turns, options),
    stream: createStream(tokenizer, layout, toParts),
  };
}

/** Turns as messages for a chat template, checked. @param reserved texts that would be taken for pictures */
export function toMessages(turns: readonly Turn[], reserved: readonly string[]): ChatMessage[] {
  return turns.map(({ role, parts }) => ({
    role,
    content: parts.map((part) => {
      if (part.kind !== 'text') return { type: part.kind };
      const found = reserved.find((token) => part.text.includes(token));
      if (found !== undefined) throw new UserError('RESERVED_TEXT', { what: 'the text holds a word that stands for a picture', got: JSON.stringify(found), expected: `text without ${reserved.join(' or ')}` });
      return { type: 'text' as const, text: part.text };
    }),
  }));
}

/** Encodes the whole prompt at once, so that no boundary between segments changes a token, and splits it at the placeholders. */
function tokenise(tokenizer: TextTokenizer, placeholder: string, segments: readonly PromptSegment[]): readonly PromptPart[] {
  const ids = tokenizer.encode(segments.map((segment) => (segment.kind === 'text' ? segment.text : placeholder)).join(''));
  const placeholderId = tokenizer.idOf(placeholder);
  const parts: PromptPart[] = [];
  let start = 0;
  const takeText = (end: number) => {
    if (end > start) parts.push({ kind: 'text', ids: ids.subarray(start, end) });
    start = end + 1;
  };
  for (const segment of segments) {
    if (segment.kind === 'text') continue;
    const at = placeholderId === undefined ? -1 : ids.indexOf(placeholderId, start);
    if (at < 0) throw new ModelError('TOKENIZER_INVALID', { what: `the tokenizer loses the placeholder ${placeholder}`, expected: 'one id for it wherever it stands' });
    takeText(at);
    parts.push({ kind: segment.kind });
  }
  takeText(ids.length);
  return parts;
}

// Words that no template changes, standing in for a question and an answer.
const probeQuestion = 'Qzkvq';
const probeAnswer = 'Azkvq';

/**
 * Finds the pieces of a live dialogue by rendering small dialogues and cutting them, so that they follow the checkpoint's own template.
 * Cuts are made behind special tokens only: there the tokenisation of the two sides is independent.
 */
function createStream(tokenizer: TextTokenizer, layout: DialogueLayout, toParts: (segments: readonly PromptSegment[]) => readonly PromptPart[]): StreamFormat {
  const user = (timesSec: readonly number[], text: string): Turn => ({ role: 'user', parts: [...(timesSec.length > 0 ? layout.frames(timesSec) : []), ...(text === '' ? [] : [{ kind: 'text' as const, text }])] });
  const past: readonly Turn[] = [user([], probeQuestion), { role: 'assistant', parts: [{ kind: 'text', text: probeAnswer }] }];

  /** The user's turn from where the one before ended: the start, or the answer. */
  const turnParts = (turn: number, timesSec: readonly number[], text: string, options: RenderOptions): readonly PromptPart[] => {
    const here = user(timesSec, text);
    if (turn === 0) return toParts(layout.segments([here], options));
    const [first, ...rest] = layout.segments([...past, here], options);
    const at = first?.kind === 'text' ? first.text.indexOf(probeAnswer) : -1;
    if (first?.kind !== 'text' || at < 0) throw new ModelError('CHAT_TEMPLATE_UNSUPPORTED', { what: 'the chat template drops or changes earlier answers', expected: 'every turn in order' });
    return toParts([{ kind: 'text', text: first.text.slice(at + probeAnswer.length) }, ...rest]);
  };
  /** Ids of the text right before the last frame. */
  const beforeLastFrame = (parts: readonly PromptPart[]): Int32Array => {
    const part = parts[parts.findLastIndex(({ kind }) => kind === 'frame') - 1];
    return part?.kind === 'text' ? part.ids : new Int32Array();
  };
  /** What follows the last frame. */
  const afterLastFrame = (parts: readonly PromptPart[]) => parts.slice(parts.findLastIndex(({ kind }) => kind === 'frame') + 1);
  const firstIds = (parts: readonly PromptPart[]) => (parts[0]?.kind === 'text' ? parts[0].ids : new Int32Array());
  const without = (parts: readonly PromptPart[], prefix: Int32Array): readonly PromptPart[] => {
    if (prefix.length === 0) return parts;
    const rest = firstIds(parts).subarray(prefix.length);
    return rest.length === 0 ? parts.slice(1) : [{ kind: 'text', ids: rest }, ...parts.slice(1)];
  };

  const open = { generate: true };
  const opening = commonPrefix(tokenizer, firstIds(turnParts(0, [], probeQuestion, open)), firstIds(turnParts(0, [0], '', open)));
  const answerTail = firstIds(turnParts(1, [], probeQuestion, open));
  if (answerTail.length === 0 || !tokenizer.isSpecial(answerTail[0]!)) throw new ModelError('CHAT_TEMPLATE_UNSUPPORTED', { what: 'the chat template does not end an answer with a special token', expected: 'a stop token right behind the answer' });
  const answerEnd = answerTail.slice(0, 1);
  const twoFrames = toParts(layout.segments([user([0, 0], probeQuestion)], open));
  const after = commonPrefix(tokenizer, beforeLastFrame(twoFrames), firstIds(afterLastFrame(twoFrames)));
  const prefixAt = (turn: number, framesBefore: number) => (framesBefore > 0 ? after : turn === 0 ? opening : answerEnd);

  const generated = layout.text([past[0]!], open);
  const answered = layout.text(past, { generate: false });
  const answerEndText = answered.slice(answered.lastIndexOf(probeAnswer) + probeAnswer.length);
  return {
    opening,
    frame: ({ turn, framesBefore, timeSec }) => {
      const parts = turnParts(turn, framesBefore > 0 ? [0, timeSec] : [timeSec], '', { generate: false });
      return { before: beforeLastFrame(parts).slice(prefixAt(turn, framesBefore).length), after };
    },
    question: (text, { turn, framesBefore }) => {
      const parts = turnParts(turn, framesBefore > 0 ? [0] : [], text, open);
      return without(framesBefore > 0 ? afterLastFrame(parts) : parts, prefixAt(turn, framesBefore));
    },
    answer: (text) => {
      const whole = layout.text([past[0]!, { role: 'assistant', parts: [{ kind: 'text', text }] }], { generate: false });
      // Some templates write a past answer's header unlike the one that they open; what the model wrote began behind the latter.
      return tokenizer.encode(answered.startsWith(generated) ? whole.slice(generated.length, whole.length - answerEndText.length) : text);
    },
    answerEnd,
  };
}

/** The longest common beginning that ends with a special token. */
function commonPrefix(tokenizer: TextTokenizer, a: Int32Array, b: Int32Array): Int32Array {
  let length = 0;
  for (let i = 0; i < a.length && a[i] === b[i]; i++) if (tokenizer.isSpecial(a[i]!)) length = i + 1;
  return a.slice(0, length);
}
