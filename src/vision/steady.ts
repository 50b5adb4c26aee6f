// Moves a picture back onto the one that its patches were computed from, when the camera moved a little as a whole.
import type { MotionVectors } from '../core/frame.ts';
import type { ImageSpec } from '../models/contract.ts';
import type { Picture } from './resample.ts';

/** Motion that the codec knew of, and what a pixel of the frame measures in pixels of the resized picture. */
export interface CodecMotion {
  readonly vectors: MotionVectors;
  readonly scaleX: number;
  readonly scaleY: number;
}

/** Pixels to the right and down. */
interface Displacement {
  readonly x: number;
  readonly y: number;
}

export interface Steadied {
  /** Overwritten by the next call. */
  readonly picture: Picture;
  /** Where what was seen before lies in the picture that came. */
  readonly displacement: Displacement;
}

export interface Steadier {
  /**
   * Finds how far the picture moved as a whole and moves it back; what then lies beyond its edge is taken from `before`.
   * Motion beyond the reach is left as it is: the picture then stands for itself.
   * @param before uint8 [height, width, 3]: the pixels that the patches were computed from
   */
  steady(picture: Picture, before: Uint8Array, motion?: CodecMotion): Steadied;
  /** The next picture is not compared with the last. */
  reset(): void;
}

const still: Displacement = { x: 0, y: 0 };
/** Pixels that are compared in each direction, at most; every fourth of a small picture. */
const mostSamples = 64;
/** Grey levels above which a difference counts no more: things that move by themselves do not decide. */
const outlierLevels = 32;
/** A still picture differs by less, in grey levels: no motion is looked for. */
const stillLevels = 1;
/** Pixels that the search goes from its best candidate. */
const mostSteps = 4;
/** A displacement has to explain so much of the difference at least. */
const betterRatio = 0.85;

/** @param reachPx the furthest that a picture is moved, in pixels */
export function createSteadier({ widthPx, heightPx }: Pick<ImageSpec, 'widthPx' | 'heightPx'>, reachPx: number): Steadier {
  const stride = widthPx * 3;
  let last = still;
  let moved = new Uint8Array();
  const [stepX, stepY] = [Math.max(4, widthPx / mostSamples), Math.max(4, heightPx / mostSamples)];
  const differences = new Int16Array((mostSamples + 1) ** 2);

  /** Mean difference of green on a grid, with the picture moved back by (x, y); brightness that all share is left out. */
  function cost(now: Uint8Array, before: Uint8Array, { x, y }: Displacement): number {
    let total = 0;
    let count = 0;
    for (let row = stepY / 2; row < heightPx; row += stepY) {
      const [top, movedTop] = [Math.floor(row), Math.floor(row) + y];
      if (movedTop < 0 || movedTop >= heightPx || (top + 1) * stride > before.length) continue;
      for (let column = stepX / 2; column < widthPx; column += stepX) {
        const left = Math.floor(column);
        if (left + x < 0 || left + x >= widthPx) continue;
        total += differences[count++] = now[movedTop * stride + (left + x) * 3 + 1]! - before[top * stride + left * 3 + 1]!;
      }
    }
    let sum = 0;
    for (let i = 0; i < count; i++) sum += Math.min(outlierLevels, Math.abs(differences[i]! - total / count));
    return count ? sum / count : Infinity;
  }

  /** The best of the candidates, then of its neighbours as long as one is better. Where the first candidate is the best, that is that. */
  function search(now: Uint8Array, before: Uint8Array, candidates: readonly Displacement[]): { readonly at: Displacement; readonly cost: number } {
    const tried = new Map<string, number>();
    const costOf = (at: Displacement) => {
      const key = `${at.x},${at.y}`;
      const known = tried.get(key) ?? cost(now, before, at);
      tried.set(key, known);
      return known;
    };
    const best = (list: readonly Displacement[]) => list.reduce((a, b) => (costOf(b) < costOf(a) ? b : a));
    let at = best(candidates);
    for (let step = 0; step < mostSteps && at !== candidates[0]; step++) {
      const next = best([at, ...[-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => ({ x: at.x + x, y: at.y + y })))]);
      if (next === at) break;
      at = next;
    }
    return { at, cost: costOf(at) };
  }

  function estimate(now: Uint8Array, before: Uint8Array, motion: CodecMotion | undefined): Displacement {
    const stillCost = cost(now, before, still);
    if (stillCost < stillLevels) return still;
    const coded = motion && medianMotion(motion);
    const profiled = profileMotion(now, before, widthPx, Math.floor(before.length / stride), 2 * reachPx);
    const found = search(now, before, [still, last, profiled, ...(coded ? [{ x: last.x + coded.x, y: last.y + coded.y }] : [])]);
    if (found.cost > betterRatio * stillCost) return still;
    return Math.max(Math.abs(found.at.x), Math.abs(found.at.y)) <= reachPx ? found.at : still;
  }

  return {
    steady(picture, before, motion) {
      last = estimate(picture.rgb, before, motion);
      if (last.x === 0 && last.y === 0) return { picture, displacement: still };
      if (moved.length !== picture.rgb.length) moved = new Uint8Array(picture.rgb.length);
      moved.set(before);
      const { x, y } = last;
      const length = (widthPx - Math.abs(x)) * 3;
      for (let row = Math.max(0, -y); row < Math.min(heightPx, heightPx - y); row++) {
        const from = (row + y) * stride + Math.max(0, x) * 3;
        moved.set(picture.rgb.subarray(from, from + length), row * stride + Math.max(0, -x) * 3);
      }
      return { picture: { ...picture, rgb: moved }, displacement: last };
    },
    reset() {
      last = still;
    },
  };
}

