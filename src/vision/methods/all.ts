// Every patch of every frame, every visual token: the dense encoder.
import { z } from 'zod';
import { defineVisionMethod } from '../method.ts';

export default defineVisionMethod({
  summary: 'computes every patch of every frame and passes every visual token on',
  source: 'the dense encoder that the others are measured against',
  options: z.strictObject({}),
  needs: [],
  open: () => ({}),
});
