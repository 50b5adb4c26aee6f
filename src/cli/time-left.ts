// The time that is left of a piece of work, from how fast it has gone so far.
import { milliseconds } from './format.ts';

/** Too soon to tell before this. */
const leastMs = 1500;

/**
 * The clock starts at the first call, at whatever share is done by then.
 * @returns what to append to a progress line, given the share that is done, 0 to 1: `, 12 s left`, or nothing yet
 */
export function createTimeLeft(now: () => number = () => performance.now()): (share: number) => string {
  let start: { readonly ms: number; readonly share: number } | undefined;
  return (share) => {
    start ??= { ms: now(), share };
    const spentMs = now() - start.ms;
    const gained = share - start.share;
    return spentMs < leastMs || gained <= 0 ? '' : `, ${milliseconds((spentMs / gained) * (1 - share))} left`;
  };
}
