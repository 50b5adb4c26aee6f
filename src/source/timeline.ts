// The timeline: turns the times of containers into one media time that starts at 0 and strictly increases, also across reconnects.

/** A step back by more than this is a new beginning (a camera restarted its clock), not a picture out of order. */
const RESTART_SEC = 0.5;
/** A live stream that jumps ahead by this much more than the clock on the wall changed its own clock. */
const JUMP_SEC = 5;
/** Step where nothing is known of the rate yet. */
const DEFAULT_STEP_SEC = 1 / 25;
/** Pictures that share a time are set apart by this. */
const NUDGE_SEC = 1e-4;

export interface Timeline {
  /**
   * The media time of the next picture.
   * @param containerSec its time in the container, if it has one
   * @param durationSec how long it is shown, if known
   * @param wallSec a monotonic clock
   */
  place(containerSec: number | undefined, durationSec: number | undefined, wallSec: number): number;
  /** The media time that a time of the container has now; for events. */
  mediaTimeOf(containerSec: number | undefined): number | undefined;
  /** The next picture comes from a new connection, whose clock has nothing to do with that of the last. */
  reconnect(): void;
}

export interface TimelineOptions {
  readonly live: boolean;
  /** Time in the container that is media time 0; default: the first picture. */
  readonly originSec?: number | undefined;
}

export function createTimeline({ live, originSec }: TimelineOptions): Timeline {
  let offsetSec: number | undefined = originSec === undefined ? undefined : -originSec;
  let last: { readonly timeSec: number; readonly wallSec: number } | undefined;
  let stepSec = DEFAULT_STEP_SEC;
  let fresh = false;

  return {
    place(containerSec, durationSec, wallSec) {
      const next = (): number => {
        if (last === undefined) {
          offsetSec ??= -(containerSec ?? 0);
          return Math.max(0, (containerSec ?? 0) + offsetSec);
        }
        const elapsedSec = wallSec - last.wallSec;
        const following = last.timeSec + (durationSec ?? stepSec);
        if (containerSec === undefined) return following;
        let timeSec = containerSec + (offsetSec ?? 0);
        const restarted = timeSec < last.timeSec - RESTART_SEC || (live && timeSec > last.timeSec + elapsedSec + JUMP_SEC);
        if (fresh || restarted) {
          // What passed on the wall while there was no picture passed in the stream too, if it is live.
          timeSec = live ? Math.max(following, last.timeSec + elapsedSec) : following;
          offsetSec = timeSec - containerSec;
        }
        return timeSec > last.timeSec ? timeSec : last.timeSec + NUDGE_SEC;
      };
      const timeSec = next();
      if (last !== undefined && !fresh) {
        const step = timeSec - last.timeSec;
        if (step > NUDGE_SEC && step < 1) stepSec = step;
      }
      fresh = false;
      last = { timeSec, wallSec };
      return timeSec;
    },
    mediaTimeOf: (containerSec) => (containerSec === undefined || offsetSec === undefined ? last?.timeSec : Math.max(0, containerSec + offsetSec)),
    reconnect() {
      fresh = true;
    },
  };
}
