// Tests of answer matching, short answers, accuracy, StreamBench's figures, agreement and retrieval.
import { describe, expect, test } from 'vitest';
import { accuracyBy, accuracyOf, agreement, streamScores } from './accuracy.ts';
import { matchesExactly, matchesNormalised, normaliseAnswer } from './normalise.ts';
import { scoreRetrieval } from './retrieval.ts';
import { parseCount, parseYesNo } from './short-answers.ts';

describe('normalised match', () => {
  const normalised: readonly (readonly [string, string])[] = [
    ['The dog.', 'dog'],
    ['A  DOG!', 'dog'],
    ['two dogs', '2 dogs'],
    ['Twenty-one', '21'],
    ['thirty', '30'],
    ['1,000', '1000'],
    ['3.5', '3.5'],
    ['3.', '3'],
    ['T-shirt', 't shirt'],
    ["isn't", 'isnt'],
    ['café', 'café'],
    ['the', ''],
  ];
  test.each(normalised)('%j → %j', (input, output) => {
    expect(normaliseAnswer(input)).toBe(output);
  });

  test('nothing matches nothing', () => {
    expect(matchesNormalised('...', ['!'])).toBe(false);
    expect(matchesExactly(' ', [''])).toBe(false);
  });

  test('exact match minds articles, normalised match does not', () => {
    expect(matchesExactly(' Dog ', ['cat', 'dog'])).toBe(true);
    expect(matchesExactly('the dog', ['dog'])).toBe(false);
    expect(matchesNormalised('the dog', ['cat', 'dog'])).toBe(true);
  });
});

test.each([
  ['Yes', true],
  ['yes.', true],
  ['Y', true],
  ['n', false],
  ['No, it is not.', false],
  ['Answer: yes', true],
  ['I think yes', true],
  ['yes or no', undefined],
  ['maybe', undefined],
  ['', undefined],
  ['yes, no doubt', true],
  ['north', undefined],
] as const)('yes or no in %j: %s', (text, said) => {
  expect(parseYesNo(text)).toBe(said);
});

test.each([
  ['3', 3],
  ['The count is 12.', 12],
  ['three times', 3],
  ['3 times, so 3', 3],
  ['2 or 3', undefined],
  ['none', undefined],
  ['2.5', undefined],
] as const)('the count in %j: %s', (text, count) => {
  expect(parseCount(text)).toBe(count);
});

test('accuracy has no value where nothing is scored, and a Wilson interval where something is', () => {
  expect(accuracyOf([]).accuracy).toBeNull();
  const graded = Array.from({ length: 120 }, (_, index) => ({ videoId: 'v', correct: index < 100 }));
  const { accuracy, low, high } = accuracyOf(graded);
  expect(accuracy).toBeCloseTo(100 / 120, 12);
  expect(low).toBeCloseTo(0.7565471860673773, 9);
  expect(high).toBeCloseTo(0.8894400363201539, 9);
});

test('accuracy by class has one figure for each class', () => {
  const graded = [
    { videoId: 'v', correct: true, class: 'b' },
    { videoId: 'v', correct: false, class: 'a' },
    { videoId: 'v', correct: true, class: 'a' },
  ];
  const groups = accuracyBy(graded, (one) => one.class);
  expect(Object.keys(groups)).toEqual(['a', 'b']);
  expect(groups['a']).toMatchObject({ scored: 2, correct: 1, accuracy: 0.5 });
});

test('Coh compares neighbours of one video only, and an unscored answer breaks the chain', () => {
  const graded = [
    ['a', 5],
    ['a', 3],
    ['a', null],
    ['a', 1],
    ['a', 2],
    ['b', 5],
    ['b', 5],
  ].map(([videoId, score]) => ({ videoId: videoId as string, score: score as number | null }));
  // Steps: a 5→3 is 2, a 1→2 is 1, b 5→5 is 0; 3→(unscored)→1 and a→b are none.
  expect(streamScores(graded)).toEqual({ score: 21 / 6, coherence: 1 });
  expect(streamScores([{ videoId: 'a', score: null }])).toEqual({ score: null, coherence: null });
});

test('agreement counts equal answers, right or wrong, among those that both gave', () => {
  expect(
    agreement([
      { a: 'A', b: 'A' },
      { a: 'B', b: 'C' },
      { a: null, b: 'A' },
    ]),
  ).toEqual({ both: 2, share: 0.5 });
});

test('retrieval: ranks are counted from one, and a constant matrix is no perfect one', () => {
  const similarity = [
    [0.9, 0.1, 0.2],
    [0.8, 0.5, 0.1],
    [0.3, 0.4, 0.2],
  ];
  expect(scoreRetrieval(similarity)).toEqual({ recallAt1: 1 / 3, recallAt5: 1, recallAt10: 1, medianRank: 2 });
  expect(
    scoreRetrieval([
      [1, 1],
      [1, 1],
    ]).recallAt1,
  ).toBe(0);
});
