// Mock: answers every question from the truth. Every suite must give it full marks.
import { truthOf } from '../question.ts';
import { mockCandidate } from '../mock.ts';

export default mockCandidate({
  name: 'oracle',
  summary: 'mock: answers from the truth, for checking a suite',
  source: 'none: a check of the benchmark itself',
  answer: (asked, truth) => {
    if (asked.kind === 'poll') return truth.kind === 'proactive' && asked.timeSec !== 'end' && asked.timeSec >= truth.dueSec ? 'Yes' : 'No';
    return truthOf(truth);
  },
});
