// The name of a pack: a hash of all that its bytes depend on.
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import type { Checkpoint } from '../contract.ts';
import type { Precision } from './contract.ts';
import { weightsOf } from './roles.ts';

/** Rises when packs of the same checkpoint and precision come out different. */
const formatVersion = 3;

/** Names the pack of a checkpoint: sizes and times of its files, places and types of its tensors, its sizes, the precision and the format. */
export async function packName(checkpoint: Checkpoint, precision: Precision): Promise<string> {
  const weights = weightsOf(checkpoint);
  const files = await Promise.all(
    [...new Set(weights.map(({ file }) => file))].sort().map(async (file) => {
      const real = await realpath(file);
      const { size, mtimeMs } = await stat(real);
      return { real, size, mtimeMs };
    }),
  );
  const { vision, decoder, family, adapter } = checkpoint;
  const tensors = weights.map(({ name, shape, dtype, offsetBytes }) => [name, shape, dtype, offsetBytes]);
  const described = JSON.stringify({ formatVersion, precision, family, files, tensors, vision: vision && [vision.spec, vision.projector], decoder: decoder.spec, adapter: adapter?.decisions.kind === 'dmc' ? adapter.decisions : undefined });
  return `${family}-${precision}-${createHash('sha256').update(described).digest('hex').slice(0, 20)}`;
}
