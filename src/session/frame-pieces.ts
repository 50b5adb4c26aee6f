// A frame as pieces for the decoder: its visual tokens between the text of the prompt, each at the position that it has when none is left out.
import type { Piece } from '../language/decoder.ts';
import type { TokenOrigin } from '../memory/contract.ts';
import type { SeenFrame } from '../vision/stage.ts';

export interface FrameText {
  /** Ids of the text before and after the visual tokens. */
  readonly before: Int32Array;
  readonly after: Int32Array;
}

/**
 * One piece for each run of neighbouring places. Tokens that vision left out leave gaps in the positions: the places of the others are known to the
 * model by nothing else. A frame without tokens is not shown: text around nothing
 * says nothing.
 * @param tokensPerFrame visual tokens of a frame of which nothing is left out
 * @param of number and time of the frame
 */
export function framePieces({ tokens, places, counts }: SeenFrame, { before, after }: FrameText, tokensPerFrame: number, of: Pick<TokenOrigin, 'source' | 'timeSec'>): Piece[] {
  if (places.length === 0) return [];
  const pieces: Piece[] = [{ kind: 'ids', ids: before, origin: { ...of, kind: 'wrap' } }];
  const width = tokens.length / places.length;
  let next = 0;
  for (let from = 0; from < places.length; ) {
    let to = from + 1;
    while (to < places.length && places[to] === places[to - 1]! + 1) to++;
    const firstPlace = places[from]!;
    pieces.push({
      kind: 'embeddings',
      data: tokens.subarray(from * width, to * width),
      origin: { ...of, kind: 'visual', firstPlace, gap: firstPlace - next, ...(counts && { tokens: counts.subarray(from, to) }) },
    });
    next = places[to - 1]! + 1;
    from = to;
  }
  pieces.push({ kind: 'ids', ids: after, origin: { ...of, kind: 'wrap', gap: tokensPerFrame - next } });
  return pieces;
}
