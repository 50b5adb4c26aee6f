// A session's totals in a few lines for people.
import type { Answer, SessionSummary } from '../session/contract.ts';
import { bytes, clock, milliseconds, thousands } from './format.ts';

export function summaryText({ frames, dropped, mediaSec, wallSec, framesPerSec, meanMs, memory, peakLiveBytes }: SessionSummary): string {
  const stages = [
    ['decode', meanMs.decodeMs],
    ['preprocess', meanMs.preprocessMs],
    ['vision', meanMs.visionMs],
    ['prefill', meanMs.prefillMs],
    ['waiting', meanMs.waitMs],
  ] as const;
  const rows = [
    `watched  ${thousands(frames)} frames, ${clock(mediaSec)} of video in ${milliseconds(wallSec * 1000)} (${framesPerSec.toFixed(1)} frames/s)${dropped > 0 ? `, ${thousands(dropped)} dropped` : ''}`,
    `a frame  ${stages.map(([name, ms]) => `${name} ${milliseconds(ms)}`).join(', ')}`,
  ];
  if (memory) rows.push(`memory   ${bytes(memory.liveBytes)} live (peak ${bytes(peakLiveBytes)}, cap ${bytes(memory.capBytes)}), ${thousands(memory.longestHead)} slots a head, ${thousands(memory.tokensSeen)} tokens seen`);
  return rows.join('\n');
}

export function answerText({ tokens, finish, timings }: Answer): string {
  return `${tokens} tokens, first after ${milliseconds(timings.firstTokenMs)}, ${milliseconds(timings.decodeTokenMs)} a token${finish === 'length' ? ', cut at --max-tokens' : ''}`;
}
