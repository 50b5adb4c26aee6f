// What a queue would have done, had a video come in real time: Lindley's recursion over measured times of work.
import type { QueueLengths } from './contract.ts';

/** Something that occupied the candidate: a frame from its arrival on, or an answer from its question on. */
export interface Busy {
  readonly kind: 'frame' | 'answer';
  /** Media time at which it came. */
  readonly timeSec: number;
  readonly workMs: number;
}

/**
 * Work is done in the order of arrival, one thing at a time. A frame waits from its arrival until its work begins.
 * @param work in the order of arrival
 */
export function queueInRealTime(work: readonly Busy[]): QueueLengths {
  /** When the frames that wait or are under way begin, in order. */
  const begins: number[] = [];
  let freeMs = 0;
  let longest = 0;
  let lastMs = 0;
  for (const { kind, timeSec, workMs } of work) {
    const arrivedMs = timeSec * 1000;
    const beginMs = Math.max(arrivedMs, freeMs);
    freeMs = beginMs + workMs;
    lastMs = arrivedMs;
    if (kind === 'answer') continue;
    begins.push(beginMs);
    longest = Math.max(longest, waiting(begins, arrivedMs));
  }
  return { longest, atEnd: waiting(begins, lastMs) };
}

/** Frames among those that have come whose work begins only after `nowMs`. */
function waiting(begins: number[], nowMs: number): number {
  while (begins.length > 0 && begins[0]! <= nowMs) begins.shift();
  return begins.length;
}
