// A session's totals in a few lines for people.
import type { Answer, SessionSummary } from '../index.ts';
import { bytes, clock, counted, milliseconds, rate, thousands } from './format.ts';

export function summaryText({ frames, dropped, paths, budget, mediaSec, wallSec, framesPerSec, meanMs, memory, peakLiveBytes }: SessionSummary): string {
  const stages = [
    ['gate', meanMs.gateMs],
    ['decode', meanMs.decodeMs],
    ['preprocess', meanMs.preprocessMs],
    ['vision', meanMs.visionMs],
    ['prefill', meanMs.prefillMs],
    ['waiting', meanMs.waitMs],
  ] as const;
  const rows = [
    `watched  ${counted(frames, 'frame')}, ${clock(mediaSec)} of video in ${milliseconds(wallSec * 1000)} (${rate(framesPerSec, framesPerSec.toFixed(1))})${dropped > 0 ? `, ${thousands(dropped)} dropped` : ''}`,
    `a frame  ${stages.map(([name, ms]) => `${name} ${milliseconds(ms)}`).join(', ')}`,
  ];
  if (paths.cheap + paths.skip > 0) rows.splice(1, 0, `looked   ${thousands(paths.full)} frames whole, ${thousands(paths.cheap)} in part, ${thousands(paths.skip)} skipped${budget && budget.skippedForTime > 0 ? ` (${thousands(budget.skippedForTime)} for want of time)` : ''}`);
  if (memory) rows.push(`memory   ${bytes(memory.liveBytes)} live (peak ${bytes(peakLiveBytes)}, cap ${bytes(memory.capBytes)}), ${counted(memory.longestHead, 'slot')} a head, ${counted(memory.tokensSeen, 'token')} seen`);
  return rows.join('\n');
}

export function answerText({ tokens, finish, timings }: Answer): string {
  return `${counted(tokens, 'token')}, first after ${milliseconds(timings.firstTokenMs)}, ${milliseconds(timings.decodeTokenMs)} a token${finish === 'length' ? ', cut at --max-tokens' : ''}`;
}
