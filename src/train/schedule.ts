// Learning rate schedules: a linear warm-up, then constant, linear, cosine, or constant with a decay at the end.

export interface Schedule {
  /** `trapezoid` stays at the peak until `decaySteps` before the end, so that a run can be made longer without starting anew (WSD, arXiv 2404.06395). */
  readonly kind: 'constant' | 'linear' | 'cosine' | 'trapezoid';
  /** Highest learning rate, reached at the end of the warm-up. */
  readonly peak: number;
  readonly warmupSteps: number;
  /** Steps of the whole run, warm-up included. */
  readonly totalSteps: number;
  /** Steps in which the rate falls linearly at the end (`trapezoid`). Default: a fifth of all. */
  readonly decaySteps?: number;
  /** Share of the peak that is left at the end (all but `constant`). */
  readonly finalShare: number;
}

/** Learning rate of a step, counted from 0. The first step of a warm-up already learns. */
export function learningRate({ kind, peak, warmupSteps, totalSteps, decaySteps = Math.round(totalSteps / 5), finalShare }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  if (kind === 'constant') return peak;
  const from = kind === 'trapezoid' ? Math.max(warmupSteps, totalSteps - decaySteps) : warmupSteps;
  const done = Math.max(0, Math.min(1, (step - from) / Math.max(1, totalSteps - from)));
  const left = kind === 'cosine' ? (1 + Math.cos(Math.PI * done)) / 2 : 1 - done;
  return peak * (finalShare + (1 - finalShare) * left);
}
