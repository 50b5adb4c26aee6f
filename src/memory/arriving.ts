// Tokens about to enter a memory: what their origins say of each, in columns.
import type { Stretch } from './contract.ts';
import { createColumns, kindCode, type SlotColumns } from './slots.ts';

export function countOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { count }) => sum + count, 0);
}

/**
 * Describes tokens that follow each other.
 * @param start position of the first, gaps before it not counted
 * @param into columns to use again where they are long enough
 * @returns columns whose first entries are valid
 */
export function describeTokens(stretches: readonly Stretch[], start: number, into: SlotColumns): SlotColumns {
  const count = countOf(stretches);
  const tokens = into.position.length < count ? createColumns(count) : into;
  let t = 0;
  let position = start;
  for (const { count: length, origin } of stretches) {
    const { kind, source, timeSec, firstPlace = 0, gap = 0 } = origin;
    position += gap;
    for (let i = 0; i < length; i++, t++) {
      tokens.position[t] = position++;
      tokens.source[t] = source;
      tokens.place[t] = kind === 'visual' ? firstPlace + i : -1;
      tokens.kind[t] = kindCode[kind];
      tokens.timeSec[t] = timeSec;
      tokens.sinceSec[t] = timeSec;
      tokens.tokens[t] = origin.tokens?.[i] ?? 1;
      tokens.weight[t] = 1;
      tokens.score[t] = 0;
    }
  }
  return tokens;
}
