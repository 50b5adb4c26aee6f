// The gate on examples worked out by hand: differences, cuts, refreshing, what stands longer, motion in numbers, and what the router's weights do.
import { describe, expect, test } from 'vitest';
import type { Frame, MotionVectors } from '../core/frame.ts';
import { defineGateMethod, type Difference, type GateMethod, type GateView } from './method.ts';
import router from './methods/router.ts';
import { featuresOfFrame, featuresOfPatches, frameFeatureNames, normalise, patchFeatureNames } from './features.ts';
import { summariseMotion } from './motion-summary.ts';
import { builtInRouterWeights, parseRouter, readRouter } from './router-weights.ts';
import { FrameGate, gateMethods } from './stage.ts';
import { FrameStatistics } from './statistics.ts';

const methods = await gateMethods();
const [difference, everyFrame, sceneChange] = ['difference', 'every-frame', 'scene-change'].map((name) => methods.get(name)!) as [GateMethod, GateMethod, GateMethod];
const context = { router: builtInRouterWeights() };
const none: Difference = { mean: 0, peak: 0, share: 0, light: 0 };
const view = (given: Partial<GateView> = {}): GateView => ({ timeSec: 1, pictureType: 'P', difference: none, step: none, histogram: 0, sinceEncodedSec: 1, sinceFullSec: 1, skipped: 0, ...given });

/** A grey picture with a brighter rectangle of `sidePx`, its corner at (x, y). */
function picture(timeSec: number, { level = 100, x = 0, y = 0, sidePx = 0, lit = 200 } = {}): Frame {
  const [widthPx, heightPx] = [160, 120];
  const rgb = new Uint8Array(widthPx * heightPx * 3).fill(level);
  for (let row = y; row < y + sidePx; row++) rgb.fill(lit, (row * widthPx + x) * 3, (row * widthPx + x + sidePx) * 3);
  return { index: 0, timeSec, widthPx, heightPx, rgb, pictureType: 'unknown' };
}

function watch(gate: FrameGate, frames: readonly Frame[]): string[] {
  return frames.map((frame) => {
    const decision = gate.decide(frame);
    gate.settle(decision.path);
    return `${decision.path} ${decision.reason}`;
  });
}

