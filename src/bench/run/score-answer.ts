// Scores one raw answer: right, wrong, unscored (no answer in it) or failed.
import type { Judge } from '../judge/judge.ts';
import { optionLetter } from '../../world/protocol-prompts.ts';
import { normaliseAnswer } from '../metrics/normalise.ts';
import { parseOption } from '../metrics/option-letter.ts';
import { parseCount, parseYesNo } from '../metrics/short-answers.ts';
import type { BenchQuestion, ProactiveQuestion } from '../question.ts';
import type { RawAnswer } from './unit.ts';

export interface Scored {
  readonly status: 'scored' | 'unscored' | 'failed' | 'missing';
  /** Why it is not scored. */
  readonly reason?: string;
  /** The answer as understood; two methods agree where these are equal. Null where there is none. */
  readonly parsed: string | null;
  /** Null for captions and whatever is not scored. */
  readonly correct: boolean | null;
  /** Open questions: 0–5 as judged. */
  readonly score: number | null;
}

const unscored = (reason: string, parsed: string | null = null): Scored => ({ status: 'unscored', reason, parsed, correct: null, score: null });
const decided = (correct: boolean, parsed: string): Scored => ({ status: 'scored', parsed, correct, score: null });

export async function scoreAnswer(
  question: BenchQuestion,
  answer: Pick<RawAnswer, 'text' | 'error' | 'atSec' | 'polls'>,
  judge: Judge,
  signal: AbortSignal,
): Promise<Scored> {
  if (answer.text === null) return { status: 'failed', reason: answer.error ?? 'no answer', parsed: null, correct: null, score: null };
  if (question.kind === 'proactive') return scoreProactive(question, answer);
  const text = answer.text.trim();
  if (text === '') return unscored('empty answer');
  switch (question.kind) {
    case 'choice': {
      const choice = parseOption(text, question.options);
      return choice.kind === 'chosen'
        ? decided(choice.index === question.correct, optionLetter(choice.index))
        : unscored(`no option can be read from it (${choice.reason})`);
    }
    case 'yes-no': {
      const said = parseYesNo(text);
      return said === undefined ? unscored('neither yes nor no') : decided(said === question.answer, said ? 'yes' : 'no');
    }
    case 'count': {
      const count = parseCount(text);
      return count === undefined ? unscored('no single number') : decided(count === question.answer, String(count));
    }
    case 'caption':
      return { status: 'scored', parsed: text, correct: null, score: null };
    case 'open': {
      const parsed = normaliseAnswer(text);
      const judged = await judge.judge({ question: question.question, answers: question.answers, prediction: text }, signal);
      return judged.kind === 'judged' ? { status: 'scored', parsed, correct: judged.correct, score: judged.score } : unscored(judged.reason, parsed);
    }
  }
}

/** StreamingBench's rule: the right words, at most `toleranceSec` from the right moment. Staying silent to the end is wrong; saying neither yes nor no ever is unscored. */
function scoreProactive(question: ProactiveQuestion, answer: Pick<RawAnswer, 'text' | 'atSec' | 'polls'>): Scored {
  if (typeof answer.atSec !== 'number') {
    const polled = answer.polls ?? [];
    return polled.some((poll) => parseYesNo(poll.text) !== undefined) ? decided(false, 'never') : unscored('no poll was answered with yes or no');
  }
  const said = normaliseAnswer(answer.text ?? '');
  if (said === '') return unscored('it spoke up and said nothing');
  const isTimely = Math.abs(answer.atSec - question.dueSec) <= question.toleranceSec;
  return decided(isTimely && ` ${said} `.includes(` ${normaliseAnswer(question.output)} `), `${answer.atSec} s: ${said}`);
}
