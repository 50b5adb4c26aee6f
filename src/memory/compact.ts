// Plans carried out: slots kept, dropped and merged in place.
import { UserError } from '../core/errors.ts';
import type { Plan } from './method.ts';
import type { Rotary } from './rotary.ts';
import { columnNames, type SlotStorage, type SlotView } from './slots.ts';

/** A plan that was checked, in the form that is quick to carry out on many heads. */
export type CheckedPlan =
  /** Stretches of slots to move down: from, count, from, count … */
  | { readonly kind: 'runs'; readonly runs: Int32Array; readonly kept: number }
  | { readonly kind: 'assign'; readonly to: Int32Array; readonly weights: Float32Array | undefined; readonly kept: number };

/**
 * Checks a plan against the slots that it is for.
 * @param isProtected slots that may be merged into but not dropped
 * @throws UserError `MEMORY_PLAN` when a method's plan is not one, or drops what is protected
 */
export function checkPlan(plan: Plan, slots: SlotView, isProtected: (slot: number) => boolean, method: string): CheckedPlan {
  const fail = (got: string, expected: string): never => {
    throw new UserError('MEMORY_PLAN', { what: `memory method ${method} made a plan that cannot be carried out`, got, expected });
  };
  const drop = (slot: number) => isProtected(slot) && fail(`protected slot ${slot} dropped`, 'protected slots stay');
  if (plan.kind === 'keep') {
    const runs: number[] = [];
    let next = 0;
    for (const slot of plan.slots) {
      if (!(slot >= next && slot < slots.length)) fail(`slot ${slot} after ${next - 1}`, `ascending slots below ${slots.length}`);
      for (let gone = next; gone < slot; gone++) drop(gone);
      if (slot === next && runs.length > 0) runs[runs.length - 1]!++;
      else runs.push(slot, 1);
      next = slot + 1;
    }
    for (let gone = next; gone < slots.length; gone++) drop(gone);
    return { kind: 'runs', runs: Int32Array.from(runs), kept: plan.slots.length };
  }
  const { to, weights } = plan;
  if (to.length !== slots.length) fail(`${to.length} entries`, `one for each of ${slots.length} slots`);
  if (weights && weights.length !== slots.length) fail(`${weights.length} weights`, `one for each of ${slots.length} slots`);
  let kept = 0;
  for (let slot = 0; slot < to.length; slot++) {
    const target = to[slot]!;
    if (target < -1 || target > kept) fail(`slot ${slot} → ${target}`, `−1 to ${kept}: new numbers come up in order`);
    if (target === -1) drop(slot);
    if (target === kept) kept++;
    if (weights && target >= 0 && !(weights[slot]! > 0)) fail(`weight ${weights[slot]!} of slot ${slot}`, 'weights above 0');
  }
  return { kind: 'assign', to, weights, kept };
}

/** Carries out a plan on one head, in place. */
export function carryOut(plan: CheckedPlan, head: SlotStorage, rotary: Rotary): void {
  if (plan.kind === 'assign') {
    assign(plan.to, plan.weights, plan.kept, head, rotary);
    return;
  }
  let to = 0;
  for (let i = 0; i < plan.runs.length; i += 2) {
    head.move(to, plan.runs[i]!, plan.runs[i + 1]!);
    to += plan.runs[i + 1]!;
  }
  head.truncate(to);
}

function assign(to: Int32Array, weights: Float32Array | undefined, kept: number, head: SlotStorage, rotary: Rotary): void {
  const members = new Int32Array(kept);
  for (const target of to) if (target >= 0) members[target]!++;
  const { headWidth } = head;
  /** By target that several slots become: mean key before the rotary embedding (averages of rotated keys mean nothing), mean value. */
  const means = new Map<number, { readonly key: Float32Array; readonly value: Float32Array }>();
  const key = new Float32Array(headWidth);
  const value = new Float32Array(headWidth);
  let seen = 0;
  for (let slot = 0; slot < to.length; slot++) {
    const target = to[slot]!;
    if (target < 0) continue;
    if (members[target]! > 1) {
      if (weights) head.weight[slot] = weights[slot]!;
      head.read(slot, key, value, rotary);
    }
    // A number met for the first time is at most this slot's own, so no slot that is still to be read is written over.
    if (target === seen) {
      if (members[target]! > 1) means.set(target, { key: key.slice(), value: value.slice() });
      head.move(target, slot, 1);
      seen++;
    } else mergeInto(target, slot);
  }
  head.truncate(kept);
  for (const [target, mean] of means) head.write(target, mean.key, mean.value, rotary);

  function mergeInto(target: number, slot: number): void {
    const mean = means.get(target)!;
    const sum = head.weight[target]! + head.weight[slot]!;
    const share = head.weight[slot]! / sum;
    for (let d = 0; d < headWidth; d++) {
      mean.key[d] = mean.key[d]! + (key[d]! - mean.key[d]!) * share;
      mean.value[d] = mean.value[d]! + (value[d]! - mean.value[d]!) * share;
    }
    const tokens = head.tokens[target]! + head.tokens[slot]!;
    const since = Math.min(head.sinceSec[target]!, head.sinceSec[slot]!);
    if (head.position[slot]! > head.position[target]!) for (const name of columnNames) head[name][target] = head[name][slot]!;
    head.weight[target] = sum;
    head.tokens[target] = tokens;
    head.sinceSec[target] = since;
  }
}
