// Every method of every stage, for lists and benchmarks.
import type { MethodInfo } from '../core/methods.ts';
import { methodsOf, presets, stageNames, type StageName } from './presets.ts';

/** One method as a list shows it. */
export interface ListedMethod extends MethodInfo {
  readonly stage: StageName;
  readonly name: string;
  /** The kind of memory adapter that it needs: that decides how much is kept. */
  readonly adapter?: 'dmc' | 'dms';
  /** What sets how much it keeps; absent where it keeps everything, or an adapter decides. */
  readonly budget?: { readonly kind: 'fixed' | 'adaptive'; readonly knob: string };
}

/** Lists the methods of all stages: the files of their `methods/` folders. */
export async function listMethods(): Promise<ListedMethod[]> {
  const listed: ListedMethod[] = [];
  for (const stage of stageNames) {
    for (const [name, { summary, source, budget, adapter }] of await methodsOf(stage)) {
      listed.push({ stage, name, summary, source, ...(adapter && { adapter }), ...(budget && { budget: { kind: budget.kind, knob: budget.knob } }) });
    }
  }
  return listed;
}

/** A preset as a list shows it. */
export interface ListedPreset {
  readonly name: string;
  readonly summary: string;
  /** Method of each stage, for a model without a memory adapter. */
  readonly stages: Readonly<Record<StageName, string>>;
}

/** Lists the presets: names for a method in each stage. */
export function listPresets(): ListedPreset[] {
  return Object.entries(presets).map(([name, preset]) => {
    const stages = preset.stages({});
    return { name, summary: preset.summary, stages: { gate: stages.gate.method, vision: stages.vision.method, memory: stages.memory.method } };
  });
}
