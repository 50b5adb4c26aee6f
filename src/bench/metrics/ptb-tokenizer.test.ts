// Tests of the Treebank tokenizer against Stanford's PTBTokenizer 3.4.1 with `-lowerCase`, as the COCO caption toolkit runs it.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { captionTokens, ptbTokens } from './ptb-tokenizer.ts';

/** Input and the reference program's output. */
const goldens: readonly (readonly [string, string])[] = [
  [
    "I can't don't won't it's he's they're I'm we've he'd she'll o'clock rock 'n' roll",
    "i ca n't do n't wo n't it 's he 's they 're i 'm we 've he 'd she 'll o'clock rock 'n' roll",
  ],
  ["cannot gonna wanna gotta gimme lemme 'tis 'twas", "can not gon na wan na got ta gim me lem me 't is 't was"],
  ['t-shirt man/woman and/or 1/2 3/4 1,000 3.14 $5 $1,000.50 50% #1 AT&T R&B', 't-shirt man/woman and/or 1/2 3/4 1,000 3.14 $ 5 $ 1,000.50 50 % # 1 at&t r&b'],
  ['mr. smith dr. jones u.s. a.m. p.m. e.g. i.e. etc. st. vs. no. 5 jan. 3', 'mr. smith dr. jones u.s. a.m. p.m. e.g. i.e. etc. st. vs. no. 5 jan. 3'],
  ['wow!! what?! hmm... hmm.... …  a -- b - c — d – e', 'wow !! what ?! hmm ... hmm ... ... a -- b - c -- d -- e'],
  [
    '(paren) [bracket] {brace} <tag> a:b 10:30 10:30am 1st 2nd 1990s',
    '-lrb- paren -rrb- -lsb- bracket -rsb- -lcb- brace -rcb- <tag> a : b 10:30 10:30 am 1st 2nd 1990s',
  ],
  ['½ ¼ £5 €5 100° 20°C café naïve señor', '1/2 1/4 # 5 $ 5 100 ° 20 ° c café naïve señor'],
  ['one,two three;four five.six seven:eight nine?ten eleven!twelve', 'one , two three ; four five.six seven : eight nine?ten eleven!twelve'],
  ["mother-in-law's o'neil d'angelo ma'am 'em 'cause rock-n-roll", "mother-in-law 's o'neil d'angelo ma'am 'em 'cause rock-n-roll"],
  ['talking to c. the man', 'talking to c. the man'],
  ['talking to c. The man', 'talking to c . the man'],
  ['he said, "go" and “stay”', "he said , `` go '' and `` stay ''"],
  ['it’s a man’s world', "it 's a man 's world"],
];

test.each(goldens)('%s', (input, tokens) => {
  expect(ptbTokens(input).join(' ')).toBe(tokens);
});

test('punctuation is dropped, brackets are not, as in the toolkit', () => {
  expect(captionTokens('A man, (old), runs; "fast"!')).toEqual(['a', 'man', '-lrb-', 'old', '-rrb-', 'runs', 'fast']);
});

const captions = new URL('../../../../shared/data/annotations/captions_msvd.json', import.meta.url);

test.skipIf(!existsSync(captions))('plain captions keep their words (skipped where MSVD’s captions are not there)', () => {
  const all = Object.values(JSON.parse(readFileSync(captions, 'utf8')) as Record<string, string[]>)
    .flat()
    .filter((caption) => /^[a-z ]+$/.test(caption))
    .slice(0, 5000);
  const changed = all.filter(
    (caption) =>
      captionTokens(caption).join(' ') !==
      caption
        .trim()
        .replace(/\s+/g, ' ')
        .replace(/\bcannot\b/g, 'can not')
        .replace(/\b(gon|wan)na\b/g, '$1 na'),
  );
  expect(changed).toEqual([]);
});
