// A question as pieces for the decoder, and how a checkpoint wants its answer written.
import { ModelError } from '../core/errors.ts';
import type { Piece } from '../language/decoder.ts';
import type { SamplingOptions } from '../language/sampler.ts';
import type { GenerationDefaults, PromptPart } from '../models/contract.ts';

/**
 * @param newline float32 [E]: the learned newline embedding, of checkpoints that have one
 * @param gap positions between what stands before the question and its first token
 */
export function questionPieces(parts: readonly PromptPart[], newline: Float32Array | undefined, common: Piece['origin'], gap: number): Piece[] {
  return parts.map((part, i): Piece => {
    const origin = { ...common, ...(i === 0 && gap !== 0 && { gap }) };
    switch (part.kind) {
      case 'text':
        return { kind: 'ids', ids: part.ids, origin };
      case 'newline':
        if (!newline) throw new ModelError('NO_NEWLINE', { what: 'the prompt wants a newline embedding that the checkpoint does not have' });
        return { kind: 'embeddings', data: newline, origin };
      case 'frame':
        throw new ModelError('FRAME_IN_QUESTION', { what: 'the prompt of a question holds a frame', expected: 'text alone: frames go in as they come' });
      default:
        return part satisfies never;
    }
  });
}

/** How the checkpoint wants its text written: by its `generation_config.json`, greedy unless that says to sample. */
export function checkpointSampling({ sample, temperature = 1, topP, topK, repetitionPenalty }: GenerationDefaults): SamplingOptions {
  return {
    ...(sample && { temperature, ...(topP !== undefined && { topP }), ...(topK !== undefined && { topK }) }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
  };
}

/** @param width of an embedding */
export function tokensOf(pieces: readonly Piece[], width: number): number {
  return pieces.reduce((sum, piece) => sum + (piece.kind === 'ids' ? piece.ids.length : piece.data.length / width), 0);
}
