// Mock candidates: they look at nothing and cost nothing, so that the benchmark itself can be checked end to end.
import { UserError } from '../core/errors.ts';
import { loadMethods, type MethodInfo } from '../core/methods.ts';
import type { Candidate, CandidateQuestion, CandidateSession } from './contract.ts';
import type { BenchQuestion } from './question.ts';

/** What a mock writes, given the question, its truth, and all questions of the suite. */
type MockAnswer = (asked: CandidateQuestion, truth: BenchQuestion, all: ReadonlyMap<string, BenchQuestion>) => string;

export function mockCandidate(mock: MethodInfo & { readonly name: string; readonly answer: MockAnswer }): Candidate & MethodInfo {
  return build(mock, undefined);
}

/** The mocks of `mocks/`, by name. */
export function loadMocks(): Promise<ReadonlyMap<string, Candidate & MethodInfo>> {
  return loadMethods<Candidate & MethodInfo>(new URL('./mocks/', import.meta.url));
}

function build(
  mock: MethodInfo & { readonly name: string; readonly answer: MockAnswer },
  questions: ReadonlyMap<string, BenchQuestion> | undefined,
): Candidate & MethodInfo {
  return {
    name: mock.name,
    model: 'mock',
    method: mock.name,
    summary: mock.summary,
    source: mock.source,
    isMock: true,
    withTruth: (truth) => build(mock, truth),
    estimateMs: () => 0,
    open: () => Promise.resolve(openMock(mock.answer, questions)),
  };
}

function openMock(answer: MockAnswer, questions: ReadonlyMap<string, BenchQuestion> | undefined): CandidateSession {
  return {
    advanceTo: () => Promise.resolve(),
    ask: (asked) => {
      const truth = questions?.get(asked.id);
      if (questions === undefined || truth === undefined)
        throw new UserError('MOCK_WITHOUT_TRUTH', {
          what: `a mock was asked question ${asked.id}, whose answer it was not told`,
          todo: 'open it through withTruth',
        });
      return Promise.resolve({ text: answer(asked, truth, questions), firstTokenMs: 0, totalMs: 0, kvBytes: 0, visualTokens: 0, generatedTokens: 0, tokensSeen: 0, meanSlots: 0, slotsRead: 0 });
    },
    stats: () => ({ frames: 0, keptFrames: 0, visualTokens: 0, offeredTokens: 0, patchLayers: 0, flops: 0, peakKvBytes: 0, streamMs: 0, answerMs: 0, queue: { longest: 0, atEnd: 0 }, peakRssBytes: 0 }),
    close: () => Promise.resolve(),
  };
}
