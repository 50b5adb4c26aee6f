// Thinned stretches: what stays, who stands for the rest, and the places of what is left in the prompt.
import { describe, expect, it } from 'vitest';
import type { StreamFormat, StreamPlace } from '../models/contract.ts';
import { thin } from './thinning.ts';
import { streamPrefix, unfoldPatches } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';

const config: VlmConfig = {
  imagePx: 32, patchPx: 8, scale: 2,
  vision: { width: 32, layers: 1, heads: 2, mlpWidth: 48, normEpsilon: 1e-6 },
  text: { width: 32, layers: 1, queryHeads: 2, kvHeads: 1, mlpWidth: 64, vocabulary: 320, normEpsilon: 1e-5, ropeTheta: 1000, contextLength: 128 },
};

/** Four quarters of a picture, each of one grey; `noise` shifts neighbouring pixels against each other. */
function picture(greys: readonly number[], noise = 0): Uint8Array {
  const rgb = new Uint8Array(32 * 32 * 3);
  for (let y = 0; y < 32; y++) for (let x = 0; x < 32; x++) rgb.fill(greys[2 * Number(y >= 16) + Number(x >= 16)]! + ((x + y) % 2 ? noise : -noise), (y * 32 + x) * 3, (y * 32 + x + 1) * 3);
  return unfoldPatches(rgb, 32, 32, 8);
}

describe('thinning', () => {
  it('keeps the squares that changed since they were last kept; the others stand', () => {
    const pictures = [picture([50, 50, 50, 50]), picture([50, 90, 50, 50]), picture([50, 90, 55, 50]), picture([50, 90, 60, 50], 3), picture([50, 90, 65, 50])];
    // 12 of 255, in units of which black to white is 2: what adds up over frames is seen at last, noise within a cell never.
    const { kept, stands } = thin(new Uint8Array(Buffer.concat(pictures)), config, (2 * 12) / 255);
    expect([...kept]).toEqual([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect([...stands]).toEqual([0, 1, 2, 3, 0, 5, 2, 3, 0, 5, 2, 3, 0, 5, 2, 3, 0, 5, 18, 3]);
  });

  it('keeps everything at a threshold of nothing', () => {
    const same = picture([9, 9, 9, 9]);
    expect(thin(new Uint8Array(Buffer.concat([same, same])), config, 0).kept.every((value) => value === 1)).toBe(true);
  });

  it('leaves gaps in the positions, and frames without a token out of the dialogue', () => {
    const stream = {
      opening: Int32Array.of(1),
      frame: ({ framesBefore }: StreamPlace) => ({ before: framesBefore > 0 ? Int32Array.of(2) : Int32Array.of(7, 2), after: Int32Array.of(3) }),
      question: (_: string, { framesBefore }: StreamPlace) => [{ kind: 'text', ids: framesBefore > 0 ? Int32Array.of(4) : Int32Array.of(7, 4) }],
      answer: () => Int32Array.of(5),
      answerEnd: Int32Array.of(6),
    } as unknown as StreamFormat;
    const kept = Uint8Array.of(1, 1, 0, 0, 0, 1);
    const prefix = streamPrefix(stream, [0, 1, 2], 2, [{ frames: 1, question: '', answer: '' }, { frames: 2, question: '', answer: '' }], kept);
    //                              frame 0          turn     turn        frame 2
    expect([...prefix.ids]).toEqual([1, 7, 2, -1, -1, 3, 4, 5, 6, 7, 4, 5, 6, 7, 2, -1, 3]);
    // Frame 1 is not shown, and its five positions are left out; of frame 2 the first token.
    expect([...prefix.positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 17, 18, 19, 21, 22]);
    expect([...prefix.visual]).toEqual([0, 1, 5]);
    expect(prefix.after).toEqual([{ length: 1, position: 1, shown: 0 }, { length: 9, position: 9, shown: 1 }, { length: 13, position: 18, shown: 1 }, { length: 17, position: 23, shown: 2 }]);
  });
});
