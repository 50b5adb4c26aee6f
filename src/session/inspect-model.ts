// A model described without loading its weights.
import { openCheckpoint } from '../models/checkpoint.ts';
import { describeCheckpoint, type CheckpointDescription } from '../models/describe.ts';
import { findModel } from './model-folder.ts';

/**
 * Describes a checkpoint: family, shapes, sizes, and what a frame costs. Every tensor's name, type and shape is checked; none is read.
 * @param options `bytesPerValue` of the memory (4: float32) and `framesPerSec` for the bytes of a minute
 * @throws ModelError when the checkpoint is missing, damaged or of an unsupported family
 */
export async function inspectModel(model: string, options: { readonly bytesPerValue?: number; readonly framesPerSec?: number } = {}): Promise<CheckpointDescription> {
  return describeCheckpoint(await openCheckpoint(await findModel(model)), options);
}
