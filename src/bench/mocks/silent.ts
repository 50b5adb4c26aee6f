// Mock: answers nothing. Every question must come out unscored.
import { mockCandidate } from '../mock.ts';

export default mockCandidate({
  name: 'silent',
  summary: 'mock: answers nothing, for checking a suite',
  source: 'none: a check of the benchmark itself',
  answer: () => '',
});
