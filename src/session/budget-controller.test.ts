// The controller of the budget with a simulated clock and a simulated engine: bursts, overload, calm, what never happens.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { BudgetController, type BudgetChange, type FrameAllowance } from './budget-controller.ts';
import { StreamClock } from './stream-clock.ts';

interface Engine {
  /** Milliseconds of a frame: fixed, and for all its patches. */
  readonly fixedMs: number;
  readonly patchesMs: number;
  readonly skipMs: number;
  /** How much of its patches a frame needs, by its number and the pressure. */
  readonly needs?: (frame: number, pressure: number) => number;
  /** Milliseconds that the engine is away before a frame. */
  readonly away?: (frame: number) => number;
}

interface Step extends FrameAllowance {
  readonly timeMs: number;
  readonly startMs: number;
  readonly lagMs: number;
}

/** Plays `count` frames at a real-time pace through a queue that waits. */
function play(controller: BudgetController, count: number, intervalMs: number, { fixedMs, patchesMs, skipMs, needs = () => 1, away = () => 0 }: Engine): { readonly steps: Step[]; readonly changes: BudgetChange[] } {
  const clock = new StreamClock();
  const steps: Step[] = [];
  const changes: BudgetChange[] = [];
  let nowMs = 1e6;
  for (let frame = 0; frame < count; frame++) {
    nowMs = Math.max(nowMs + away(frame), 1e6 + frame * intervalMs);
    const timeMs = frame * intervalMs;
    const lagMs = clock.arrive(nowMs, timeMs / 1000);
    const allowance = controller.allow({ nowMs, lagMs, intervalMs: clock.intervalMs });
    steps.push({ ...allowance, timeMs, startMs: nowMs, lagMs });
    const patchRatio = allowance.most === 'skip' ? 0 : Math.min(allowance.patchRatio, needs(frame, allowance.pressure));
    const ms = allowance.most === 'skip' ? skipMs : fixedMs + patchesMs * patchRatio;
    nowMs += ms;
    controller.spent({ ms, patchRatio, wasSkipped: allowance.most === 'skip', memoryFill: 0.5 });
    changes.push(...controller.takeChanges());
  }
  return { steps, changes };
}

const targets = { maxLatencyMs: 500, catchUpSec: 2 };

