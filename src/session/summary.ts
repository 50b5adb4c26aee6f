// Running totals of a session.
import type { FrameReport, FrameTimings, MemoryReport, SessionSummary } from './contract.ts';

export interface SummaryCounter {
  frame(report: FrameReport): void;
  answer(memory: MemoryReport): void;
  read(dropped: number): SessionSummary;
}

export function createSummary(): SummaryCounter {
  const startMs = performance.now();
  const sums = { decodeMs: 0, waitMs: 0, preprocessMs: 0, visionMs: 0, prefillMs: 0, runtimeMs: 0 };
  const stages = Object.keys(sums) as (keyof FrameTimings)[];
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
      lastSec = report.timeSec;
      for (const stage of stages) sums[stage] += report.timings[stage];
      see(report.memory);
    },
    answer(report) {
      answers++;
      see(report);
    },
    read(dropped) {
      const wallSec = (performance.now() - startMs) / 1000;
      const meanMs = Object.fromEntries(stages.map((stage) => [stage, frames ? sums[stage] / frames : 0])) as unknown as FrameTimings;
      return { frames, dropped, answers, mediaSec: lastSec - firstSec, wallSec, framesPerSec: frames / wallSec, meanMs, memory, peakLiveBytes };
    },
  };
}
