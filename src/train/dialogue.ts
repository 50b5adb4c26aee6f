// Dialogue between the frames of a training clip: which questions are asked and answered while it runs, and where those behind it stand.
import type { Random } from '../core/random.ts';
import type { StreamFormat, StreamPlace } from '../models/contract.ts';
import type { Prefix, SpokenTurn } from './vlm-batch.ts';
import { streamPrefix } from './vlm-batch.ts';

/** How much of the dialogue stands in the prefix itself. */
export interface SpokenLimits {
  /** Questions that were asked and answered before, at most; how many is drawn anew for each clip. */
  readonly turns: number;
  /** Tokens that the prefix may have, frames and dialogue together. */
  readonly prefixTokens: number;
}

export interface Dialogue<T> {
  /** In the order of their frames. */
  readonly spoken: readonly SpokenTurn[];
  readonly prefix: Prefix;
  /** Threads that were not spoken, in the order given. */
  readonly left: readonly T[];
}

/**
 * Speaks the first few threads, as many as are drawn and fit.
 * @param turnsOf a thread's turns, with how many frames were seen before each
 * @param kept visual tokens that are not left out; default all
 */
export function speakSome<T>(stream: StreamFormat, timesSec: readonly number[], tokensPerFrame: number, threads: readonly T[], turnsOf: (thread: T) => readonly SpokenTurn[], limits: SpokenLimits, random: Random, kept?: Uint8Array): Dialogue<T> {
  let spoken: readonly SpokenTurn[] = [];
  let prefix = streamPrefix(stream, timesSec, tokensPerFrame, [], kept);
  const wanted = random.int(0, limits.turns + 1);
  let said = 0;
  for (; said < Math.min(wanted, threads.length); said++) {
    const next = [...spoken, ...turnsOf(threads[said]!)].sort((a, b) => a.frames - b.frames);
    const longer = streamPrefix(stream, timesSec, tokensPerFrame, next, kept);
    if (longer.ids.length > limits.prefixTokens) break;
    [spoken, prefix] = [next, longer];
  }
  return { spoken, prefix, left: threads.slice(said) };
}

/**
 * Where a turn of a thread stands that is asked after so many frames.
 * All frames stand in the prefix, before the thread: its later turns follow the answer before them, which brought the end mark.
 * @param turn its number within its thread
 */
export function placeBehind(spoken: readonly SpokenTurn[], { after }: Prefix, frames: number, turn: number): StreamPlace {
  const before = spoken.filter((said) => said.frames <= frames);
  return turn > 0 ? { turn: before.length + turn, framesBefore: 0 } : { turn: before.length, framesBefore: after[frames]!.shown - after[before.at(-1)?.frames ?? 0]!.shown };
}
