// The prompt format of a checkpoint that has no weights yet: what training lays questions out with is what watching will use.
import type { Random } from '../core/random.ts';
import { openChatTemplate } from '../models/chat-template.ts';
import type { PromptFormat, StreamFormat, StreamPlace } from '../models/contract.ts';
import { createPromptFormat } from '../models/prompt-format.ts';
import { smolvlmLayout } from '../models/smolvlm-prompt.ts';
import { openTokenizer } from '../models/tokenizer.ts';
import type { StoredClip } from './clip-file.ts';
import type { SpokenLimits } from './dialogue.ts';
import { placeBehind, speakSome } from './dialogue.ts';
import type { Evidence, TextThread } from './samples.ts';
import type { Thinning } from './thinning.ts';
import { thin } from './thinning.ts';
import type { ClipSample, ClipTurn, Thread } from './vlm-batch.ts';
import { partIds } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

/** @param folder as `writeCheckpointFiles` leaves it */
export async function openTrainingPrompt(folder: string, config: VlmConfig): Promise<PromptFormat> {
  const tokenizer = await openTokenizer(folder, config.text.vocabulary);
  return createPromptFormat(tokenizer, smolvlmLayout(await openChatTemplate(folder, tokenizer.roles), tokenizer, { imageTokenId: tokenizer.idOf('<image>')!, hasVideo: false, where: folder }));
}

/** A stretch of a clip: pictures `first`, `first + stride`, … up to `count` of them, or as many as there are. */
export interface Window {
  /** Default: drawn, so that as many fit as can. */
  readonly first?: number;
  readonly count: number;
  /** `fit`: as many pictures apart as it takes for `count` of them to span the clip. */
  readonly stride: number | 'fit';
}

/** Share of the threads of each label that come into question, 0–1; labels that are not named all do. */
export type Selection = Readonly<Record<string, number>>;

export type ClipTokeniser = (clip: StoredClip, window: Window, selection: Selection, limits: SpokenLimits, random: Random, thinning?: Thinning) => ClipSample;

/** Texts whose tokens are kept: most questions come again and again. */
const textsKept = 50_000;

/**
 * Turns a clip's stretch into token ids. Questions are those asked within it whose evidence lies within it, in random order: the first have
 * priority where not all fit a batch. Some may be spoken: they stand in the prefix, and whatever comes later follows them. All others are
 * threads behind the prefix, worded as at that point of the dialogue.
 */
