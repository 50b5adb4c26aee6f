// OVO-Bench: what a model knows at a moment of the stream, looking back, now, and ahead.
import { loadOvoBench } from '../formats/ovo-bench.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'twelve tasks at given moments: backward tracing, real-time perception, forward responding',
  source: 'OVO-Bench, arXiv 2501.05510: ovo_bench_new.json of the OVO-Bench dataset',
  metric: 'accuracy',
  files: { annotations: { names: ['ovo_bench_new.json', 'ovo_bench.json', 'ovbench.json'], what: 'items of the twelve tasks' } },
  obtain: 'the OVO-Bench dataset page (src_videos)',
  load: async ({ annotations }) => ({ videos: await loadOvoBench(annotations!), notes: [] }),
} satisfies Suite;
