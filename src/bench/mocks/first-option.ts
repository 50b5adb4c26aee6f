// Mock: always the first option (or Yes, or the first answer of the suite in alphabetical order). Must score chance.
import { truthOf, type BenchQuestion } from '../question.ts';
import { mockCandidate } from '../mock.ts';

export default mockCandidate({
  name: 'first-option',
  summary: 'mock: always the first option, for checking a suite',
  source: 'none: a check of the benchmark itself',
  answer: (asked, truth, all) => {
    switch (asked.kind) {
      case 'choice':
        return 'A';
      case 'yes-no':
      case 'poll':
        return 'Yes';
      case 'open':
      case 'count':
      case 'caption':
        return first(all, asked.kind);
      case 'proactive':
        return truthOf(truth);
    }
  },
});

function first(all: ReadonlyMap<string, BenchQuestion>, kind: BenchQuestion['kind']): string {
  return [...all.values()]
    .filter((question) => question.kind === kind)
    .map(truthOf)
    .sort()[0]!;
}