/** How the picture moved since the last coded one: the median of the codec's vectors, each by the area of its block. */
export function medianMotion({ vectors: { count, displacement, size, direction }, scaleX, scaleY }: CodecMotion): Displacement {
  const median = (axis: 0 | 1, scale: number) => {
    const blocks: { readonly by: number; readonly area: number }[] = [];
    for (let i = 0; i < count; i++) if (direction[i]! < 0) blocks.push({ by: displacement[2 * i + axis]!, area: size[2 * i]! * size[2 * i + 1]! });
    blocks.sort((a, b) => a.by - b.by);
    let half = blocks.reduce((sum, { area }) => sum + area, 0) / 2;
    // Vectors point to where a block came from.
    for (const { by, area } of blocks) if ((half -= area) <= 0) return Math.round(-by * scale);
    return 0;
  };
  return { x: median(0, scaleX), y: median(1, scaleY) };
}

/** How far the sums of columns and of rows moved, at most `reach`; for pictures without vectors. */
function profileMotion(now: Uint8Array, before: Uint8Array, widthPx: number, heightPx: number, reach: number): Displacement {
  const [a, b] = [profiles(now, widthPx, heightPx), profiles(before, widthPx, heightPx)];
  return { x: shiftOf(a.columns, b.columns, reach), y: shiftOf(a.rows, b.rows, reach) };
}

/** Mean of green over columns and over rows, every other pixel. */
function profiles(rgb: Uint8Array, widthPx: number, heightPx: number): { readonly columns: Float32Array; readonly rows: Float32Array } {
  const columns = new Float32Array(widthPx);
  const rows = new Float32Array(heightPx);
  for (let y = 0; y < heightPx; y++) {
    let sum = 0;
    for (let x = y & 1, at = (y * widthPx + x) * 3 + 1; x < widthPx; x += 2, at += 6) {
      sum += rgb[at]!;
      columns[x]! += rgb[at]!;
    }
    rows[y] = sum / (widthPx / 2);
  }
  for (let x = 0; x < widthPx; x++) columns[x]! /= heightPx / 2;
  return { columns, rows };
}

/** The shift at which two profiles differ least, their means left out: brightness is not motion. */
function shiftOf(now: Float32Array, before: Float32Array, reach: number): number {
  let best = { shift: 0, cost: Infinity };
  for (let shift = -reach; shift <= reach; shift++) {
    const from = Math.max(0, -shift);
    const to = Math.min(before.length, before.length - shift);
    let mean = 0;
    for (let i = from; i < to; i++) mean += now[i + shift]! - before[i]!;
    mean /= to - from;
    let cost = 0;
    for (let i = from; i < to; i++) cost += Math.abs(now[i + shift]! - before[i]! - mean);
    cost /= to - from;
    if (cost < best.cost) best = { shift, cost };
  }
  return best.shift;
}
