// When a round of questions is due.

/**
 * Says of each frame whether a round is put at it: the first frame at or after each whole interval since the first frame. Intervals that the
 * stream jumps past together make one round, and what is left at its end, less than an interval, makes none.
 */
export function createRounds(everySec: number): (timeSec: number) => boolean {
  let firstSec: number | undefined;
  let passed = 0;
  return (timeSec) => {
    firstSec ??= timeSec;
    // Media times are multiples of a time base: 1.9999999 is 2.
    const now = Math.floor((timeSec - firstSec) / everySec + 1e-6);
    if (now <= passed) return false;
    passed = now;
    return true;
  };
}
