// Controls: the same candidate blind, and with one frame only. What they score, a benchmark does not measure of watching.
import type { Candidate, CandidateSession } from './contract.ts';

/** Question only: the candidate never sees a frame. */
export function asBlind(candidate: Candidate): Candidate {
  return control(candidate, 'blind', () => () => Promise.resolve());
}

/** The first frame of the video only. */
export function asOneFrame(candidate: Candidate): Candidate {
  return control(candidate, 'one-frame', (session) => {
    let hasLooked = false;
    return async (_timeSec, signal) => {
      if (hasLooked) return;
      hasLooked = true;
      await session.advanceTo(0, signal);
    };
  });
}

function control(
  candidate: Candidate,
  what: NonNullable<Candidate['control']>,
  advance: (session: CandidateSession) => CandidateSession['advanceTo'],
): Candidate {
  return {
    ...candidate,
    control: what,
    name: `${candidate.name}-${what}`,
    method: `${candidate.method}-${what}`,
    summary: `${candidate.summary} (control: ${what})`,
    // Only the questions cost anything.
    ...(candidate.estimateMs === undefined ? {} : { estimateMs: (work) => candidate.estimateMs!({ ...work, streamSec: 0 }) }),
    ...(candidate.withTruth === undefined ? {} : { withTruth: (questions) => control(candidate.withTruth!(questions), what, advance) }),
    open: async (videoPath, options) => {
      const session = await candidate.open(videoPath, options);
      return {
        advanceTo: advance(session),
        ask: (question) => session.ask(question),
        stats: () => session.stats(),
        close: () => session.close(),
      };
    },
  };
}
