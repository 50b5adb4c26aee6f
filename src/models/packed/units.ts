// Parts of a pack's manifest, by unit.
import type { PackedDecoder, PackedVision } from './contract.ts';

export type VisionStart = Pick<PackedVision, 'patch' | 'positions'>;
export type VisionLayer = PackedVision['layers'][number];
export type VisionEnd = Pick<PackedVision, 'finalNorm' | 'projector'>;
export type DecoderLayer = PackedDecoder['layers'][number];
export type DecoderEnd = Pick<PackedDecoder, 'finalNorm' | 'head'>;
