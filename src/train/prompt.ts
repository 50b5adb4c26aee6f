// The prompt format of a checkpoint that has no weights yet: what training lays questions out with is what watching will use.
import { openChatTemplate } from '../models/chat-template.ts';
import type { PromptFormat } from '../models/contract.ts';
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

/**
 * A clip's stretch as token ids. Questions are those asked within it whose evidence lies within it.
 * @param order permutes the threads: the first have priority where not all fit
 */
export function toSample(prompt: PromptFormat, config: VlmConfig, clip: StoredClip, { first, count }: Window, order: <T>(items: readonly T[]) => T[]): ClipSample {
  const { patches, patchValues, tokensPerFrame } = vlmSizes(config);
  const timesSec = clip.timesSec.slice(first, first + count);
  const [startSec, endSec] = [timesSec[0]!, timesSec.at(-1)! + (clip.timesSec.length > 1 ? clip.timesSec[1]! - clip.timesSec[0]! : 1)];
  const usable = clip.threads.filter((thread) => thread.every(({ timeSec, evidenceSec }) => timeSec < endSec && evidenceSec >= startSec - 1e-6 && timeSec >= startSec));
  const frameBytes = patches * patchValues;
  const width = config.auxiliary ? tokensPerFrame * (config.auxiliary.labels + config.auxiliary.numbers) : 0;
  const part = (values: Float32Array) => values.subarray(first * width, (first + count) * width);
  return {
    patches: clip.patches.subarray(first * frameBytes, (first + count) * frameBytes),
    prefix: streamPrefix(prompt.stream, timesSec.map((timeSec) => timeSec - startSec), tokensPerFrame),
    threads: order(usable).map((thread): Thread => {
      return thread.map(({ timeSec, question, answer, label }, turn): ClipTurn => {
        const frames = timesSec.filter((time) => time <= timeSec + 1e-6).length;
        // All frames stand in the shared prefix, before the dialogue: a later turn follows the answer before it.
        const text = prompt.stream.question(question, { turn, framesBefore: turn === 0 ? frames : 0 }).flatMap((piece) => (piece.kind === 'text' ? [...piece.ids] : []));
        return { frames, label, prompt: Int32Array.from(turn === 0 ? text : withoutAnswerEnd(text, prompt.stream.answerEnd)), answer: Int32Array.from([...prompt.stream.answer(answer), ...prompt.stream.answerEnd]) };
      });
    }),
    ...(clip.auxiliary && width > 0 && { auxiliary: { targets: part(clip.auxiliary.targets), weights: part(clip.auxiliary.weights) } }),
  };
}

/** The answer before already brought its end mark. */
function withoutAnswerEnd(ids: readonly number[], answerEnd: Int32Array): readonly number[] {
  return answerEnd.every((id, i) => ids[i] === id) ? ids.slice(answerEnd.length) : ids;
}
