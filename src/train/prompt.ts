// The prompt format of a checkpoint that has no weights yet: what training lays questions out with is what watching will use.
import { openChatTemplate } from '../models/chat-template.ts';
import type { PromptFormat, PromptPart } from '../models/contract.ts';
import { createPromptFormat } from '../models/prompt-format.ts';
import { smolvlmLayout } from '../models/smolvlm-prompt.ts';
import { openTokenizer } from '../models/tokenizer.ts';
import type { StoredClip } from './clip-file.ts';
import type { ClipSample, ClipTurn, Thread } from './vlm-batch.ts';
import { streamPrefix } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

/** @param folder as `writeCheckpointFiles` leaves it */
export async function openTrainingPrompt(folder: string, config: VlmConfig): Promise<PromptFormat> {
  const tokenizer = await openTokenizer(folder, config.text.vocabulary);
  return createPromptFormat(tokenizer, smolvlmLayout(await openChatTemplate(folder, tokenizer.roles), tokenizer, { imageTokenId: tokenizer.idOf('<image>')!, hasVideo: false, where: folder }));
}

/** A stretch of a clip: frames `first` to `first + count`. */
export interface Window {
  readonly first: number;
  readonly count: number;
}

export type ClipTokeniser = (clip: StoredClip, window: Window, order: <T>(items: readonly T[]) => T[]) => ClipSample;

/** Texts whose tokens are kept: most questions come again and again. */
const textsKept = 50_000;

/**
 * Turns a clip's stretch into token ids. Questions are those asked within it whose evidence lies within it.
 * The `order` argument permutes the threads: the first have priority where not all fit a batch.
 */
export function createClipTokeniser(prompt: PromptFormat, config: VlmConfig): ClipTokeniser {
  const { patches, patchValues, tokensPerFrame } = vlmSizes(config);
  const { stream } = prompt;
  const frameBytes = patches * patchValues;
  const width = config.auxiliary ? tokensPerFrame * (config.auxiliary.labels + config.auxiliary.numbers) : 0;
  const prefixOf = remembered((times: string) => streamPrefix(stream, JSON.parse(times) as number[], tokensPerFrame));
  const answerOf = remembered((text) => Int32Array.from([...stream.answer(text), ...stream.answerEnd]));
  const questionOf = {
    first: remembered((text) => idsOf(stream.question(text, { turn: 0, framesBefore: 1 }))),
    unseen: remembered((text) => idsOf(stream.question(text, { turn: 0, framesBefore: 0 }))),
    // All frames stand in the shared prefix, before the dialogue: a later turn follows the answer before it, which brought its own end mark.
    later: remembered((text) => withoutAnswerEnd(idsOf(stream.question(text, { turn: 1, framesBefore: 0 })), stream.answerEnd)),
  };
  return (clip, { first, count }, order) => {
    const timesSec = clip.timesSec.slice(first, first + count);
    const [startSec, endSec] = [timesSec[0]!, timesSec.at(-1)! + (clip.timesSec.length > 1 ? clip.timesSec[1]! - clip.timesSec[0]! : 1)];
    const usable = clip.threads.filter((thread) => thread.every(({ timeSec, evidenceSec }) => timeSec >= startSec && timeSec < endSec && evidenceSec >= startSec - 1e-6));
    const part = (values: Float32Array) => values.subarray(first * width, (first + count) * width);
    return {
      patches: clip.patches.subarray(first * frameBytes, (first + count) * frameBytes),
      prefix: prefixOf(JSON.stringify(timesSec.map((timeSec) => timeSec - startSec))),
      threads: order(usable).map((thread): Thread =>
        thread.map(({ timeSec, question, answer, label }, turn): ClipTurn => {
          const frames = timesSec.filter((time) => time <= timeSec + 1e-6).length;
          const kind = turn > 0 ? 'later' : frames > 0 ? 'first' : 'unseen';
          return { frames, label, prompt: questionOf[kind](question), answer: answerOf(answer) };
        }),
      ),
      ...(clip.auxiliary && width > 0 && { auxiliary: { targets: part(clip.auxiliary.targets), weights: part(clip.auxiliary.weights) } }),
    };
  };
}

function remembered<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size >= textsKept) known.clear();
    const made = make(text);
    known.set(text, made);
    return made;
  };
}

const idsOf = (parts: readonly PromptPart[]) => Int32Array.from(parts.flatMap((part) => (part.kind === 'text' ? [...part.ids] : [])));

/** The answer before already brought its end mark. */
function withoutAnswerEnd(ids: Int32Array, answerEnd: Int32Array): Int32Array {
  return answerEnd.every((id, i) => ids[i] === id) ? ids.slice(answerEnd.length) : ids;
}
