// Losses of a text model through the engine under a memory method, with what the memory held meanwhile: what adapters and eviction are compared by.
import type { Decoder, Piece } from '../language/decoder.ts';
import type { MemoryOptions } from '../memory/contract.ts';
import { Memory } from '../memory/stage.ts';

export interface TextMeasure {
  /** For each text: mean −log p of its tokens, in nats. */
  readonly losses: readonly number[];
  /** Slots of a head, on average over heads, moments (each chunk's end) and texts; and at the end of the texts. */
  readonly meanSlots: number;
  readonly endSlots: number;
  /** [L][H]: tokens for each slot at the end. */
  readonly ratios: readonly (readonly number[])[];
}

export interface MeasureOptions extends MemoryOptions {
  /** Tokens that go in at once: a frame for methods that act at frames. */
  readonly chunk: number;
  /** How many tokens of a text are its opening. */
  readonly opening: number;
  /** What the memory takes the text for: methods that drop frames are given frames, those that decide by token an answer. */
  readonly as: 'frames' | 'answer';
}

/** @param texts token ids, all of one length */
export async function measureTexts(decoder: Decoder, texts: readonly Int32Array[], { chunk, opening, as, ...memoryOptions }: MeasureOptions): Promise<TextMeasure> {
  const { layers: L, kvHeads: H, vocabulary: V } = decoder.spec;
  const losses: number[] = [];
  const held = { sum: 0, count: 0, end: 0 };
  const ratios = new Float64Array(L * H);
  for (const ids of texts) {
    using memory = await Memory.open(decoder.spec, memoryOptions);
    let loss = 0;
    for (let from = 0; from < ids.length; ) {
      const count = from === 0 ? opening : Math.min(chunk, ids.length - from);
      const frame = Math.floor((from - opening) / chunk);
      const origin = from === 0 ? { kind: 'opening', source: -1, timeSec: 0 } as const : as === 'frames' ? { kind: 'visual', source: frame, timeSec: frame } as const : { kind: 'answer', source: 0, timeSec: frame } as const;
      const piece: Piece = { kind: 'ids', ids: ids.subarray(from, from + count), origin };
      const logits = await decoder.prefill(memory, [piece], { logits: 'all' });
      for (let t = 0; t < count && from + t + 1 < ids.length; t++) loss += logLoss(logits.subarray(t * V, (t + 1) * V), ids[from + t + 1]!);
      from += count;
      held.sum += memory.report().slots / (L * H);
      held.count++;
    }
    losses.push(loss / (ids.length - 1));
    held.end += memory.report().slots / (L * H);
    memory.store.heads.forEach(({ length }, i) => (ratios[i]! += length));
  }
  const tokens = texts.reduce((sum, { length }) => sum + length, 0);
  return {
    losses,
    meanSlots: held.sum / held.count,
    endSlots: held.end / texts.length,
    ratios: Array.from({ length: L }, (_, i) => Array.from({ length: H }, (__, h) => tokens / ratios[i * H + h]!)),
  };
}

function logLoss(logits: Float32Array, target: number): number {
  let top = -Infinity;
  for (const logit of logits) top = Math.max(top, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - top);
  return top + Math.log(sum) - logits[target]!;
}

/** The cap at which a memory that drops all beyond it holds so many slots on average over a text, measured at each chunk's end. */
export function capOfMeanSlots(meanSlots: number, length: number, chunk: number, opening: number): number {
  const ends = [opening, ...Array.from({ length: Math.ceil((length - opening) / chunk) }, (_, i) => Math.min(length, opening + (i + 1) * chunk))];
  const mean = (cap: number) => ends.reduce((sum, tokens) => sum + Math.min(tokens, cap), 0) / ends.length;
  let cap = chunk;
  while (cap < length && mean(cap) < meanSlots) cap++;
  return cap;
}