describe('statistics', () => {
  test('a rectangle of one cell, 100 levels brighter, is a peak of 100/255 in one of 192 cells', () => {
    const statistics = new FrameStatistics();
    expect(statistics.look(picture(0))).toBeUndefined();
    statistics.settle('full');
    const seen = statistics.look(picture(1, { x: 20, y: 30, sidePx: 10 }))!;
    expect(seen.difference.peak).toBeCloseTo(100 / 255, 5);
    expect(seen.difference.share).toBeCloseTo(1 / 192, 6);
    expect(seen.difference.mean).toBeCloseTo(100 / 255 / 192, 6);
    expect(seen.difference.light).toBeCloseTo(100 / 255 / 192, 6);
    expect(seen.histogram).toBeCloseTo(1 / 192, 5);
    expect(seen).toMatchObject({ sinceEncodedSec: 1, sinceFullSec: 1, skipped: 0 });
  });

  test('slow change adds up against what was encoded, and not against the frame before', () => {
    const statistics = new FrameStatistics();
    statistics.look(picture(0));
    statistics.settle('full');
    for (let i = 1; i <= 5; i++) {
      const seen = statistics.look(picture(i, { level: 100 + i }))!;
      expect(seen.difference.mean).toBeCloseTo(i / 255, 5);
      expect(seen.step.mean).toBeCloseTo(1 / 255, 5);
      expect(seen.skipped).toBe(i - 1);
      statistics.settle('skip');
    }
  });

  test('after the cheap path what it left out is still a difference', () => {
    const statistics = new FrameStatistics();
    statistics.look(picture(0));
    statistics.settle('full');
    // 96 of 192 cells differ, a quarter of all cells is recomputed: 48 are left.
    statistics.look(picture(1, { sidePx: 0, level: 100 }));
    statistics.settle('skip');
    const half = picture(2);
    half.rgb.fill(200, 0, half.rgb.length / 2);
    expect(statistics.look(half)!.difference.share).toBeCloseTo(0.5, 6);
    statistics.settle('cheap');
    const again = statistics.look({ ...half, timeSec: 3 })!;
    expect(again.difference.share).toBeCloseTo(0.25, 6);
    expect(again).toMatchObject({ sinceEncodedSec: 1, sinceFullSec: 3, skipped: 0 });
  });

  test("a picture's bytes are compared with those of its type", () => {
    const statistics = new FrameStatistics();
    const looked = [['I', 1000], ['P', 100], ['P', 100], ['I', 1500], ['P', 300]] as const;
    const ratios = looked.map(([pictureType, codedBytes], i) => {
      const seen = statistics.look({ ...picture(i), pictureType, codedBytes });
      statistics.settle('full');
      return seen?.bytesRatio;
    });
    expect(ratios).toEqual([undefined, 1, 1, 1.5, 3]);
  });

  test('motion is told from that of the camera', () => {
    const vectors = (displacement: readonly number[]): MotionVectors => {
      const count = displacement.length / 2;
      return { count, destination: new Int16Array(2 * count), displacement: Float32Array.from(displacement), size: new Uint8Array(2 * count).fill(16), direction: new Int8Array(count).fill(-1) };
    };
    expect(summariseMotion(vectors([3, 4, 3, 4, 3, 4, 8, 4]), 100, 64)).toEqual({ camera: 0.05, residual: 5 / 4 / 100, moving: 256 / 6400 });
    expect(summariseMotion(vectors([]), 100, 64)).toEqual({ camera: 0, residual: 0, moving: 0 });
  });
});

describe('difference', () => {
  test('skips what looks the same, sees something small, and refreshes', () => {
    const gate = new FrameGate(difference, { refreshSec: 3 }, context);
    const small = { x: 77, y: 55, sidePx: 6 };
    expect(watch(gate, [picture(0), picture(1), picture(2, small), picture(3, small), picture(4, small), picture(5, small)])).toEqual([
      'full first', 'skip still', 'full changed', 'skip still', 'skip still', 'full refresh',
    ]);
  });

  test('what was skipped as still stands longer; what was skipped for want of time does not', () => {
    const gate = new FrameGate(difference, {}, context);
    watch(gate, [picture(0)]);
    const still = gate.decide(picture(1));
    expect(gate.stands(still)).toBe(true);
    gate.settle(still.path);
    const late = gate.decide(picture(2, { sidePx: 60 }), 'skip');
    expect(late).toMatchObject({ path: 'skip', reason: 'budget' });
    expect(gate.stands(late)).toBe(false);
    expect(new FrameGate(everyFrame, {}, context).stands(still)).toBe(false);
  });
});

describe('scene-change', () => {
  test('takes cuts, frames after a while, and no changes of light', () => {
    const gate = new FrameGate(sceneChange, { everySec: 4 }, context);
    expect(watch(gate, [picture(0), picture(1, { level: 110 }), picture(2, { level: 200 }), picture(3, { level: 200 }), picture(5, { level: 200 }), picture(6, { level: 200 })])).toEqual([
      'full first', 'skip still', 'full cut', 'skip still', 'skip still', 'full refresh',
    ]);
  });
});

