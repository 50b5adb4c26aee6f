// Sampling by rate: which pictures of a stream become frames, by media time alone.

/** Decides picture by picture; holds the place on the grid of one stream. */
export interface Sampler {
  /** Whether the picture at this media time is kept. Times must increase. */
  keep(timeSec: number): boolean;
}

/**
 * Keeps the first picture at or after each point k / fps of media time. A stream slower than `fps` keeps all of its
 * pictures and none twice; a gap costs the points inside it.
 */
export function createSampler(fps: number | undefined): Sampler {
  if (fps === undefined) return { keep: () => true };
  let nextPoint = -Infinity;
  return {
    keep(timeSec) {
      // Time stamps are rounded by containers (milliseconds in Matroska): a picture that falls short by less than that is on the point.
      const point = Math.floor(timeSec * fps + Math.min(0.05, 0.001 * fps));
      if (point < nextPoint) return false;
      nextPoint = point + 1;
      return true;
    },
  };
}
