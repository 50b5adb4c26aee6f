// The item stream that every suite is mapped to: videos, and in each the questions in order of time.
import { optionLetter } from '../world/protocol-prompts.ts';

interface QuestionBase {
  /** Unique in a suite and the same in every run. */
  readonly id: string;
  /** When it is asked, in seconds of the video; 'end' after its last frame. */
  readonly timeSec: number | 'end';
  /** As published, without options and instructions. */
  readonly question: string;
  /** What the model reads. */
  readonly prompt: string;
  /** The suite's class of question. */
  readonly class: string;
  readonly maxTokens: number;
  /** Seconds since what the answer rests on was last to be seen, where the annotations tell. */
  readonly evidenceAgeSec?: number;
  /** Whether question and answer stay in the dialogue. */
  readonly remember: boolean;
}

/** A question with options, one of them right. */
export type ChoiceQuestion = QuestionBase & {
  readonly kind: 'choice';
  readonly options: readonly string[];
  /** Index of the right option. */ readonly correct: number;
};
/** A question answered in free words. */
export type OpenQuestion = QuestionBase & { readonly kind: 'open'; /** Any of these is right. */ readonly answers: readonly string[] };
/** A question answered with yes or no. */
export type YesNoQuestion = QuestionBase & { readonly kind: 'yes-no'; readonly answer: boolean };
/** A question answered with a number. */
export type CountQuestion = QuestionBase & { readonly kind: 'count'; readonly answer: number };
/** A video to be described. */
export type CaptionQuestion = QuestionBase & { readonly kind: 'caption'; readonly references: readonly string[] };
/** The model is asked every second from `timeSec` + 1 to `untilSec` whether to speak now; right is `output` within `toleranceSec` of `dueSec`. */
export type ProactiveQuestion = QuestionBase & {
  readonly kind: 'proactive';
  readonly timeSec: number;
  readonly pollPrompt: string;
  readonly dueSec: number;
  readonly untilSec: number;
  readonly toleranceSec: number;
  readonly output: string;
};

/** A question of any kind. */
export type BenchQuestion = ChoiceQuestion | OpenQuestion | YesNoQuestion | CountQuestion | CaptionQuestion | ProactiveQuestion;

/** A video and its questions, in order of time. */
export interface BenchVideo {
  readonly id: string;
  /** Path as published, relative to the folder of videos, with or without its extension. */
  readonly file: string;
  /** Kind of footage, for the report: domain, category or camera as the suite names it. */
  readonly footage: string;
  /** Where the annotations tell it. */
  readonly durationSec?: number;
  /** In order of time. */
  readonly questions: readonly BenchQuestion[];
}

/** Seconds of stream that a candidate must watch, as far as the annotations tell: 0 where a question at the end of a video of unknown length is all. */
export function streamSeconds({ questions, durationSec = 0 }: BenchVideo): number {
  return Math.max(
    0,
    ...questions.map((question) => (question.kind === 'proactive' ? question.untilSec : question.timeSec === 'end' ? durationSec : question.timeSec)),
  );
}

/** Order of time; 'end' last, equal times in the published order. */
export function byTime(questions: readonly BenchQuestion[]): BenchQuestion[] {
  const at = (question: BenchQuestion) => (question.timeSec === 'end' ? Infinity : question.timeSec);
  return questions.toSorted((a, b) => (at(a) === at(b) ? 0 : at(a) - at(b)));
}

/** What a model that knows the answer would write. */
export function truthOf(question: BenchQuestion): string {
  switch (question.kind) {
    case 'choice':
      return optionLetter(question.correct);
    case 'open':
      return question.answers[0]!;
    case 'yes-no':
      return question.answer ? 'Yes' : 'No';
    case 'count':
      return String(question.answer);
    case 'caption':
      return question.references[0]!;
    case 'proactive':
      return question.output;
  }
}

/** Seconds since the oldest thing was over that the answer rests on; 0 where nothing is known of it. */
export function ageOf(timeSec: number, evidence: readonly (readonly [number, number])[]): number {
  return evidence.length === 0 ? 0 : Math.max(0, timeSec - Math.min(...evidence.map(([, to]) => to)));
}
