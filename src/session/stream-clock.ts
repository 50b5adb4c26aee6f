// How late a stream's frames are: their media time against the wall clock, whatever the two began at.

/** Wall time over which the earliest arrival counts: clocks of cameras drift. */
const windowMs = 60_000;

/** One stream's clock. The frame that came soonest, by its media time, was on time; every other is as late as it came after that. */
export class StreamClock {
  readonly #speed: number;
  /** Wall minus media time of the earliest arrivals, of this window and the one before. */
  #earliestMs = Infinity;
  #earliestBeforeMs = Infinity;
  #windowFromMs = -Infinity;
  #lastSec: number | undefined;
  #intervalMs = 0;

  /** @param speed media seconds in a wall second */
  constructor(speed = 1) {
    this.#speed = speed;
  }

  /** Wall time between neighbouring frames, a running mean; 0 before there are two. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** A frame of that media time is about to be taken in. @returns how late it is in milliseconds, at least 0 */
  arrive(nowMs: number, timeSec: number): number {
    const offsetMs = nowMs - (timeSec * 1000) / this.#speed;
    if (nowMs - this.#windowFromMs > windowMs) {
      this.#earliestBeforeMs = this.#windowFromMs === -Infinity ? Infinity : this.#earliestMs;
      this.#earliestMs = Infinity;
      this.#windowFromMs = nowMs;
    }
    this.#earliestMs = Math.min(this.#earliestMs, offsetMs);
    if (this.#lastSec !== undefined) {
      const gapMs = ((timeSec - this.#lastSec) * 1000) / this.#speed;
      // A gap where the source broke off is no interval.
      this.#intervalMs = this.#intervalMs === 0 ? gapMs : this.#intervalMs + (Math.min(gapMs, 4 * this.#intervalMs) - this.#intervalMs) / 8;
    }
    this.#lastSec = timeSec;
    return offsetMs - Math.min(this.#earliestMs, this.#earliestBeforeMs);
  }

  /** The source was opened again: media and wall time have a new relation. */
  restart(): void {
    this.#earliestMs = this.#earliestBeforeMs = Infinity;
    this.#windowFromMs = -Infinity;
  }
}