export function createClipTokeniser({ stream }: PromptFormat, config: VlmConfig): ClipTokeniser {
  const { patches, patchValues, tokensPerFrame } = vlmSizes(config);
  const frameBytes = patches * patchValues;
  const width = config.auxiliary ? tokensPerFrame * (config.auxiliary.labels + config.auxiliary.numbers) : 0;
  // In this family the text around frames and questions differs between the first turn and later ones, and before and after a turn's first frame; no further.
  const firstOrLater = (n: number) => Math.min(n, 1);
  const cached: StreamFormat = {
    ...stream,
    frame: remembered((place) => `${firstOrLater(place.turn)} ${firstOrLater(place.framesBefore)} ${place.timeSec}`, (place) => stream.frame(place)),
  };
  const answerOf = remembered((text: string) => text, (text) => Int32Array.from([...stream.answer(text), ...stream.answerEnd]));
  const questionOf = remembered(
    ({ turn, framesBefore, text }: StreamPlace & { readonly text: string }) => `${firstOrLater(turn)} ${firstOrLater(framesBefore)} ${text}`,
    ({ text, ...place }) => Int32Array.from(partIds(stream.question(text, place))),
  );
  return (clip, { first: given, count: wished, stride: asked }, selection, limits, random, thinning) => {
    const all = clip.timesSec;
    const stride = asked === 'fit' ? Math.ceil(all.length / wished) : asked;
    const count = Math.min(wished, Math.ceil(all.length / stride));
    // What spans the clip begins with it, so that questions about the whole can be answered.
    const first = given ?? (count * stride >= all.length ? 0 : random.int(0, all.length - (count - 1) * stride));
    const pictures = Array.from({ length: count }, (_, i) => first + i * stride);
    const timesSec = pictures.map((i) => all[i]!);
    const step = (all.length > 1 ? all[1]! - all[0]! : 1) * stride;
    const [startSec, endSec] = [timesSec[0]!, timesSec[count - 1]! + step];
    const usable = clip.threads.filter((thread) => thread.every(({ timeSec, evidenceSec }) => timeSec >= startSec - 1e-6 && timeSec < endSec - 1e-6 && evidenceSec >= startSec - 1e-6) && random.next() < (selection[thread.at(-1)!.label] ?? 1));
    const framesAt = (at: number) => timesSec.filter((time) => time <= at + 1e-6).length;
    const ordered = random.shuffle(usable);
    /** Rows of some of the pictures; without a copy where they follow each other. */
    const part = <T extends Uint8Array | Float32Array>(values: T, size: number): T => {
      if (stride === 1) return values.subarray(first * size, (first + count) * size) as T;
      const chosen = new (values.constructor as new (length: number) => T)(count * size);
      pictures.forEach((picture, i) => chosen.set(values.subarray(picture * size, (picture + 1) * size), i * size));
      return chosen;
    };
    const shownPatches = part(clip.patches, frameBytes);
    const thinned = thinning && random.next() < thinning.share ? thin(shownPatches, config, drawn(thinning.change, random)) : undefined;
    /** Visual tokens of the stretch, up to what was seen, where the answer shows. */
    const shownIn = ({ spansSec, subjects }: Evidence, seen: number): number[] => {
      const looked = [...new Set(spansSec.flatMap((span) => framesOf(timesSec.slice(0, seen), span)))];
      return looked.flatMap((frame) => {
        const tokens = subjects.length === 0 ? Array.from({ length: tokensPerFrame }, (_, token) => token) : [...new Set(subjects.flatMap((id) => clip.squares?.[id]?.[pictures[frame]!] ?? []))];
        return tokens.map((token) => thinned?.stands[frame * tokensPerFrame + token] ?? frame * tokensPerFrame + token);
      });
    };
    const relative = timesSec.map((timeSec) => timeSec - startSec);
    const turnsOf = (thread: TextThread) => thread.map(({ timeSec, question, answer }) => ({ frames: framesAt(timeSec), question, answer }));
    const { spoken, prefix, left } = speakSome(cached, relative, tokensPerFrame, ordered, turnsOf, limits, random, thinned?.kept);
    return {
      patches: shownPatches,
      prefix,
      threads: left.map((thread): Thread =>
        thread.map(({ timeSec, question, answer, label, weight, evidence }, i): ClipTurn => {
          const frames = framesAt(timeSec);
          return {
            frames, label, prompt: questionOf({ ...placeBehind(spoken, prefix, frames, i), text: question }), answer: answerOf(answer),
            ...(weight !== undefined && { weight }),
            ...(evidence && { evidence: shownIn(evidence, frames) }),
          };
        }),
      ),
      ...(clip.auxiliary && width > 0 && { auxiliary: { targets: part(clip.auxiliary.targets, width), weights: part(clip.auxiliary.weights, width) } }),
    };
  };
}

/** A number of a range, evenly in its logarithm. */
function drawn([low, high]: readonly [number, number], random: Random): number {
  return low * (high / low) ** random.next();
}

/** Frames that show a span of time: the newest, if it reaches to that; those within it; or else the two around it. */
function framesOf(timesSec: readonly number[], [fromSec, toSec]: readonly [number, number]): number[] {
  const last = timesSec.length - 1;
  if (last < 0) return [];
  const step = last > 0 ? timesSec[1]! - timesSec[0]! : 0;
  if (toSec >= timesSec[last]! - 1e-6 && fromSec > timesSec[last]! - Math.max(step, 1) - 1e-6) return [last];
  const within = timesSec.flatMap((time, frame) => (time >= fromSec - 1e-6 && time <= toSec + 1e-6 ? [frame] : []));
  if (within.length > 0) return within;
  const after = timesSec.findIndex((time) => time > toSec);
  return after < 0 ? [last] : [Math.max(0, after - 1), after];
}

function remembered<A, T>(keyOf: (argument: A) => string, make: (argument: A) => T): (argument: A) => T {
  const known = new Map<string, T>();
  return (argument) => {
    const key = keyOf(argument);
    const found = known.get(key);
    if (found !== undefined) return found;
    if (known.size >= textsKept) known.clear();
    const made = make(argument);
    known.set(key, made);
    return made;
  };
}
