// `--explain`: what is drawn where, and a video with a frame for each that was watched.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Frame } from '../core/frame.ts';
import type { FrameExplanation, FrameReport } from '../session/contract.ts';
import { openSource } from '../source/open-source.ts';
import { createExplainer, drawReport } from './explain.ts';

const size = { widthPx: 96, heightPx: 64 };
const white = { ...size, rgb: new Uint8Array(size.widthPx * size.heightPx * 3).fill(255) };
const grid = { patchColumns: 4, patchRows: 4, tokenColumns: 2, tokenRows: 2, covered: { width: 1, height: 1 } };

function report(index: number, explained?: Pick<FrameExplanation, 'patches' | 'tokens'>): FrameReport {
  const memory = { liveBytes: 0, allocatedBytes: 0, capBytes: 0, slots: 0, tokensSeen: 0, longestHead: 0, bytesPerSlot: 0, slotFormat: 'float32' as const };
  const timings = { gateMs: 0, decodeMs: 0, waitMs: 0, preprocessMs: 0, visionMs: 0, prefillMs: 0, runtimeMs: 0 };
  return {
    index,
    timeSec: 10 + index / 5,
    pictureType: 'P',
    gate: { path: explained ? 'full' : 'skip', reason: explained ? 'changed' : 'still', score: 0 },
    patchesRecomputed: explained?.patches.length ?? 0,
    patches: 16,
    visualTokens: explained?.tokens.length ?? 0,
    ...(explained && { explained: { ...grid, ...explained } }),
    timings,
    memory,
  };
}

/** Red, green and blue at a place. */
const at = (rgba: Uint8Array, x: number, y: number) => [...rgba.subarray((y * size.widthPx + x) * 4, (y * size.widthPx + x) * 4 + 3)];

test('computed patches are bright and framed in orange, kept tokens in cyan, the rest is in shade', () => {
  const rgba = drawReport(white, size, report(0, { patches: [5], tokens: [1] }));
  expect(at(rgba, 36, 24)).toEqual([255, 255, 255]); // within patch 5: column 1, row 1
  expect(at(rgba, 24, 20)).toEqual([255, 157, 46]); // its left edge
  const [shade] = at(rgba, 60, 10);
  expect(shade).toBeGreaterThan(120);
  expect(shade).toBeLessThan(160);
  expect(at(rgba, 48, 10)).toEqual([53, 214, 255]); // the left edge of token 1: column 1, row 0
  expect(at(rgba, 10, 10)).toEqual(at(rgba, 60, 10));
});

test('a whole frame has no shade, a skipped one nothing else', () => {
  const whole = drawReport(white, size, report(0, { patches: Array.from({ length: 16 }, (_, i) => i), tokens: [] }));
  expect(at(whole, 36, 10)).toEqual([255, 255, 255]);
  const skipped = drawReport(white, size, report(0));
  expect(at(skipped, 36, 10)).toEqual(at(skipped, 90, 20));
  expect(at(skipped, 36, 10)[0]).toBeLessThan(160);
});

test('the grid covers what the encoder sees, not pixels behind its last patch', () => {
  const rgba = drawReport(white, size, { ...report(0, { patches: [3], tokens: [] }), explained: { ...grid, patches: [3], tokens: [], covered: { width: 0.5, height: 1 } } });
  expect(at(rgba, 36, 0)).toEqual([255, 157, 46]); // patch 3 ends at the middle of the picture
  expect(at(rgba, 60, 10)).toEqual([255, 255, 255]);
});

test('the video has a frame for each that was watched, at its time, and none for those without a report', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-explain-'));
  try {
    const path = join(folder, 'explained.mp4');
    await using explainer = createExplainer(path, 5);
    for (let index = 0; index < 20; index++) {
      // The model takes the pixels of a frame away.
      const frame: Frame = { ...white, rgb: white.rgb.slice(), index, timeSec: 10 + index / 5, pictureType: 'P' };
      await explainer.frame(frame);
      structuredClone(frame.rgb, { transfer: [frame.rgb.buffer as ArrayBuffer] });
      if (index !== 7) explainer.report(report(index, { patches: [index % 16], tokens: [] }));
    }
    await explainer.close();
    const times: number[] = [];
    for await (const { timeSec } of await openSource(path)) times.push(Number(timeSec.toFixed(2)));
    expect(times).toHaveLength(19);
    expect([times[0], times[1], times[7], times[18]]).toEqual([0, 0.2, 1.6, 3.8]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a video that cannot be written is told at the end, not in the middle of watching', async () => {
  await using explainer = createExplainer('/nowhere/at/all.mp4', 5);
  await explainer.frame({ ...white, index: 0, timeSec: 0, pictureType: 'P' });
  explainer.report(report(0, { patches: [], tokens: [] }));
  await expect(explainer.close()).rejects.toThrow(/nowhere/u);
});
