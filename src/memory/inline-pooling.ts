// Inline pooling of a chunk in one head: running states become the chunk's slots, and once attended only closed ones and the open one stay.
import { UserError } from '../core/errors.ts';
import type { PoolPlan, Projected } from './method.ts';
import { segmentedScan, type RunningStates } from './pooling.ts';
import type { Rotary } from './rotary.ts';
import { kindCode, type SlotColumns, type SlotStorage } from './slots.ts';

/** Appends running states of a chunk to heads; its buffers serve every head in turn. */
export class InlinePooling {
  readonly #headWidth: number;
  readonly #rotary: Rotary;
  readonly #openKey: Float32Array;
  readonly #openValue: Float32Array;
  #states: RunningStates = { keys: new Float32Array(0), values: new Float32Array(0), weight: new Float32Array(0), tokens: new Float32Array(0) };

  constructor(headWidth: number, rotary: Rotary) {
    this.#headWidth = headWidth;
    this.#rotary = rotary;
    this.#openKey = new Float32Array(headWidth);
    this.#openValue = new Float32Array(headWidth);
  }

  /**
   * Appends one slot for each token of the chunk: its running state, which continues the head's last slot where token 0 merges.
   * A slot that took in a token of the opening is one of the opening from then on, and so stays.
   * @param tokens columns of the chunk; weights and token counts of the slots become those of the states
   * @returns uint8 [T]: the plan's merges, as carried out
   */
  append(head: SlotStorage, plan: PoolPlan, chunk: Projected, tokens: SlotColumns, method: string): Uint8Array {
    const { count, rawKeys, values, offset, stride } = chunk;
    if (plan.merge.length !== count || plan.weight.length !== count || !plan.weight.every((weight) => weight > 0)) {
      throw new UserError('MEMORY_PLAN', { what: `memory method ${method} made a plan that cannot be carried out`, got: `${plan.merge.length} merges and ${plan.weight.length} weights`, expected: `${count} of each, weights above 0` });
    }
    const width = this.#headWidth;
    if (this.#states.weight.length < count) {
      this.#states = { keys: new Float32Array(count * width), values: new Float32Array(count * width), weight: new Float32Array(count), tokens: new Float32Array(count) };
    }
    const states = this.#states;
    const merge = plan.merge.slice();
    if (head.length === 0) merge[0] = 0;
    const last = head.length - 1;
    if (merge[0] !== 0) head.read(last, this.#openKey, this.#openValue, this.#rotary);
    const open = merge[0] === 0 ? undefined : { key: this.#openKey, value: this.#openValue, weight: head.weight[last]!, tokens: head.tokens[last]! };
    segmentedScan({ data: rawKeys, offset, stride }, { data: values, offset, stride }, merge, plan.weight, tokens.tokens, width, open, states);
    if (head.rotated) {
      for (let t = 0; t < count; t++) {
        // A token alone is rotated already, and is then to the bit what it is without pooling.
        if (merge[t] === 0) for (let d = 0, from = offset + t * stride; d < width; d++, from++) states.keys[t * width + d] = chunk.keys[from]!;
        else this.#rotary.turn(states.keys, t * width, tokens.position[t]!);
      }
    }
    const first = head.length;
    head.append(count, states.keys, states.values, 0, width, tokens);
    head.weight.set(states.weight.subarray(0, count), first);
    head.tokens.set(states.tokens.subarray(0, count), first);
    for (let t = 0, slot = first; t < count; t++, slot++) {
      if (merge[t] === 0) continue;
      head.sinceSec[slot] = head.sinceSec[slot - 1]!;
      if (head.kind[slot - 1] === kindCode.opening) head.kind[slot] = kindCode.opening;
    }
    return merge;
  }
}

/** Slots that stay once a pooled chunk has been attended: a state that the next token continued is gone. */
export function closedSlots(length: number, merge: Uint8Array): Int32Array {
  const past = length - merge.length;
  const kept = new Int32Array(length);
  let count = 0;
  for (let slot = 0; slot < length; slot++) if (slot < past - 1 || (merge[slot - past + 1] ?? 0) === 0) kept[count++] = slot;
  return kept.subarray(0, count);
}
