// One method at work in a memory, alone or behind another: its streams, and plans asked for and carried out in its scope.
import { carryOut, checkPlan, type CheckedPlan } from './compact.ts';
import type { KvStore } from './kv-store.ts';
import type { HeadPlace, MemoryMethod, MemoryStream, OpenContext, Plan } from './method.ts';
import type { Rotary } from './rotary.ts';
import { kindCode, type SlotStorage } from './slots.ts';

type Scope = MemoryMethod['scope'];

/** From one decision for all to one for each. */
const scopes: readonly Scope[] = ['stream', 'layer', 'head'];

/** The scope in which methods work together: that of the finest, since its slots differ. */
export function finest(of: readonly MemoryMethod[]): Scope {
  return scopes[Math.max(...of.map(({ scope }) => scopes.indexOf(scope)))]!;
}

/** Whether a method of that scope is asked at a head: at others, what it said last holds. */
export function isAsked(scope: Scope, { layer, kvHead }: HeadPlace): boolean {
  return scope === 'head' || (kvHead === 0 && (scope === 'layer' || layer === 0));
}

/** A method that decides for more heads at once than share their slots is opened once for each that differs. */
export class MethodPart {
  readonly method: MemoryMethod;
  readonly name: string;
  readonly #scope: Scope;
  readonly #streams: readonly MemoryStream[];

  constructor(name: string, method: MemoryMethod, scope: Scope, options: Readonly<Record<string, unknown>>, context: OpenContext, saved?: readonly unknown[]) {
    this.name = name;
    this.method = method;
    this.#scope = scope;
    const count = scope === method.scope ? 1 : scope === 'head' ? context.layers * context.kvHeads : context.layers;
    // Of a method without a state a file says null.
    this.#streams = Array.from({ length: count }, (_, i) => method.open(options, { ...context, saved: saved?.[i] ?? undefined }));
  }

  /** The first of its streams: of a method that works alone, the only one. */
  get stream(): MemoryStream {
    return this.#streams[0]!;
  }

  tune(value: number): void {
    for (const stream of this.#streams) stream.tune?.(value);
  }

  save(): readonly unknown[] {
    return this.#streams.map((stream) => stream.save?.());
  }

  /** Asks for plans, checks them and carries them out. Returns whether any slot went. */
  ask(store: KvStore, rotary: Rotary, question: (stream: MemoryStream, head: SlotStorage, place: HeadPlace) => Plan | undefined): boolean {
    const { layers, kvHeads } = store.shape;
    const asOne = this.#streams.length === 1;
    let changed = false;
    let plan: CheckedPlan | undefined;
    for (let layer = 0; layer < layers; layer++) {
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        const head = store.head(layer, kvHead);
        if (isAsked(this.#scope, { layer, kvHead })) {
          const stream = this.#streams[asOne ? 0 : this.#scope === 'head' ? layer * kvHeads + kvHead : layer]!;
          const given = question(stream, head, asOne ? { layer, kvHead } : { layer: 0, kvHead: 0 });
          plan = given && checkPlan(given, head, (slot) => head.kind[slot] === kindCode.opening, this.name);
        }
        if (plan === undefined || (plan.kind === 'runs' && plan.kept === head.length)) continue;
        carryOut(plan, head, rotary);
        changed = true;
      }
    }
    return changed;
  }
}
