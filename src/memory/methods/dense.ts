// dense: everything stays. What every other method is measured against.
import { z } from 'zod';
import { defineMemoryMethod } from '../method.ts';

export default defineMemoryMethod({
  summary: 'keeps every token; ends with an error when the memory or the context is full',
  source: 'plain KV cache; no paper',
  options: z.strictObject({}),
  needs: [],
  scope: 'stream',
  positions: 'stream',
  scoreBias: 'none',
  open: () => ({}),
});
