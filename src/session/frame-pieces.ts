// A frame as pieces for the decoder: its visual tokens between the text of the prompt, each at the position that it has when none is left out.
import type { Piece } from '../language/decoder.ts';
import type { TokenOrigin } from '../memory/contract.ts';
import type { SeenFrame } from '../vision/stage.ts';

export interface FrameText {
  /** Ids of the text before and after the visual tokens. */
  readonly before: Int32Array;
  readonly after: Int32Array;
}

const minChunkTokens = 128;
const maxWrapTokens = 32;

/** Tokens of a session's largest chunk: a frame with the text around it is one, so that it enters the memory whole or not at all. */
export function chunkTokensFor({ tokensPerFrame }: { readonly tokensPerFrame: number }): number {
  return Math.max(minChunkTokens, tokensPerFrame + maxWrapTokens);
}

type Visual = Pick<SeenFrame, 'tokens' | 'places' | 'counts'>;
type Origin = Pick<TokenOrigin, 'source' | 'timeSec'>;

/**
 * One piece for each run of neighbouring places. Tokens that vision left out leave gaps in the positions: the places of the others are known to the
 * model by nothing else. A frame without tokens is not shown, and leaves a gap as a whole: text around nothing says nothing, and would soon be most of
 * what the memory holds.
 * @param tokensPerFrame visual tokens of a frame of which nothing is left out
 * @param of number and time of the frame, and the gap that frames before it left
 */
export function framePieces(visual: Visual, { before, after }: FrameText, tokensPerFrame: number, { gap, ...of }: Origin & Pick<TokenOrigin, 'gap'>): Piece[] {
  if (visual.places.length === 0) return [];
  const { pieces, end } = visualPieces(visual, 0, of);
  return [{ kind: 'ids', ids: before, origin: { ...of, kind: 'wrap', ...(gap && { gap }) } }, ...pieces, { kind: 'ids', ids: after, origin: { ...of, kind: 'wrap', gap: tokensPerFrame - end } }];
}

/**
 * Visual tokens alone, at their positions within a frame.
 * @param start where the frame's first token stands, from the position of the next token on; below 0 for a frame that has gone in
 * @returns also where the last of them ends, counted the same way
 */
export function visualPieces({ tokens, places, counts }: Visual, start: number, of: Origin): { readonly pieces: readonly Piece[]; readonly end: number } {
  const pieces: Piece[] = [];
  const width = tokens.length / places.length;
  let end = 0;
  for (let from = 0; from < places.length; ) {
    let to = from + 1;
    while (to < places.length && places[to] === places[to - 1]! + 1) to++;
    const firstPlace = places[from]!;
    pieces.push({
      kind: 'embeddings',
      data: tokens.subarray(from * width, to * width),
      origin: { ...of, kind: 'visual', firstPlace, gap: start + firstPlace - end, ...(counts && { tokens: counts.subarray(from, to) }) },
    });
    end = start + places[to - 1]! + 1;
    from = to;
  }
  return { pieces, end };
}

/** Positions that a frame takes, shown or not. */
export function frameSpan({ before, after }: FrameText, tokensPerFrame: number): number {
  return before.length + tokensPerFrame + after.length;
}
