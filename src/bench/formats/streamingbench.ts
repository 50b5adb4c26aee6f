// StreamingBench's files (arXiv 2411.03628): real-time questions, sequential questions (multi-turn), and proactive output.
import { z } from 'zod';
import { byTime, type BenchQuestion, type BenchVideo } from '../question.ts';
import { choicePrompt, letteredOptions, optionLetter } from '../../world/protocol-prompts.ts';
import { maxTokens, pollPrompt } from '../prompt.ts';
import type { LoadedSuite } from '../suite.ts';
import { readAnnotations, seconds, text } from './annotation-file.ts';

/** The published evaluation counts an answer that comes at most this far from the true moment, and stops asking this long after it. */
const toleranceSec = 2;
const waitSec = 4;

const multipleChoice = z
  .object({
    task_type: text,
    question: text,
    time_stamp: seconds,
    answer: z.string().regex(/^[A-Z]$/, 'expected a letter'),
    options: z.array(z.string()).min(2).max(26),
  })
  .refine((item) => item.answer.charCodeAt(0) - 65 < item.options.length, { path: ['answer'], message: 'expected the letter of one of the options' });
const entry = z.object({ video_path: text, video_categories: z.string().optional(), questions: z.array(multipleChoice) });
const proactiveEntry = entry.extend({
  questions: z.array(z.object({ task_type: text, question: text, time_stamp: seconds, ground_truth_time_stamp: seconds, ground_truth_output: text })),
});

interface Placed {
  readonly file: string;
  readonly footage: string;
  readonly question: BenchQuestion;
}

/** Real-time (and omni-source) questions: each by itself. */
export async function loadRealTime(file: string): Promise<BenchVideo[]> {
  const entries = await readAnnotations(file, z.array(entry));
  return gather(
    'real',
    entries.flatMap((one, index) => one.questions.map((item, place) => placed(one, choiceQuestion(item, `real:${index}.${place}`, '')))),
  );
}

/** Sequential questions: each prompt repeats the earlier questions with their right answers, as the published harness does. */
export async function loadSequential(file: string): Promise<BenchVideo[]> {
  const videos = await readAnnotations(file, z.array(z.array(entry)));
  return gather(
    'sqa',
    videos.flatMap((turns, video) => {
      let context = '';
      return turns.flatMap((turn, index) =>
        turn.questions.map((item, place) => {
          const question = choiceQuestion(item, `sqa:${video}.${index}.${place}`, context);
          context ||= 'Earlier questions about this video and their answers:\n';
          context += `At ${item.time_stamp} s: ${item.question} Options: ${letteredOptions(bareOptions(item.options)).join(', ')}. Answer: ${item.answer}.\n`;
          return placed(turn, question);
        }),
      );
    }),
  );
}

/** Proactive output: told in advance what to say, the model must find the moment. The published file has an item whose moment is past when it is asked; such are left out. */
export async function loadProactive(file: string): Promise<LoadedSuite> {
  const entries = await readAnnotations(file, z.array(proactiveEntry));
  const late = entries.flatMap((one, index) =>
    one.questions.flatMap((item, place) => (item.ground_truth_time_stamp <= item.time_stamp ? [`proactive:${index}.${place}`] : [])),
  );
  const videos = gather(
    'proactive',
    entries
      .flatMap((one, index) =>
        one.questions.map((item, place) =>
          placed(one, {
            kind: 'proactive',
            id: `proactive:${index}.${place}`,
            timeSec: item.time_stamp,
            question: item.question,
            prompt: item.question,
            pollPrompt: pollPrompt(item.question, item.ground_truth_output),
            class: item.task_type,
            dueSec: item.ground_truth_time_stamp,
            untilSec: item.ground_truth_time_stamp + waitSec,
            toleranceSec,
            output: item.ground_truth_output,
            maxTokens: maxTokens.short,
            remember: false,
          }),
        ),
      )
      .filter(({ question }) => !late.includes(question.id)),
  );
  return { videos, notes: late.length === 0 ? [] : [`${late.join(', ')}: the moment to speak lies before the question, left out`] };
}

function placed(one: { readonly video_path: string; readonly video_categories?: string | undefined }, question: BenchQuestion): Placed {
  return { file: one.video_path, footage: one.video_categories ?? 'unknown', question };
}

function choiceQuestion(item: z.output<typeof multipleChoice>, id: string, context: string): BenchQuestion {
  const options = bareOptions(item.options);
  return {
    kind: 'choice',
    id,
    timeSec: item.time_stamp,
    question: item.question,
    prompt: context + choicePrompt(item.question, options),
    class: item.task_type,
    options,
    correct: item.answer.charCodeAt(0) - 65,
    maxTokens: maxTokens.choice,
    remember: false,
  };
}

/** Some files write the letter into the option: "A. The cook…". */
function bareOptions(options: readonly string[]): string[] {
  return options.every((option, index) => option.startsWith(`${optionLetter(index)}.`))
    ? options.map((option) => option.slice(2).trim())
    : [...options];
}

/** Entries on one video become one stream, in order of time; the three kinds stay apart, since their prompts differ. */
function gather(kind: string, all: readonly Placed[]): BenchVideo[] {
  return [...Map.groupBy(all, (one) => one.file)].map(([file, own]) => ({
    id: `${kind}:${file}`,
    file,
    footage: own[0]!.footage,
    questions: byTime(own.map((one) => one.question)),
  }));
}
