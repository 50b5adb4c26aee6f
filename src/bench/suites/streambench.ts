// StreamBench: questions asked in mid-stream, with the dialogue so far.
import { loadStreamBench } from '../formats/streambench.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'questions in mid-stream over 306 videos, six classes, judged for meaning',
  source: 'StreamBench of StreamChat, arXiv 2501.13468: the dataset page of hmxiong/StreamChat',
  metric: 'accuracy',
  files: {
    annotations: { names: ['streambench.json', 'StreamBench.json', 'StreamBench_v0.3.json', 'annotations.json'], what: 'videos with their breakpoints' },
  },
  obtain: 'the StreamBench page of the StreamChat project (videos of EgoSchema, YouTube and films, by their own terms)',
  load: async ({ annotations }) => ({ videos: await loadStreamBench(annotations!), notes: [] }),
} satisfies Suite;
