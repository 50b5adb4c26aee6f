// Learning rate schedules: a linear warm-up, then constant, linear or cosine.

export interface Schedule {
  readonly kind: 'constant' | 'linear' | 'cosine';
  /** Highest learning rate, reached at the end of the warm-up. */
  readonly peak: number;
  readonly warmupSteps: number;
  /** Steps of the whole run, warm-up included. */
  readonly totalSteps: number;
  /** Share of the peak that is left at the end (linear, cosine). */
  readonly finalShare: number;
}

/** Learning rate of a step, counted from 0. The first step of a warm-up already learns. */
export function learningRate({ kind, peak, warmupSteps, totalSteps, finalShare }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  if (kind === 'constant') return peak;
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const left = kind === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2;
  return peak * (finalShare + (1 - finalShare) * left);
}
