// A frame of which vision left some tokens out.
import { expect, test } from 'vitest';
import { framePieces, frameSpan, visualPieces } from './frame-pieces.ts';

const text = { before: Int32Array.of(7), after: Int32Array.of(8, 9) };
const of = { source: 3, timeSec: 1.5 };

test('tokens left out leave gaps before those that follow them, and before the text', () => {
  const seen = { tokens: Float32Array.of(1, 1, 2, 2, 5, 5), places: Int32Array.of(1, 2, 5), counts: Float32Array.of(1, 4, 2) };
  expect(framePieces(seen, text, 8, of)).toEqual([
    { kind: 'ids', ids: Int32Array.of(7), origin: { kind: 'wrap', source: 3, timeSec: 1.5 } },
    { kind: 'embeddings', data: Float32Array.of(1, 1, 2, 2), origin: { kind: 'visual', source: 3, timeSec: 1.5, firstPlace: 1, gap: 1, tokens: Float32Array.of(1, 4) } },
    { kind: 'embeddings', data: Float32Array.of(5, 5), origin: { kind: 'visual', source: 3, timeSec: 1.5, firstPlace: 5, gap: 2, tokens: Float32Array.of(2) } },
    { kind: 'ids', ids: Int32Array.of(8, 9), origin: { kind: 'wrap', source: 3, timeSec: 1.5, gap: 2 } },
  ]);
});

test('a whole frame is one piece without gaps; a frame without tokens is not shown', () => {
  const whole = framePieces({ tokens: new Float32Array(6), places: Int32Array.of(0, 1, 2) }, text, 3, of);
  expect(whole.map(({ origin }) => origin.gap ?? 0)).toEqual([0, 0, 0]);
  expect(framePieces({ tokens: new Float32Array(0), places: new Int32Array(0) }, text, 3, of)).toEqual([]);
});

test('frames that are not shown leave the positions that they would have taken', () => {
  const [wrap, ...rest] = framePieces({ tokens: new Float32Array(2), places: Int32Array.of(0) }, text, 3, { ...of, gap: 2 * frameSpan(text, 3) });
  expect(wrap!.origin).toEqual({ kind: 'wrap', source: 3, timeSec: 1.5, gap: 12 });
  expect(rest.map(({ origin }) => origin.gap ?? 0)).toEqual([0, 2]);
});

test('tokens that come late take the positions that were left for them', () => {
  // A frame of 6 tokens and one of text after it has gone in without its places 0, 3 and 4: place 0 lies 7 positions back.
  const { pieces, end } = visualPieces({ tokens: Float32Array.of(1, 4, 5), places: Int32Array.of(0, 3, 4) }, -7, of);
  const cursor = { at: 100 };
  const positions = pieces.map(({ origin, ...piece }) => {
    cursor.at += origin.gap!;
    const first = cursor.at;
    if (piece.kind === 'embeddings') cursor.at += piece.data.length;
    return first;
  });
  expect(positions).toEqual([93, 96]);
  expect(cursor.at).toBe(98);
  expect(end).toBe(-2);
});
