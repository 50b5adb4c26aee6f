// MSR-VTT captioning: one sentence a clip, against twenty by people.
import { loadCaptions } from '../formats/msrvtt.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'one caption a clip over the 2,990 test clips, CIDEr first',
  source: 'MSR-VTT, CVPR 2016: test_videodatainfo.json of the MSR-VTT dataset',
  metric: 'ciderD',
  files: { annotations: { names: ['test_videodatainfo.json', 'MSRVTT_data.json', 'videodatainfo_2017.json', 'captions.json'], what: 'clips and sentences' } },
  obtain: 'the MSR-VTT dataset page (videos/video7010.mp4 … video9999.mp4)',
  load: async ({ annotations }) => ({ videos: await loadCaptions(annotations!), notes: [] }),
} satisfies Suite;
