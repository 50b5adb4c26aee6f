// The synthetic world in StreamBench's format, through the same loader.
import streambench from './streambench.ts';
import { generateWorldSuite } from '../world-suite.ts';
import type { Suite } from '../suite.ts';

export default {
  ...streambench,
  summary: 'questions in mid-stream about the synthetic world, exact answers',
  source: 'StreamBench’s format and protocol, on clips generated from a seed',
  obtain: 'nowhere: they are generated; name no folder, or the folder of a generated suite',
  // Answers are balanced: what can be guessed without seeing has to be known beside what was seen.
  needsControls: true,
  generate: (request) => generateWorldSuite('world-stream', request),
} satisfies Suite;
