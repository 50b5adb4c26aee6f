// Means of named figures, whatever names come. Figures that are not numbers (nothing to measure in a batch) are left out.

export class RunningMeans {
  readonly #sums = new Map<string, { sum: number; count: number }>();

  add(figures: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(figures)) {
      if (Number.isNaN(value)) continue;
      const entry = this.#sums.get(name) ?? { sum: 0, count: 0 };
      this.#sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
    }
  }

  /** The means of what was added since the last call. */
  take(): Record<string, number> {
    const means = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.#sums.clear();
    return means;
  }
}
