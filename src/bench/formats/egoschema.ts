// EgoSchema's files (arXiv 2308.09126): questions with five options, and the answers that are public.
import { z } from 'zod';
import { UserError } from '../../core/errors.ts';
import type { LoadedSuite } from '../suite.ts';
import type { BenchVideo } from '../question.ts';
import { choicePrompt } from '../../world/protocol-prompts.ts';
import { maxTokens } from '../prompt.ts';
import { readAnnotations, text } from './annotation-file.ts';

/** Every published clip is three minutes long. */
const clipSec = 180;

const questions = z.array(
  z.object({
    q_uid: text,
    question: text,
    'option 0': z.string(),
    'option 1': z.string(),
    'option 2': z.string(),
    'option 3': z.string(),
    'option 4': z.string(),
    footage: z.string().optional(),
    duration: z.number().positive().optional(),
    /** The clip that several questions share; as published, each has one of its own. */
    video: text.optional(),
  }),
);
const answers = z.record(
  z.string(),
  z.union([
    z.number().int().min(0).max(4),
    z
      .string()
      .regex(/^[0-4]$/)
      .transform(Number),
  ]),
);
const rows = z.array(
  z.object({ video_name: text, question: text, answer: text, a0: z.string(), a1: z.string(), a2: z.string(), a3: z.string(), a4: z.string() }),
);

/** @param answersFile not needed where the questions come as the CSV with an `answer` column */
export async function loadEgoSchema(questionsFile: string, answersFile: string | undefined): Promise<LoadedSuite> {
  if (/\.csv$/i.test(questionsFile)) return { videos: await loadCsv(questionsFile), notes: [] };
  if (answersFile === undefined) {
    throw new UserError('NO_ANSWERS', {
      what: `${questionsFile} holds no answers`,
      expected: 'subset_answers.json beside it',
      todo: 'get it from the dataset’s page',
    });
  }
  const items = await readAnnotations(questionsFile, questions);
  const right = await readAnnotations(answersFile, answers);
  const videos = items.flatMap((item) => {
    const correct = right[item.q_uid];
    const options = [item['option 0'], item['option 1'], item['option 2'], item['option 3'], item['option 4']];
    return correct === undefined
      ? []
      : [{ ...egoVideo(item.q_uid, item.video ?? item.q_uid, item.question, options, correct), footage: item.footage ?? 'egocentric', durationSec: item.duration ?? clipSec }];
  });
  const without = items.length - videos.length;
  if (videos.length === 0)
    throw new UserError('NO_ANSWERS', {
      what: `no question of ${questionsFile} has an answer in ${answersFile}`,
      got: `${items.length} questions`,
      todo: 'check that the two files belong together',
    });
  const joined = [...Map.groupBy(videos, ({ id }) => id).values()].map((same): BenchVideo => ({ ...same[0]!, questions: same.flatMap(({ questions: own }) => own) }));
  return { videos: joined, notes: without > 0 ? [`${without} of ${items.length} questions have no public answer and are left out`] : [] };
}

async function loadCsv(file: string): Promise<BenchVideo[]> {
  const items = await readAnnotations(file, rows);
  return items.map((item, index) => {
    const options = [item.a0, item.a1, item.a2, item.a3, item.a4];
    const correct = options.map((option) => option.trim()).indexOf(item.answer.trim());
    if (correct < 0)
      throw new UserError('INVALID_ANNOTATIONS', { what: `${file}: item ${index}, field answer: it is none of the five options`, got: `"${item.answer}"` });
    return egoVideo(item.video_name, item.video_name, item.question, options, correct);
  });
}

function egoVideo(id: string, video: string, question: string, options: readonly string[], correct: number): BenchVideo {
  return {
    id: video,
    file: video,
    footage: 'egocentric',
    durationSec: clipSec,
    questions: [
      {
        kind: 'choice',
        id,
        timeSec: 'end',
        question,
        prompt: choicePrompt(question, options),
        class: 'egocentric',
        options,
        correct,
        maxTokens: maxTokens.choice,
        remember: false,
      },
    ],
  };
}
