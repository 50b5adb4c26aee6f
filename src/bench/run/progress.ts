// Progress of a run: how much is done, and how long the rest will take at the rate seen so far.

/** How far a run has come, and how long it will take. */
export interface Progress {
  readonly kind: 'progress';
  readonly doneUnits: number;
  readonly totalUnits: number;
  /** Units taken over from an earlier run. */
  readonly resumedUnits: number;
  readonly failedUnits: number;
  readonly elapsedMs: number;
  /** Null before the first unit is done. */
  readonly leftMs: number | null;
  /** The unit just finished: cell and video. */
  readonly last: string | null;
}

export interface ProgressMeter {
  /** @param weight expected work of the unit; @param lane candidates differ in speed, so each has its own rate */
  finish(unit: string, lane: string, weight: number, wallMs: number, hasFailed: boolean): Progress;
  start(): Progress;
}

export function createProgressMeter(
  work: readonly { readonly lane: string; readonly weight: number; readonly isDone: boolean }[],
  parallel: number,
  now: () => number = () => performance.now(),
): ProgressMeter {
  const began = now();
  const left = new Map<string, number>();
  for (const { lane, weight, isDone } of work) left.set(lane, (left.get(lane) ?? 0) + (isDone ? 0 : weight));
  const seen = new Map<string, { weight: number; wallMs: number }>();
  const resumedUnits = work.filter((unit) => unit.isDone).length;
  let doneUnits = resumedUnits;
  let failedUnits = 0;

  function leftMs(): number | null {
    const all = [...seen.values()].reduce((sum, one) => ({ weight: sum.weight + one.weight, wallMs: sum.wallMs + one.wallMs }), { weight: 0, wallMs: 0 });
    if (all.weight === 0) return null;
    const total = [...left].reduce((sum, [lane, weight]) => {
      const rate = seen.get(lane) ?? all;
      return sum + (weight * rate.wallMs) / rate.weight;
    }, 0);
    return total / parallel;
  }

  const state = (last: string | null): Progress => ({
    kind: 'progress',
    doneUnits,
    totalUnits: work.length,
    resumedUnits,
    failedUnits,
    elapsedMs: now() - began,
    leftMs: doneUnits === work.length ? 0 : leftMs(),
    last,
  });
  return {
    start: () => state(null),
    finish: (unit, lane, weight, wallMs, hasFailed) => {
      doneUnits++;
      if (hasFailed) failedUnits++;
      left.set(lane, Math.max(0, (left.get(lane) ?? 0) - weight));
      const before = seen.get(lane) ?? { weight: 0, wallMs: 0 };
      seen.set(lane, { weight: before.weight + weight, wallMs: before.wallMs + wallMs });
      return state(unit);
    },
  };
}
