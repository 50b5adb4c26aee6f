// Prompts of LLaVA-OneVision: the frames of a video side by side, the newline embedding behind the last.
import { ModelError, UserError } from '../core/errors.ts';
import type { ChatTemplate } from './chat-template.ts';
import { toMessages } from './prompt-format.ts';
import type { DialogueLayout, PromptSegment } from './prompt-format.ts';
import type { TextTokenizer } from './tokenizer.ts';

const image = '<image>';
const video = '<video>';

/**
 * The layout that `LlavaOnevisionProcessor` of Transformers gives to videos. Single pictures, which the model reads as a grid of tiles, can be
 * rendered as text but not expanded: a picture is shown as a video of one frame.
 * @throws ModelError when the tokenizer lacks the token of videos
 */
export function llavaLayout(template: ChatTemplate, tokenizer: TextTokenizer, options: { readonly videoTokenId: number; readonly where: string }): DialogueLayout {
  const id = tokenizer.idOf(video);
  if (id !== options.videoTokenId) {
    throw new ModelError('TOKENIZER_INVALID', { what: `${options.where} and tokenizer.json disagree on ${video}`, got: `video_token_index ${options.videoTokenId}`, expected: id === undefined ? `a token ${video} in tokenizer.json` : `${id}` });
  }
  const text: DialogueLayout['text'] = (turns, { generate }) => template(toMessages(turns, [image, video]), { generate });
  return {
    placeholder: video,
    text,
    segments: (turns, how) => {
      const shown = turns.flatMap(({ parts }) => parts.filter((part) => part.kind !== 'text'));
      const found = text(turns, how).split(video);
      const segments: PromptSegment[] = [{ kind: 'text', text: found[0]! }];
      if (shown.some(({ kind }) => kind === 'image')) {
        throw new UserError('IMAGE_UNSUPPORTED', { what: 'LLaVA-OneVision cannot be shown a single picture here', got: 'an image', expected: 'a video, which may have one frame' });
      }
      if (found.length !== shown.length + 1) throw new ModelError('CHAT_TEMPLATE_UNSUPPORTED', { what: 'the chat template does not show every video once', got: `${found.length - 1} placeholders`, expected: `${shown.length}` });
      shown.forEach((part, index) => {
        if (part.kind === 'video') for (let frame = 0; frame < part.frameTimesSec.length; frame++) segments.push({ kind: 'frame' });
        segments.push({ kind: 'newline' }, { kind: 'text', text: found[index + 1]! });
      });
      return segments;
    },
    frames: (timesSec) => [{ kind: 'video', frameTimesSec: timesSec }],
  };
}