describe('the budget', () => {
  test('an engine that is fast enough is left alone', () => {
    const controller = new BudgetController(targets);
    const { steps, changes } = play(controller, 300, 100, { fixedMs: 10, patchesMs: 40, skipMs: 1 });
    expect(steps.every(({ most, patchRatio, pressure }) => most === 'full' && patchRatio === 1 && pressure === 0)).toBe(true);
    expect(changes).toEqual([]);
    expect(controller.totals).toMatchObject({ skippedForTime: 0, limited: 0, catchUps: 0 });
  });

  test('after five seconds away the backlog is gone within the stated time, some of it seen', () => {
    const controller = new BudgetController(targets);
    const { steps, changes } = play(controller, 300, 100, { fixedMs: 10, patchesMs: 40, skipMs: 1, away: (frame) => (frame === 100 ? 5000 : 0) });
    const away = steps[100]!;
    expect(away.lagMs).toBeGreaterThan(4900);
    const back = steps.find(({ lagMs }, i) => i > 100 && lagMs <= targets.maxLatencyMs)!;
    expect(back.startMs - away.startMs).toBeLessThanOrEqual(1000 * targets.catchUpSec);
    expect(steps.filter(({ startMs }) => startMs > away.startMs + 1000 * targets.catchUpSec).every(({ lagMs }) => lagMs <= targets.maxLatencyMs)).toBe(true);
    const backlog = steps.slice(100, steps.indexOf(back));
    expect(backlog.filter(({ most }) => most === 'full').length).toBeGreaterThan(5);
    expect(controller.totals.skippedForTime).toBe(steps.filter(({ most }) => most === 'skip').length);
    expect(changes.map(({ change }) => change).filter((change) => change !== 'pressure')).toEqual(['behind', 'caught-up']);
    expect(changes.find(({ change }) => change === 'caught-up')!.skippedForTime).toBe(controller.totals.skippedForTime);
  });

  test('an engine three times too slow settles where it keeps up, and stays there', () => {
    const controller = new BudgetController(targets);
    const { steps } = play(controller, 1200, 100, { fixedMs: 15, patchesMs: 285, skipMs: 1 });
    const settled = steps.slice(300);
    expect(settled.every(({ lagMs }) => lagMs <= targets.maxLatencyMs)).toBe(true);
    // It shows something of nearly every frame, and does not swing.
    expect(settled.filter(({ most }) => most === 'skip').length).toBeLessThan(0.02 * settled.length);
    expect(turns(settled.map(({ pressure }) => pressure))).toBeLessThanOrEqual(6);
    expect(settled.at(-1)!.patchRatio).toBeGreaterThan(0.1);
  });

  test('a load that jumps at a threshold does not make it oscillate: it probes ever more rarely', () => {
    const controller = new BudgetController(targets);
    // Below a pressure of 0.5 a frame needs everything, above it next to nothing: there is no point in between.
    const { steps } = play(controller, 20_000, 100, { fixedMs: 5, patchesMs: 600, skipMs: 1, needs: (_, pressure) => (pressure < 0.5 ? 1 : 0.02) });
    const swings = (from: number, to: number) => turns(steps.slice(from, to).map(({ pressure }) => pressure));
    expect(swings(0, 5000)).toBeLessThanOrEqual(60);
    expect(swings(15_000, 20_000)).toBeLessThanOrEqual(16);
    expect(steps.slice(1000).every(({ lagMs }) => lagMs <= targets.maxLatencyMs)).toBe(true);
  });

  test('an engine that cannot keep up with any part of every frame skips some, and stays in time with the others', () => {
    const controller = new BudgetController(targets);
    const { steps } = play(controller, 600, 100, { fixedMs: 180, patchesMs: 60, skipMs: 1 });
    expect(steps.every(({ lagMs }) => lagMs <= targets.maxLatencyMs + 240)).toBe(true);
    const seen = steps.slice(100).filter(({ most }) => most === 'full').length / 500;
    expect(seen).toBeGreaterThan(0.3);
    expect(seen).toBeLessThan(0.6);
  });

  test('pressure goes when the load goes', () => {
    const controller = new BudgetController(targets);
    const { steps } = play(controller, 3000, 100, { fixedMs: 10, patchesMs: 200, skipMs: 1, needs: (frame) => (frame < 500 ? 1 : 0.02) });
    expect(steps[499]!.pressure).toBeGreaterThan(0.1);
    expect(steps.at(-1)).toMatchObject({ pressure: 0, most: 'full' });
  });

  test('one dear frame may use up what latency is left, and no more', () => {
    const controller = new BudgetController(targets);
    const { steps } = play(controller, 200, 100, { fixedMs: 10, patchesMs: 2000, skipMs: 1, needs: (frame) => (frame % 50 === 0 ? 1 : 0.01) });
    const cut = steps[100]!;
    expect(cut.most).toBe('full');
    expect(cut.patchRatio).toBeGreaterThan(0.15);
    expect(10 + 2000 * cut.patchRatio).toBeLessThan(1.3 * targets.maxLatencyMs);
  });

  test('whatever the engine does, a feasible latency is met again within the stated time', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(seed);
      const intervalMs = random.int(40, 1000);
      const maxLatencyMs = intervalMs * (2 + 4 * random.next());
      const controller = new BudgetController({ maxLatencyMs, catchUpSec: 4 });
      const fixedMs = 0.3 * intervalMs * random.next();
      const engine: Engine = {
        fixedMs,
        patchesMs: intervalMs * 4 * random.next(),
        skipMs: 0.02 * intervalMs,
        needs: () => random.next() ** 2,
        away: (frame) => (frame > 20 && frame < 200 && random.next() < 0.02 ? random.next() * 8000 : 0),
      };
      const { steps } = play(controller, 400, intervalMs, engine);
      const quiet = steps.filter(({ startMs }) => startMs > steps[200]!.startMs + 2 * 4000);
      const late = quiet.filter(({ lagMs }) => lagMs > maxLatencyMs + engine.fixedMs + engine.patchesMs / 16);
      expect({ seed, late: late.length / Math.max(1, quiet.length) }).toEqual({ seed, late: 0 });
      expect(steps.every(({ patchRatio, pressure, memoryPressure }) => patchRatio > 0 && patchRatio <= 1 && pressure >= 0 && pressure <= 1 && memoryPressure >= 0 && memoryPressure <= 1)).toBe(true);
    }
  });

  test('a full memory, and answers that begin late, press on the memory alone', () => {
    const controller = new BudgetController(targets);
    const frame = (memoryFill: number, index: number) => {
      const allowance = controller.allow({ nowMs: index * 100, lagMs: 0, intervalMs: 100 });
      controller.spent({ ms: 10, patchRatio: 1, wasSkipped: false, memoryFill });
      return allowance;
    };
    for (let i = 0; i < 20; i++) frame(0.95, i);
    expect(frame(0.8, 20)).toMatchObject({ pressure: 0, memoryPressure: expect.closeTo(0.4, 5) as number });
    for (let i = 21; i < 200; i++) frame(0.5, i);
    expect(frame(0.5, 200).memoryPressure).toBe(0);
    controller.answered(450);
    expect(frame(0.5, 201).memoryPressure).toBeGreaterThan(0.15);
  });
});

/** Changes of direction. */
function turns(values: readonly number[]): number {
  const signs = values.slice(1).map((value, i) => Math.sign(value - values[i]!)).filter((sign) => sign !== 0);
  return signs.filter((sign, i) => i > 0 && sign !== signs[i - 1]).length;
}

describe('the clock of a stream', () => {
  test('the soonest frame is on time, the others are as late as they came after it', () => {
    const clock = new StreamClock();
    expect([[5000, 0], [5900, 1], [7400, 2], [7950, 3]].map(([now, sec]) => clock.arrive(now!, sec!))).toEqual([0, 0, 500, 50]);
    expect(clock.intervalMs).toBe(1000);
  });

  test('a stream played faster has shorter intervals; a reconnected one starts anew', () => {
    const clock = new StreamClock(4);
    expect(clock.arrive(0, 0)).toBe(0);
    expect(clock.arrive(350, 1)).toBe(100);
    expect(clock.intervalMs).toBe(250);
    clock.restart();
    expect(clock.arrive(90_000, 2)).toBe(0);
  });

  test('a clock that drifts is followed', () => {
    const clock = new StreamClock();
    let late = 0;
    // One part in a thousand slow: a second in a thousand.
    for (let i = 0; i < 3000; i++) late = clock.arrive(i * 1001, i);
    expect(late).toBeLessThan(150);
  });
});
