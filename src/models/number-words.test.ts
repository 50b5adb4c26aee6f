// Numbers in words.
import { expect, it } from 'vitest';
import { numberWords } from './number-words.ts';

it('numbers are written as in an English sentence', () => {
  const cases: Record<number, string> = {
    0: 'zero', 4: 'four', 13: 'thirteen', 20: 'twenty', 21: 'twenty-one', 64: 'sixty-four', 100: 'one hundred', 101: 'one hundred and one',
    342: 'three hundred and forty-two', 1000: 'one thousand', 1001: 'one thousand and one', 1100: 'one thousand, one hundred',
    1234: 'one thousand, two hundred and thirty-four', 21017: 'twenty-one thousand and seventeen', 1000000: 'one million', 2000300: 'two million, three hundred',
  }; // prettier-ignore
  for (const [value, words] of Object.entries(cases)) expect(numberWords(Number(value))).toBe(words);
});
