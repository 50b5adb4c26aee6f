// A small stream for tests: an opening, frames of four visual tokens between wraps, and questions.
import { createRandom } from '../core/random.ts';
import type { Decoder, Piece } from './decoder.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { Memory } from '../memory/stage.ts';

export const tokensPerFrame = 6;

export function opening(ids: readonly number[] = [1, 2, 3]): Piece[] {
  return [{ kind: 'ids', ids, origin: { kind: 'opening', source: -1, timeSec: 0 } }];
}

/** Frame number `index`; frames of one `look` have the same visual tokens. */
export function frame(spec: DecoderSpec, index: number, { look = index, timeSec = index * 0.5 }: { readonly look?: number; readonly timeSec?: number } = {}): Piece[] {
  const random = createRandom(`frame ${look}`);
  const origin = { source: index, timeSec } as const;
  return [
    { kind: 'ids', ids: [10], origin: { ...origin, kind: 'wrap' } },
    { kind: 'embeddings', data: Float32Array.from({ length: 4 * spec.width }, () => random.next() * 2 - 1), origin: { ...origin, kind: 'visual' } },
    { kind: 'ids', ids: [11], origin: { ...origin, kind: 'wrap' } },
  ];
}

export function question(turn: number, ids: readonly number[] = [20, 21, 22]): Piece[] {
  return [{ kind: 'ids', ids, origin: { kind: 'question', source: turn, timeSec: 0 } }];
}

/** Plays an opening and frames `from` to `to` (not included). */
export async function play(decoder: Decoder, memory: Memory, from: number, to: number): Promise<void> {
  if (from === 0) await decoder.prefill(memory, opening(), { logits: 'none' });
  for (let index = from; index < to; index++) await decoder.prefill(memory, frame(decoder.spec, index), { logits: 'none' });
}

/** Logits of a question that leaves no trace. */
export async function probe(decoder: Decoder, memory: Memory): Promise<Float32Array> {
  const mark = memory.mark(8);
  try {
    return (await decoder.prefill(memory, question(99))).slice();
  } finally {
    memory.undo(mark);
  }
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}
