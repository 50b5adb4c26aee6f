// Pauses between attempts to reconnect: doubled each time, capped, with jitter so that many watchers do not return at once.
import type { Random } from '../core/random.ts';

/** The pause before attempt 1, 2, …: between half and all of min · 2^(attempt − 1), at most `maxPauseSec`. */
export function pauseSecOf(attempt: number, limits: { readonly minPauseSec: number; readonly maxPauseSec: number }, random: Random): number {
  const fullSec = Math.min(limits.maxPauseSec, limits.minPauseSec * 2 ** Math.min(attempt - 1, 60));
  return fullSec * (0.5 + 0.5 * random.next());
}
