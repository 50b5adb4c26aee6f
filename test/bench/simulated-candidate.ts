// A candidate with made-up costs and a made-up share of right answers, the same in every run: for tests of runner and report.
import { createRandom } from '../../src/core/random.ts';
import type { Candidate } from '../../src/bench/contract.ts';
import { truthOf, type BenchQuestion } from '../../src/bench/question.ts';

export interface Simulation {
  readonly method: string;
  /** Probability of a right answer at a budget (null without one). */
  readonly quality: (budget: number | null) => number;
  /** Live bytes at a time of the stream. */
  readonly kvBytes: (timeSec: number, budget: number | null) => number;
  readonly budgets?: readonly number[];
  /** Called at each question; may throw. */
  readonly onAsk?: (id: string) => void;
  readonly onAdvance?: (timeSec: number | 'end') => void;
}

const frameRate = 2;
const endSec = 60;

export function simulatedCandidate(simulation: Simulation, questions?: ReadonlyMap<string, BenchQuestion>): Candidate {
  const { method, quality, kvBytes, budgets, onAsk, onAdvance } = simulation;
  return {
    name: method,
    model: 'simulated-1b',
    method,
    summary: 'simulated',
    ...(budgets === undefined ? {} : { knob: { name: 'slots', kind: 'fixed' as const, values: budgets } }),
    resolved: { method },
    estimateMs: ({ streamSec, questions: count }) => streamSec * 10 + count * 5,
    withTruth: (truth) => simulatedCandidate(simulation, truth),
    picture: () =>
      Promise.resolve('data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9"><rect width="16" height="9" fill="%238aa"/></svg>'),
    open: (_path, { budget, seed, signal }) => {
      let now = 0;
      let answered = 0;
      const share = budget === null ? 1 : Math.min(1, budget / 1024);
      return Promise.resolve({
        advanceTo: (timeSec) => {
          signal.throwIfAborted();
          onAdvance?.(timeSec);
          const to = timeSec === 'end' ? endSec : timeSec;
          if (to < now) throw new Error(`time went back from ${now} to ${to}`);
          now = to;
          return Promise.resolve();
        },
        ask: ({ id, kind, timeSec }) => {
          onAsk?.(id);
          const question = questions?.get(id);
          if (question === undefined) throw new Error(`no truth for ${id}`);
          answered++;
          // The luck of a question is the same for every method, so that better methods are right on more of the same questions.
          const luck = createRandom(`${seed}/${id}`).next() * 0.9 + createRandom(`${seed}/${id}/${method}/${budget}`).next() * 0.1;
          const isRight = luck < quality(budget);
          const costs = {
            firstTokenMs: 20 + kvBytes(now, budget) / 1e6,
            totalMs: 60,
            kvBytes: kvBytes(now, budget),
            visualTokens: Math.round(share * now * 64),
            generatedTokens: 3,
            tokensSeen: now * 64,
            meanSlots: kvBytes(now, budget) / 6144,
            slotsRead: kvBytes(now, budget) / 6144,
          };
          return Promise.resolve({
            text:
              kind === 'poll'
                ? question.kind === 'proactive' && (timeSec as number) >= question.dueSec
                  ? 'yes'
                  : 'no'
                : isRight
                  ? truthOf(question)
                  : wrongAnswer(question),
            ...costs,
          });
        },
        stats: () => ({
          frames: now * frameRate,
          keptFrames: Math.round(now * frameRate * share),
          visualTokens: Math.round(now * 64 * share),
          offeredTokens: now * 64,
          patchLayers: Math.round(now * 12_288 * share),
          flops: Math.round(now * 1e9 * share),
          peakKvBytes: kvBytes(now, budget),
          streamMs: now * 12 * share,
          answerMs: answered * 60,
          queue: { longest: 1, atEnd: 0 },
          peakRssBytes: 900e6,
        }),
        close: () => Promise.resolve(),
      });
    },
  };
}

function wrongAnswer(question: BenchQuestion): string {
  switch (question.kind) {
    case 'choice':
      return `(${String.fromCharCode(65 + ((question.correct + 1) % question.options.length))})`;
    case 'yes-no':
      return question.answer ? 'No.' : 'Yes.';
    case 'count':
      return String(question.answer + 1);
    case 'caption':
      return 'a person sits on a chair in a room';
    case 'open':
    case 'proactive':
      return 'something else';
  }
}
