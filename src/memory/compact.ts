// Plans carried out: slots kept, dropped and merged in place.
import { UserError } from '../core/errors.ts';
import type { Plan } from './method.ts';
import type { Rotary } from './rotary.ts';
import { columnNames, type HeadSlots, type SlotView } from './slots.ts';

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
export function carryOut(plan: CheckedPlan, head: HeadSlots, rotary: Rotary): void {
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

function assign(to: Int32Array, weights: Float32Array | undefined, kept: number, head: HeadSlots, rotary: Rotary): void {
  const members = new Int32Array(kept);
  for (const target of to) if (target >= 0) members[target]!++;
  const { headWidth, keys, values } = head;
  let seen = 0;
  for (let slot = 0; slot < to.length; slot++) {
    const target = to[slot]!;
    if (target < 0) continue;
    const merges = members[target]! > 1;
    // While they gather, the keys of a merged slot stand unrotated: averages of rotated keys mean nothing.
    if (merges) {
      rotary.turn(keys, slot * headWidth, -head.position[slot]!);
      if (weights) head.weight[slot] = weights[slot]!;
    }
    // A number met for the first time is at most this slot's own, so no slot that is still to be read is written over.
    if (target === seen) {
      head.move(target, slot, 1);
      seen++;
    } else mergeInto(head, target, slot);
  }
  head.truncate(kept);
  for (let slot = 0; slot < kept; slot++) if (members[slot]! > 1) rotary.turn(keys, slot * headWidth, head.position[slot]!);

  function mergeInto(of: HeadSlots, target: number, slot: number): void {
    const sum = of.weight[target]! + of.weight[slot]!;
    const share = of.weight[slot]! / sum;
    for (let d = 0, a = target * headWidth, b = slot * headWidth; d < headWidth; d++, a++, b++) {
      keys[a] = keys[a]! + (keys[b]! - keys[a]!) * share;
      values[a] = values[a]! + (values[b]! - values[a]!) * share;
    }
    const tokens = of.tokens[target]! + of.tokens[slot]!;
    if (of.position[slot]! > of.position[target]!) for (const name of columnNames) of[name][target] = of[name][slot]!;
    of.weight[target] = sum;
    of.tokens[target] = tokens;
  }
}
