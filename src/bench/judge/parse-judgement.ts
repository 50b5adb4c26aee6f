// Reads the judge model's reply: a dictionary {'llama_pred': 'yes'|'no', 'score': 0–5}, in JSON or in Python's quoting, and nothing looser.
import type { Judgement } from './judge.ts';

const dictionary = /\{[^{}]*\}/g;
const quote = '["\'“”‘’]';
const verdict = new RegExp(`${quote}llama_pred${quote}\\s*:\\s*${quote}(yes|no)${quote}`, 'i');
const grade = new RegExp(`${quote}score${quote}\\s*:\\s*(\\d+(?:\\.\\d+)?)\\s*[,}]`);

/** Prose or a code fence around the dictionary is allowed; two dictionaries that disagree, a missing key, a quoted or impossible score are not. */
export function parseJudgement(reply: string): Judgement {
  const found = [...reply.matchAll(dictionary)].map((match) => match[0]);
  if (found.length === 0) return { kind: 'unscored', reason: 'the judge gave no dictionary' };
  const parsed = found.map((one) => ({
    correct: verdict.exec(one)?.[1]?.toLowerCase() === 'yes',
    hasVerdict: verdict.test(one),
    score: Number(grade.exec(one)?.[1] ?? NaN),
  }));
  const [first, ...rest] = parsed;
  if (parsed.some((one) => !one.hasVerdict)) return { kind: 'unscored', reason: "the judge's 'llama_pred' is neither 'yes' nor 'no'" };
  if (parsed.some((one) => !(one.score >= 0 && one.score <= 5))) return { kind: 'unscored', reason: "the judge's 'score' is no number from 0 to 5" };
  if (rest.some((one) => one.correct !== first!.correct || one.score !== first!.score)) return { kind: 'unscored', reason: 'the judge contradicts itself' };
  return { kind: 'judged', correct: first!.correct, score: first!.score };
}
