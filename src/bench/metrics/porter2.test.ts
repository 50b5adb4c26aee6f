// Tests of the English stemmer against the Snowball project's own (snowballstemmer 2.2.0).
import { expect, test } from 'vitest';
import { stem } from './porter2.ts';

const goldens =
  'running run; runs run; easily easili; generously generous; communication communic; skies sky; dying die; proceed proceed; hopping hop; hoping hope; national nation; relational relat; happily happili; cement cement; replacement replac; adjustable adjust; controlling control; ladies ladi; tied tie; ties tie; gas gas; agreed agre; fishing fish; feed feed; youth youth; boyish boyish; say say; argument argument; sensibilities sensibl; knives knive; quickly quick; falling fall; playing play; squirrel squirrel';

test.each(goldens.split('; ').map((pair) => pair.split(' ') as [string, string]))('%s → %s', (word, expected) => {
  expect(stem(word)).toBe(expected);
});
