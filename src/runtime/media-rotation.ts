// Display matrices: how a container says that its pictures are to be turned (ISO/IEC 14496-12, 6.2.2; FFmpeg's libavutil/display.h).

/** Clockwise turn, and a mirror left to right that comes before it, which make a picture upright. */
export interface Orientation {
  readonly rotationDeg: 0 | 90 | 180 | 270;
  readonly mirrored: boolean;
}

export const UPRIGHT: Orientation = { rotationDeg: 0, mirrored: false };

const ONE = 1 << 16;
const PERSPECTIVE_ONE = 1 << 30;

/** int32 [3, 3], row-major, in 16.16 and 2.30 fixed point: a clockwise turn. */
export function displayMatrixOf(rotationDeg: 0 | 90 | 180 | 270): Buffer {
  const cos = { 0: 1, 90: 0, 180: -1, 270: 0 }[rotationDeg];
  const sin = { 0: 0, 90: 1, 180: 0, 270: -1 }[rotationDeg];
  return Buffer.from(Int32Array.of(cos * ONE, sin * ONE, 0, -sin * ONE, cos * ONE, 0, 0, 0, PERSPECTIVE_ONE).buffer);
}

/** The turn and mirror of a display matrix, to the nearest right angle. */
export function orientationOf(matrix: Buffer | null): Orientation {
  if (matrix === null || matrix.length < 36) return UPRIGHT;
  const at = (entry: number) => matrix.readInt32LE(entry * 4);
  let [a, b] = [at(0), at(1)];
  const [c, d] = [at(3), at(4)];
  // A negative determinant is a mirror; undo it on the first row to read the turn.
  const mirrored = a * d - b * c < 0;
  if (mirrored) [a, b] = [-a, -b];
  if (a === 0 && b === 0) return UPRIGHT;
  const quarterTurns = Math.round(Math.atan2(b, a) / (Math.PI / 2));
  return { rotationDeg: ((((quarterTurns % 4) + 4) % 4) * 90) as Orientation['rotationDeg'], mirrored };
}
