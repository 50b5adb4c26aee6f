// Every frame goes the full path: no gate at all.
import { z } from 'zod';
import { defineGateMethod } from '../method.ts';

export default defineGateMethod({
  summary: 'lets every frame through',
  source: 'no gate; what the others are measured against',
  options: z.strictObject({}),
  open: () => ({ decide: ({ difference }) => ({ path: 'full', reason: 'every', score: difference.peak }) }),
});
