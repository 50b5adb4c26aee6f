// Running totals of a session.
import type { BudgetTotals } from './budget-controller.ts';
import type { FrameReport, FrameTimings, MemoryReport, SessionSummary } from './contract.ts';

export interface SummaryCounter {
  frame(report: FrameReport): void;
  answer(memory: MemoryReport): void;
  read(dropped: number, budget: BudgetTotals | undefined): SessionSummary;
}

export function createSummary(): SummaryCounter {
  const startMs = performance.now();
  const sums = { gateMs: 0, decodeMs: 0, waitMs: 0, preprocessMs: 0, visionMs: 0, prefillMs: 0, runtimeMs: 0 };
  const stages = Object.keys(sums) as (keyof FrameTimings)[];
  const paths = { full: 0, cheap: 0, skip: 0 };
  let frames = 0;
  let answers = 0;
  let firstSec = 0;
  let lastSec = 0;
  let peakLiveBytes = 0;
  let memory: MemoryReport | undefined;
  const see = (report: MemoryReport) => {
    memory = report;
    peakLiveBytes = Math.max(peakLiveBytes, report.liveBytes);
  };
  return {
    frame(report) {
      if (frames === 0) firstSec = report.timeSec;
      frames++;
      paths[report.gate.path]++;
      lastSec = report.timeSec;
      for (const stage of stages) sums[stage] += report.timings[stage];
      see(report.memory);
    },
    answer(report) {
      answers++;
      see(report);
    },
    read(dropped, budget) {
      const wallSec = (performance.now() - startMs) / 1000;
      const meanMs = Object.fromEntries(stages.map((stage) => [stage, frames ? sums[stage] / frames : 0])) as unknown as FrameTimings;
      return { frames, dropped, paths: { ...paths }, ...(budget && { budget }), answers, mediaSec: lastSec - firstSec, wallSec, framesPerSec: frames / wallSec, meanMs, memory, peakLiveBytes };
    },
  };
}
