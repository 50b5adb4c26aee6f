// MSRVTT-QA: short questions about MSR-VTT clips, one word expected.
import { loadQa } from '../formats/msrvtt.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'short questions about the MSR-VTT test clips, one-word answers',
  source: 'MSRVTT-QA (Xu et al., ACM MM 2017): test_qa.json of the dataset',
  metric: 'accuracy',
  files: { annotations: { names: ['test_qa.json', 'MSRVTT_QA_test.json', 'msrvtt_qa_test.json', 'test_qa.csv'], what: 'rows of video, question and answer' } },
  obtain: 'the MSR-VTT dataset page (videos/video7010.mp4 … video9999.mp4)',
  load: async ({ annotations }) => ({ videos: await loadQa(annotations!), notes: [] }),
} satisfies Suite;
