// Every method of every stage, for lists and benchmarks.
import type { MethodInfo } from '../core/methods.ts';
import { memoryMethods } from '../memory/stage.ts';
import { visionMethods } from '../vision/stage.ts';

/** One method as a list shows it. */
export interface ListedMethod extends MethodInfo {
  readonly stage: 'vision' | 'memory';
  readonly name: string;
  /** What sets how much it keeps; absent where it keeps everything. */
  readonly budget?: { readonly kind: 'fixed' | 'adaptive'; readonly knob: string };
}

/** Lists the methods of all stages: the files of their `methods/` folders. */
export async function listMethods(): Promise<ListedMethod[]> {
  const listed: ListedMethod[] = [];
  for (const [stage, methods] of [['memory', await memoryMethods()], ['vision', await visionMethods()]] as const) {
    for (const [name, { summary, source, budget }] of methods) {
      listed.push({ stage, name, summary, source, ...(budget && { budget: { kind: budget.kind, knob: budget.knob } }) });
    }
  }
  return listed;
}
