// StreamingBench: real-time, sequential and proactive questions.
import { loadProactive, loadRealTime, loadSequential } from '../formats/streamingbench.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'real-time, sequential and proactive questions over 900 videos',
  source: 'StreamingBench, arXiv 2411.03628: questions_real.json, questions_sqa.json, questions_proactive.json of the dataset',
  metric: 'accuracy',
  files: {
    real: { names: ['questions_real.json'], what: 'real-time questions', isOptional: true },
    sqa: { names: ['questions_sqa.json'], what: 'sequential questions', isOptional: true },
    proactive: { names: ['questions_proactive.json'], what: 'proactive output', isOptional: true },
  },
  obtain: 'the StreamingBench dataset page (sample_<n>_real.mp4, …_sqa.mp4, …_proactive.mp4)',
  load: async ({ real, sqa, proactive }) => {
    const waiting = proactive === undefined ? { videos: [], notes: [] } : await loadProactive(proactive);
    const videos = [...(real === undefined ? [] : await loadRealTime(real)), ...(sqa === undefined ? [] : await loadSequential(sqa)), ...waiting.videos];
    return { videos, notes: waiting.notes };
  },
} satisfies Suite;
