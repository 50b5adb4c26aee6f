// Bounded concurrency: a gate that lets so many pass at once, and a pool that works off a list.

/** Runs tasks in order of arrival, at most `width` at once. */
export function createGate(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/** Works off the items in `width` lanes, numbered from 0. The first fault stops new work, waits for what is under way, and is thrown. */
export async function runPool<T>(items: readonly T[], width: number, work: (item: T, lane: number) => Promise<void>): Promise<void> {
  let next = 0;
  const faults: unknown[] = [];
  const runLane = async (lane: number) => {
    while (next < items.length && faults.length === 0) {
      try {
        await work(items[next++]!, lane);
      } catch (fault) {
        faults.push(fault);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(width, items.length)) }, (_, lane) => runLane(lane)));
  if (faults.length > 0) throw faults[0];
}