describe('router', () => {
  /** Weights by which a frame's score is its peak alone. */
  const gate = Array.from(frameFeatureNames, (name) => (name === 'difference peak' ? [1, 0.6, 0] : name === 'one' ? [3, 2.5, 0] : [0, 0, 0]));
  const zeros = (count: number, width: number) => Array.from({ length: count }, () => new Array<number>(width).fill(0));
  const file = {
    format: 'thalweg-router', version: 1,
    frames: { features: [...frameFeatureNames], paths: ['full', 'cheap', 'skip'], mean: zeros(1, frameFeatureNames.length)[0]!, deviation: frameFeatureNames.map(() => 1), gate, noise: zeros(frameFeatureNames.length, 3) },
    patches: { features: [...patchFeatureNames], paths: ['compute', 'reuse'], mean: zeros(1, patchFeatureNames.length)[0]!, deviation: patchFeatureNames.map(() => 1), gate: zeros(patchFeatureNames.length, 2), noise: zeros(patchFeatureNames.length, 2) },
  } as const;
  const weights = parseRouter(file, 'a test');
  const decide = (peak: number, options = {}) => router.open(router.options.parse(options), { router: weights }).decide(view({ difference: { ...none, peak: peak - 1e-3 } }));

  test('takes the path of the largest logit', () => {
    // Logits 3 + ln p, 2.5 + 0.6 ln p and 0: skip below e^(−25/6), cheap up to e^(−1.25), full above.
    expect([0.01, 0.1, 0.2, 0.3, 0.9].map((peak) => decide(peak).path)).toEqual(['skip', 'cheap', 'cheap', 'full', 'full']);
    expect(decide(0.3).score).toBeCloseTo(3 + Math.log(0.3), 5);
  });

  test('a price moves frames to cheaper paths, by what those cost', () => {
    expect(decide(0.9, { price: 1 }).path).toBe('cheap');
    expect(decide(0.9, { price: 20 }).path).toBe('skip');
    expect(decide(0.001, { price: -1e6 }).path).toBe('full');
  });

  test('weights of other features are refused, and so is a file that is none', async () => {
    expect(() => parseRouter({ ...file, frames: { ...file.frames, features: ['one'] } }, 'x.json')).toThrow(/x\.json holds no router.*features/);
    expect(() => parseRouter({}, 'x.json')).toThrow(/train it anew/);
    expect((await readRouter('/nowhere')).from).toBe('built-in');
  });

  test('features are finite on the stillest and the wildest frame, and the built-in gate tells them apart', () => {
    const all: Difference = { mean: 0.5, peak: 1, share: 1, light: 0.3 };
    const wild = view({ difference: all, step: all, histogram: 0.8, pictureType: 'I', bytesRatio: 5, motion: { camera: 0.1, residual: 0.1, moving: 1 }, sinceEncodedSec: 5, sinceFullSec: 60, skipped: 9 });
    for (const each of [view(), wild]) expect([...normalise(featuresOfFrame(each), context.router.frames)]).toSatisfy((values: number[]) => values.every(Number.isFinite));
    const stream = router.open(router.options.parse({}), context);
    expect(stream.decide(view()).path).toBe('skip');
    expect(stream.decide(wild).path).toBe('full');
  });

  test("a patch is seen with those around it: the largest of its neighbours, the frame's mean, its age", () => {
    const features = featuresOfPatches({ columns: 3, rows: 2, difference: Float32Array.of(0, 0.5, 0, 0, 0, 0.1), age: Int32Array.of(1, 1, 1, 1, 1, 9) });
    const width = patchFeatureNames.length;
    const log = (value: number) => Math.log(value + 1e-3);
    expect([...features.subarray(5 * width)].map((value) => value.toFixed(4))).toEqual([1, log(0.1), log(0.5), log(0.1), Math.log(10)].map((value) => value.toFixed(4)));
    expect(features[width + 2]).toBeCloseTo(log(0.1), 5);
  });
});

test('a decision that is none is an error', () => {
  const broken = defineGateMethod({ ...difference, open: () => ({ decide: () => ({ path: 'full', reason: 'every', score: NaN }) }) });
  const gate = new FrameGate(broken, {}, context);
  watch(gate, [picture(0)]);
  expect(() => gate.decide(picture(1))).toThrow(/decided for something else/);
});
