// The encoder of a golden checkpoint with random weights, opened for a test file.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import type { ImageSpec, VisionSpec } from '../models/contract.ts';
import { openWeights } from '../models/packed/open.ts';
import { openVisionEncoder, type VisionEncoder, type VisionEncoderOptions } from './encoder.ts';

export interface TinyEncoder extends AsyncDisposable {
  readonly encoder: VisionEncoder;
  readonly image: ImageSpec;
  readonly spec: VisionSpec;
}

/** Weights are packed into a temporary folder, which goes with the encoder. */
export async function openTinyEncoder(name: 'smolvlm-tiny' | 'llava-onevision-tiny', options: Partial<VisionEncoderOptions> = {}): Promise<TinyEncoder> {
  await using resources = new AsyncDisposableStack();
  const cache = resources.adopt(await mkdtemp(join(tmpdir(), 'thalweg-encoder-')), (folder) => rm(folder, { recursive: true }));
  const checkpoint = await openCheckpoint(join(import.meta.dirname, '../../test/goldens/checkpoints', name));
  const weights = resources.use(await openWeights(checkpoint, 'float32', cache));
  const { spec, projector, image } = checkpoint.vision!;
  const encoder = resources.use(await openVisionEncoder({ spec, projector }, weights.vision!, { threads: 1, ...options }));
  const opened = resources.move();
  return { encoder, image, spec, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
