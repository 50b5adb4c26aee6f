// Which patches changed, and which are due: what the selecting vision methods share.
import { z } from 'zod';
import type { PatchView, VisionContext } from './method.ts';

/** Options of every method that selects patches by their change. */
export const selectionOptions = {
  /**
   * Change to what a patch was last computed from, at which it is computed anew: root mean square over cells of a few pixels, in normalised pixels, of
   * which there are 2 from black to white for most models. 0 computes everything.
   */
  threshold: z.number().min(0).default(0.06),
  /** The threshold is never below so many times what the noise of the picture makes of a still patch. */
  noiseFactor: z.number().min(0).default(3),
  /** A neighbour of a changed patch is computed too when it changed by this share of the threshold: 1 is no dilation, 0 takes all eight. */
  spread: z.number().min(0).max(1).default(0.7),
  /** Every patch is computed once in so many frames at least, a few in each frame; 0: never for its age. */
  refreshFrames: z.int().min(0).default(300),
  /** Share of changed patches from which on the frame is computed whole, as after a cut. */
  cutRatio: z.number().gt(0).max(1).default(0.6),
};

export type SelectionOptions = z.output<z.ZodObject<typeof selectionOptions>>;

/** What a frame asks for. The arrays are overwritten by the next frame. */
export interface Selection {
  /** uint8 [P]: 1 where a patch changed, or lies beside one and changed a little. */
  readonly changed: Uint8Array;
  readonly changedCount: number;
  /** Whether so much changed that the frame is computed whole. */
  readonly cut: boolean;
}

export interface PatchSelector {
  /** The patches of a method that limits nothing: see `VisionMethodStream.patches`. */
  patches(view: PatchView): Int32Array | undefined;
  select(view: PatchView): Selection;
  /** int32, rising: the changed patches and those whose turn it is to be refreshed, at most `most`. */
  withRefresh(selection: Selection, view: PatchView, most?: number): Int32Array;
}

/** One stream's selector. */
export function createPatchSelector({ threshold, noiseFactor, spread, refreshFrames, cutRatio }: SelectionOptions, { columns, rows }: Pick<VisionContext, 'columns' | 'rows'>): PatchSelector {
  const count = columns * rows;
  const changed = new Uint8Array(count);
  const strong = new Uint8Array(count);
  let cursor = 0;
  let owed = 0;

  function hasStrongNeighbour(patch: number): boolean {
    const [x, y] = [patch % columns, Math.floor(patch / columns)];
    for (let ny = Math.max(0, y - 1); ny <= Math.min(rows - 1, y + 1); ny++) {
      for (let nx = Math.max(0, x - 1); nx <= Math.min(columns - 1, x + 1); nx++) if (strong[ny * columns + nx] === 1) return true;
    }
    return false;
  }

  const selector: PatchSelector = {
    patches(view) {
      const selection = selector.select(view);
      return selection.cut ? undefined : selector.withRefresh(selection, view);
    },
    select({ change, grain }) {
      const limit = Math.max(threshold, noiseFactor * grain!);
      let changedCount = 0;
      for (let patch = 0; patch < count; patch++) changedCount += strong[patch] = change![patch]! >= limit ? 1 : 0;
      changed.set(strong);
      for (let patch = 0; changedCount > 0 && spread < 1 && patch < count; patch++) {
        if (strong[patch] === 1 || change![patch]! < spread * limit || !hasStrongNeighbour(patch)) continue;
        changed[patch] = 1;
        changedCount++;
      }
      return { changed, changedCount, cut: changedCount >= cutRatio * count };
    },
    withRefresh({ changed: wanted, changedCount }, { age }, most = count) {
      const chosen = wanted.slice();
      const share = refreshFrames === 0 ? 0 : count / refreshFrames;
      // What a frame could not take is not made up for by a later one: that would be the spike that refreshing a few at a time avoids.
      owed = Math.min(owed + share, share + 1);
      let due = Math.min(Math.floor(owed), most - changedCount);
      // From place to place, as codecs refresh their pictures.
      for (let looked = 0; due > 0 && looked < count; looked++, cursor = (cursor + 1) % count) {
        if (chosen[cursor] === 1) continue;
        chosen[cursor] = 1;
        due--;
        owed--;
      }
      return Int32Array.from(age.keys()).filter((patch) => chosen[patch] === 1);
    },
  };
  return selector;
}

/** How many patches a share of `count` is, one at least. */
export function patchesOfShare(share: number, count: number): number {
  // The small term keeps 100 · 0.29 from becoming 28.
  return Math.max(1, Math.floor(share * count + 1e-9));
}
