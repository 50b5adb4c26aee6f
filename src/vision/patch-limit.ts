// A limit on the patches of a frame, over any vision method: of those that it wants, the ones that changed most are computed now, the others wait.
import type { VisionMethod } from './method.ts';
import { patchesOfShare } from './patch-selection.ts';

/** Turned from frame to frame by who holds it. */
export interface PatchLimit {
  /** Share of the patches that a frame may compute, above 0; 1 limits nothing. The first frame is computed whole in any case. */
  ratio: number;
}

/** The method under a limit. What waits still differs from what was computed last, so that the method asks for it again. */
export function withPatchLimit<O extends object>(method: VisionMethod<O>, limit: PatchLimit): VisionMethod<O> {
  return {
    ...method,
    needs: [...new Set([...method.needs, 'difference' as const])],
    open(options, context) {
      const inner = method.open(options, context);
      const count = context.columns * context.rows;
      let isLimited = false;
      return {
        ...inner,
        patches(view) {
          const wanted = inner.patches?.(view);
          const most = patchesOfShare(limit.ratio, count);
          isLimited = (wanted?.length ?? count) > most;
          if (!isLimited) return wanted;
          const all = wanted ?? Int32Array.from({ length: count }, (_, patch) => patch);
          return all.toSorted((a, b) => view.change![b]! - view.change![a]! || a - b).slice(0, most).sort();
        },
        tokens(view) {
          const plan = inner.tokens?.(view);
          // Methods that take whole frames know of no tokens that were not computed.
          return isLimited && !view.first ? onlyChanged(plan, view.changed, context.layout.count) : plan;
        },
      };
    },
  };
}

/** A plan without the tokens that did not change; numbers come up in order again. */
function onlyChanged(plan: Int32Array | undefined, changed: Int32Array, count: number): Int32Array {
  const isChanged = new Uint8Array(count);
  for (const token of changed) isChanged[token] = 1;
  const numbers = new Map<number, number>();
  return Int32Array.from({ length: count }, (_, token) => {
    const target = plan ? plan[token]! : token;
    if (target === -1 || isChanged[token] === 0) return -1;
    const known = numbers.get(target);
    if (known !== undefined) return known;
    numbers.set(target, numbers.size);
    return numbers.size - 1;
  });
}
