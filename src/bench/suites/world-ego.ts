// The synthetic world in EgoSchema's format, through the same loader.
import egoschema from './egoschema.ts';
import { generateWorldSuite } from '../world-suite.ts';
import type { Suite } from '../suite.ts';

export default {
  ...egoschema,
  summary: 'five options about walks through the synthetic world',
  source: 'EgoSchema’s format and protocol, on clips generated from a seed',
  obtain: 'nowhere: they are generated; name no folder, or the folder of a generated suite',
  generate: (request) => generateWorldSuite('world-ego', request),
} satisfies Suite;
