// The contract of gate methods, on every file of the folder.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Frame } from '../core/frame.ts';
import { gatePaths, pathCost, type GateDecision, type GateMethod, type GatePath } from './method.ts';
import { builtInRouterWeights } from './router-weights.ts';
import { FrameGate, gateMethods } from './stage.ts';

const context = { router: builtInRouterWeights() };
const [widthPx, heightPx] = [48, 36];

/** A street seen by a fixed camera: noise, now and then something that moves, now and then another scene. */
const videos = new Map<string, readonly Frame[]>();
function video(seed: number, count: number): readonly Frame[] {
  const made = videos.get(`${seed} ${count}`) ?? makeVideo(seed, count);
  videos.set(`${seed} ${count}`, made);
  return made;
}

function makeVideo(seed: number, count: number): Frame[] {
  const random = createRandom(seed);
  let scene = random.int(0, 200);
  let x = -20;
  return Array.from({ length: count }, (_, index) => {
    if (random.next() < 0.04) scene = random.int(0, 200);
    x = x < -10 ? (random.next() < 0.2 ? 0 : x) : x > widthPx ? -20 : x + 3;
    const rgb = Uint8Array.from({ length: widthPx * heightPx * 3 }, (__, at) => {
      const column = Math.floor(at / 3) % widthPx;
      const row = Math.floor(at / 3 / widthPx);
      const inside = row > 12 && row < 28 && column >= x && column < x + 8;
      return (inside ? 230 : (scene + column + row) & 127) + random.int(-2, 3) + 4;
    });
    return { index, timeSec: index / 2, widthPx, heightPx, rgb, pictureType: 'P', codedBytes: random.int(100, 400) };
  });
}

function watch(gate: FrameGate, frames: readonly Frame[], most?: GatePath): GateDecision[] {
  return frames.map((frame) => {
    const decision = gate.decide(frame, most);
    gate.settle(decision.path);
    return decision;
  });
}

const cost = (decisions: readonly GateDecision[]) => decisions.reduce((sum, { path }) => sum + pathCost[path], 0);
const open = (method: GateMethod, options: Readonly<Record<string, unknown>> = {}) => new FrameGate(method, options, context);
const knob = ({ budget }: GateMethod, value: number) => (budget ? { [budget.knob]: value } : {});

describe.each([...(await gateMethods())])('gate method %s', (_name, method) => {
  test('says what it is, and needs no options', () => {
    expect(method.summary.length).toBeGreaterThan(10);
    expect(method.source.length).toBeGreaterThan(3);
    expect(method.options.safeParse({}).success).toBe(true);
  });

  test('takes the first frame whole, and decides for a path with a finite score each time', () => {
    const [first, ...others] = watch(open(method), video(1, 40));
    expect(first).toMatchObject({ path: 'full', reason: 'first' });
    for (const { path, score } of others) {
      expect(gatePaths).toContain(path);
      expect(score).toSatisfy(Number.isFinite);
    }
  });

  test('with its full budget every frame goes the full path', () => {
    expect(watch(open(method, method.budget ? knob(method, method.budget.full) : {}), video(2, 40)).every(({ path }) => path === 'full')).toBe(true);
  });

  test('decides alike for the same stream, whatever other streams do', () => {
    const [alone, left, right] = [open(method), open(method), open(method)];
    const [frames, others] = [video(3, 40), video(4, 40)];
    const expected = watch(alone, frames);
    const mixed = frames.map((frame, i) => {
      watch(right, [others[i]!]);
      return watch(left, [frame])[0];
    });
    expect(mixed).toEqual(expected);
  });

  test('a wider budget costs no less', () => {
    const costs = (method.budget?.sweep ?? []).map((value) => cost(watch(open(method, knob(method, value)), video(5, 80))));
    expect(costs).toEqual(costs.toSorted((a, b) => a - b));
    for (const each of costs) expect(each).toBeGreaterThanOrEqual(1);
  });

  test('a knob that was turned is as one that was set', () => {
    for (const value of method.budget?.sweep ?? []) {
      const turned = open(method);
      turned.tune(value);
      expect(watch(turned, video(6, 30))).toEqual(watch(open(method, knob(method, value)), video(6, 30)));
    }
    expect(method.budget === undefined || method.open(method.options.parse({}), context).tune !== undefined).toBe(true);
  });

  test('never goes a dearer way than the time allows, but for the first frame', () => {
    for (const most of gatePaths) {
      const [, ...others] = watch(open(method), video(7, 40), most);
      for (const { path, reason } of others) {
        expect(gatePaths.indexOf(path)).toBeGreaterThanOrEqual(gatePaths.indexOf(most));
        if (reason === 'budget') expect(path).toBe(most);
      }
    }
  });

  test('after a failure the next frame goes the full path', () => {
    const gate = open(method);
    const frames = video(8, 10);
    watch(gate, frames.slice(0, 5));
    gate.decide(frames[5]!);
    gate.settle('failed');
    expect(gate.decide(frames[6]!)).toMatchObject({ path: 'full', reason: 'first' });
  });

  test('takes a frame of another size whole', () => {
    const gate = open(method);
    watch(gate, video(9, 5));
    expect(gate.decide({ index: 5, timeSec: 9, widthPx: 8, heightPx: 8, rgb: new Uint8Array(192), pictureType: 'I' })).toMatchObject({ path: 'full', reason: 'first' });
  });
});
