// The synthetic world in MSR-VTT's format, through the same loader.
import msrvttCaption from './msrvtt-caption.ts';
import { generateWorldSuite } from '../world-suite.ts';
import type { Suite } from '../suite.ts';

export default {
  ...msrvttCaption,
  summary: 'one caption a clip of the synthetic world, twenty references each',
  source: 'MSR-VTT’s format and metrics, on clips generated from a seed',
  obtain: 'nowhere: they are generated; name no folder, or the folder of a generated suite',
  generate: (request) => generateWorldSuite('world-caption', request),
} satisfies Suite;
