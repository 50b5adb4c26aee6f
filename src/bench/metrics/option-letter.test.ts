// Tests of option parsing: what models really write, and what is no answer.
import { describe, expect, test } from 'vitest';
import { parseOption } from './option-letter.ts';

const options = ['a red car', 'a blue car', 'a dark blue car', 'a bicycle', 'C washes the dishes'];

describe('an answer is read from', () => {
  const answers: readonly (readonly [string, string])[] = [
    ['B', 'B'],
    ['b', 'B'],
    [' B \n', 'B'],
    ['(B)', 'B'],
    ['[B]', 'B'],
    ['B.', 'B'],
    ['B)', 'B'],
    ['b)', 'B'],
    ['**B**', 'B'],
    ['"B"', 'B'],
    ['B: a blue car', 'B'],
    ['B. a blue car', 'B'],
    ['(B) a blue car', 'B'],
    ['B\nThe car is blue.', 'B'],
    ['B because the car is blue', 'B'],
    ['A because the car is red', 'A'],
    ['A - a red car', 'A'],
    ['Answer: B', 'B'],
    ['answer: b', 'B'],
    ['Answer:B.', 'B'],
    ['Answer: (B)', 'B'],
    ['The answer is B', 'B'],
    ['The answer is B.', 'B'],
    ['The answer is (B) because the car in the video is blue.', 'B'],
    ['The answer is A because the car is red.', 'A'],
    ['The correct answer is: B', 'B'],
    ['The correct option is B.', 'B'],
    ['The best answer is option B.', 'B'],
    ['My final answer: **D**', 'D'],
    ['Option B', 'B'],
    ['Option B is correct.', 'B'],
    ['Option A is wrong, so the answer is B.', 'B'],
    ['not option A but option D', 'D'],
    ['option b.', 'B'],
    ['I would choose B.', 'B'],
    ['I pick (D).', 'D'],
    ['$\\boxed{D}$', 'D'],
    ['<think>Maybe A, maybe C.</think>\nB', 'B'],
    ['a blue car', 'B'],
    ['A blue car.', 'B'],
    ['The dark blue car', 'C'],
    ['It shows a dark blue car.', 'C'],
    ['In the video I can see a bicycle at the door.', 'D'],
    ['C washes the dishes.', 'E'],
    ['A red car.', 'A'],
    ['option 2', 'B'],
    ['Option 4.', 'D'],
    ['The second option', 'B'],
    ['The fourth option is right.', 'D'],
    ['I believe it is B.', 'B'],
    ['So the person (D) is right', 'D'],
    ['The answer is B. The others are wrong.', 'B'],
    ['Based on the video, the correct answer is (C).', 'C'],
  ];
  test.each(answers)('%j: %s', (text, letter) => {
    expect(parseOption(text, options)).toEqual({ kind: 'chosen', index: letter.charCodeAt(0) - 65 });
  });
});

describe('no answer is read from', () => {
  const none: readonly (readonly [string, string])[] = [
    ['', 'empty'],
    ['   \n', 'empty'],
    ['<think>B</think>', 'empty'],
    ['I cannot tell.', 'none'],
    ['A man walks across the street.', 'none'],
    ['A person is talking', 'none'],
    ['C is standing in the kitchen', 'none'],
    ['The answer is a dog.', 'none'],
    ['2', 'none'],
    ['F', 'none'],
    ['option 7', 'none'],
    ['option 0', 'none'],
    ['Option B is wrong.', 'none'],
    ['It is not a bicycle.', 'none'],
    ['Because of the weather', 'none'],
    ['Dogs', 'none'],
    ['A, B', 'ambiguous'],
    ['A or B', 'ambiguous'],
    ['(A) and (B)', 'ambiguous'],
    ['Both A and B', 'ambiguous'],
    ['A/B', 'ambiguous'],
    ['The answer is A. Wait, the answer is B.', 'ambiguous'],
    ['A. a red car\nB. a blue car\nC. a dark blue car', 'ambiguous'],
    ['Either a red car or a bicycle', 'ambiguous'],
    ['It could be (A), or it could be (D)', 'ambiguous'],
  ];
  test.each(none)('%j: %s', (text, reason) => {
    expect(parseOption(text, options)).toEqual({ kind: 'unparsed', reason });
  });
});

test('options that are published with their letters are found by their texts', () => {
  expect(parseOption('a fork', ['A. a cup', 'B. a plate', 'C. a fork'])).toEqual({ kind: 'chosen', index: 2 });
});

test('a number is an answer where it is the text of an option', () => {
  expect(parseOption('7', ['2.', '6.', '7.', '4.'])).toEqual({ kind: 'chosen', index: 2 });
});

test('two options with one text leave the choice open', () => {
  expect(parseOption('yes', ['yes', 'Yes.', 'no'])).toEqual({ kind: 'unparsed', reason: 'ambiguous' });
});
