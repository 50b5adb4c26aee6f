// Leaves out visual tokens whose square did not change, as the methods do that watch cheaply: a model that is taught with gaps answers through them.
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

export interface Thinning {
  /** Share of the stretches that are thinned, 0–1. */
  readonly share: number;
  /** Range that the threshold of change is drawn from, evenly in its logarithm: root mean square over cells of 4 × 4 pixels, 2 from black to white. */
  readonly change: readonly [number, number];
}

export interface Thinned {
  /** uint8 [frames · tokensPerFrame]: 1 for each token that stays. */
  readonly kept: Uint8Array;
  /** int32, the same: the token that shows what this one would, itself or the last one kept of its square. */
  readonly stands: Int32Array;
}

const cellPx = 4;
/** Bytes from black to white, over the normalised range. */
const unit = 255 / 2;

/**
 * A token stays where a patch of its square changed that much since the square was last kept.
 * @param patches uint8 [frames, patches, 3, patch, patch] (see `unfoldPatches`)
 */
export function thin(patches: Uint8Array, config: VlmConfig, threshold: number): Thinned {
  const { patches: perFrame, patchValues, tokensPerFrame, columns, tokenColumns } = vlmSizes(config);
  const frameBytes = perFrame * patchValues;
  const frames = patches.length / frameBytes;
  const kept = new Uint8Array(frames * tokensPerFrame);
  const stands = new Int32Array(frames * tokensPerFrame);
  const lastKept = new Int32Array(tokensPerFrame).fill(-1);
  for (let frame = 0; frame < frames; frame++) {
    for (let token = 0; token < tokensPerFrame; token++) {
      const [row, column] = [Math.floor(token / tokenColumns) * config.scale, (token % tokenColumns) * config.scale];
      const changed = () => {
        for (let y = row; y < row + config.scale; y++) {
          for (let x = column; x < column + config.scale; x++) {
            const at = (y * columns + x) * patchValues;
            if (changeOf(patches, frame * frameBytes + at, lastKept[token]! * frameBytes + at, config.patchPx) >= threshold) return true;
          }
        }
        return false;
      };
      if (lastKept[token]! < 0 || changed()) {
        kept[frame * tokensPerFrame + token] = 1;
        lastKept[token] = frame;
      }
      stands[frame * tokensPerFrame + token] = lastKept[token]! * tokensPerFrame + token;
    }
  }
  return { kept, stands };
}

/** Root mean square of the differences of cells of two patches, in normalised pixels: what noise there is cancels out within a cell. */
function changeOf(bytes: Uint8Array, a: number, b: number, patchPx: number): number {
  const cells = Math.max(1, Math.floor(patchPx / cellPx));
  const side = patchPx / cells;
  let sum = 0;
  for (let channel = 0; channel < 3; channel++) {
    for (let cellY = 0; cellY < cells; cellY++) {
      for (let cellX = 0; cellX < cells; cellX++) {
        let difference = 0;
        for (let y = cellY * side; y < (cellY + 1) * side; y++) {
          const row = channel * patchPx ** 2 + y * patchPx + cellX * side;
          for (let i = row; i < row + side; i++) difference += bytes[a + i]! - bytes[b + i]!;
        }
        sum += difference ** 2;
      }
    }
  }
  return Math.sqrt(sum / (3 * cells ** 2)) / (side ** 2 * unit);
}
