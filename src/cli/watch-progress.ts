// The progress line of a stream that is being watched.
import type { SessionEvent } from '../index.ts';
import { describeSourceEvent } from '../source/open-source.ts';
import { bytes, clock, counted, milliseconds } from './format.ts';
import type { Output } from './output.ts';

/** A listener that keeps the progress line, and prints what happens to the source. */
export function watchProgress(out: Output): (event: SessionEvent) => void {
  const startMs = performance.now();
  let frames = 0;
  return (event) => {
    switch (event.kind) {
      case 'frame': {
        frames++;
        const perSec = frames / ((performance.now() - startMs) / 1000);
        const { gateMs, preprocessMs, visionMs, prefillMs } = event.timings;
        out.progress(`${clock(event.timeSec)} · frame ${event.index} · ${milliseconds(gateMs + preprocessMs + visionMs + prefillMs)} a frame · ${perSec.toFixed(1)} frames/s · memory ${bytes(event.memory.liveBytes)}`);
        break;
      }
      case 'question':
        out.progress('thinking');
        break;
      case 'source':
        printSourceEvent(out, event);
        break;
      case 'budget':
        printBudgetEvent(out, event);
        break;
      case 'opened':
      case 'saved':
      case 'text':
      case 'answer':
      case 'ended':
        break;
    }
  };
}

/** Prints what the budget did. People are told when a stream falls behind and has caught up; moving thresholds are for programs. */
export function printBudgetEvent(out: Output, event: Extract<SessionEvent, { readonly kind: 'budget' }>): void {
  const { change, lagMs, skippedForTime } = event;
  const text = { behind: `[${milliseconds(lagMs)} behind: computing less]`, 'caught-up': `[caught up; ${counted(skippedForTime, 'frame')} not looked at]`, pressure: undefined }[change];
  out.data(event, text);
}

/** Prints what happens to the source. People are spared the single dropped frames: the summary counts them. */
export function printSourceEvent(out: Output, event: Extract<SessionEvent, { readonly kind: 'source' }>): void {
  out.data(event, event.event.kind === 'dropped' ? undefined : `[${describeSourceEvent(event.event)}]`);
}

/** Prints what became of the session's file. */
export function printSaving(out: Output, event: SessionEvent): void {
  if (event.kind === 'opened' && event.resumedSec !== undefined) out.data(event, `[going on from ${clock(Math.max(0, event.resumedSec))} of the saved session]`);
  if (event.kind === 'saved') out.data(event, event.error === undefined ? undefined : `[the session could not be saved: ${event.error}]`);
}
