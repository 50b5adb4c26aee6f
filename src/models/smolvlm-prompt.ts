// Prompts of SmolVLM and SmolVLM2: pictures between marker tokens, frames of a video with their time.
import { ModelError } from '../core/errors.ts';
import type { ChatMessage, ChatTemplate } from './chat-template.ts';
import type { Turn, TurnPart } from './contract.ts';
import { numberWords } from './number-words.ts';
import { toMessages } from './prompt-format.ts';
import type { DialogueLayout, PromptSegment } from './prompt-format.ts';
import type { TextTokenizer } from './tokenizer.ts';

const image = '<image>';
const video = '<video>';
const before = '<fake_token_around_image><global-img>';
const after = '<fake_token_around_image>';

/**
 * The layout that `Idefics3Processor` and `SmolVLMProcessor` of Transformers give. SmolVLM (`hasVideo` false) has no videos: each frame is shown
 * as a picture. For SmolVLM2 a dialogue with a video is laid out without the checkpoint's template, as Transformers does.
 * @throws ModelError when the tokenizer lacks the tokens of this family
 */
export function smolvlmLayout(template: ChatTemplate, tokenizer: TextTokenizer, options: { readonly imageTokenId: number; readonly hasVideo: boolean; readonly where: string }): DialogueLayout {
  // `<global-img>` is plain text to the 2.2B models' tokenizer.
  for (const token of [image, after]) {
    if (tokenizer.idOf(token) === undefined) throw new ModelError('TOKENIZER_INVALID', { what: 'tokenizer.json lacks a token of this family', expected: token, todo: 'check that tokenizer.json and config.json belong together' });
  }
  const id = tokenizer.idOf(image)!;
  if (id !== options.imageTokenId) throw new ModelError('TOKENIZER_INVALID', { what: `${options.where} and tokenizer.json disagree on ${image}`, got: `image_token_id ${options.imageTokenId}`, expected: `${id}` });

  const prepare = (turns: readonly Turn[]) => (options.hasVideo ? turns : turns.map(videosAsImages));
  const text = (turns: readonly Turn[], { generate }: { readonly generate: boolean }) => {
    const messages = toMessages(turns, [image, video]);
    return turns.some(({ parts }) => parts.some(({ kind }) => kind === 'video')) ? videoTemplate(messages, generate) : template(messages, { generate });
  };
  return {
    placeholder: image,
    text: (turns, how) => text(prepare(turns), how),
    segments: (turns, how) => {
      const prepared = prepare(turns);
      return expand(text(prepared, how), prepared.flatMap(({ parts }) => parts.filter(({ kind }) => kind !== 'text')));
    },
    frames: (timesSec) => [{ kind: 'video', frameTimesSec: timesSec }],
  };
}

function videosAsImages(turn: Turn): Turn {
  return { role: turn.role, parts: turn.parts.flatMap((part): TurnPart[] => (part.kind === 'video' ? part.frameTimesSec.map(() => ({ kind: 'image' })) : [part])) };
}

/** What Transformers' processor writes for dialogues with videos, whatever template the checkpoint has: published ones leave videos out. */
function videoTemplate(messages: readonly ChatMessage[], generate: boolean): string {
  const turns = messages.map(({ role, content }) => {
    const said = content.map((part) => (part.type === 'text' ? part.text : part.type === 'image' ? image : video)).join('');
    return `${role[0]!.toUpperCase()}${role.slice(1).toLowerCase()}:${content[0]?.type === 'image' ? '' : ' '}${said}<end_of_utterance>\n`;
  });
  return `<|im_start|>${turns.join('')}${generate ? 'Assistant:' : ''}`;
}

function expand(text: string, shown: readonly TurnPart[]): readonly PromptSegment[] {
  const found = text.split(/<image>|<video>/);
  if (found.length !== shown.length + 1) {
    throw new ModelError('CHAT_TEMPLATE_UNSUPPORTED', { what: 'the chat template does not show every picture once', got: `${found.length - 1} placeholders`, expected: `${shown.length}` });
  }
  const segments: PromptSegment[] = [];
  let pending = found[0]!;
  const picture = () => {
    segments.push({ kind: 'text', text: pending + before }, { kind: 'frame' });
    pending = after;
  };
  shown.forEach((part, index) => {
    if (part.kind === 'image') picture();
    else if (part.kind === 'video') {
      if (part.durationSec !== undefined) pending += `You are provided the following series of ${numberWords(part.frameTimesSec.length)} frames from a ${clock(part.durationSec)} [H:MM:SS] video.\n`;
      for (const timeSec of part.frameTimesSec) {
        pending += `\nFrame from ${twoDigits(timeSec / 60)}:${twoDigits(timeSec % 60)}:`;
        picture();
      }
      pending += '\n\n';
    }
    pending += found[index + 1]!;
  });
  segments.push({ kind: 'text', text: pending });
  return segments;
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0');
}

/** Whole seconds as Python prints a `timedelta`: `0:01:05`, `2 days, 3:00:00`. */
function clock(durationSec: number): string {
  const seconds = Math.floor(durationSec);
  const days = Math.floor(seconds / 86400);
  const time = `${Math.floor((seconds % 86400) / 3600)}:${twoDigits((seconds % 3600) / 60)}:${twoDigits(seconds % 60)}`;
  return days === 0 ? time : `${days} day${days === 1 ? '' : 's'}, ${time}`;
}
