// OVO-Bench's annotation file (arXiv 2501.05510): twelve tasks that look back, look now, or wait for what is to come.
import { z } from 'zod';
import { byTime, type BenchQuestion, type BenchVideo } from '../question.ts';
import { choicePrompt } from '../../world/protocol-prompts.ts';
import { maxTokens } from '../prompt.ts';
import { readAnnotations, text } from './annotation-file.ts';

const time = z.number().nonnegative();
const base = { id: z.number().int(), video: text };
const choice = z
  .object({
    ...base,
    task: z.enum(['EPM', 'HLD', 'ASI', 'STU', 'OJR', 'ATR', 'ACR', 'OCR', 'FPD']),
    realtime: time,
    question: text,
    options: z.array(z.string()).min(2).max(26),
    gt: z.number().int().nonnegative(),
  })
  .refine((item) => item.gt < item.options.length, { path: ['gt'], message: 'expected the index of one of the options' });
const repetition = z.object({
  ...base,
  task: z.literal('REC'),
  activity: text,
  test_info: z.array(z.object({ realtime: time, count: z.number().int().nonnegative() })).min(1),
});
const flag = z.union([z.literal(0), z.literal(1)]);
const steps = z.object({ ...base, task: z.literal('SSR'), test_info: z.array(z.object({ realtime: time, step: text, type: flag })).min(1) });
const clues = z.object({ ...base, task: z.literal('CRR'), question: text, test_info: z.array(z.object({ realtime: time, type: flag })).min(1) });
const schema = z.array(z.discriminatedUnion('task', [choice, repetition, steps, clues]));
type Item = z.output<typeof schema>[number];

/** Items on one video become one stream. Ids: the item's number, and for forward tasks "." and the place of the test. */
export async function loadOvoBench(file: string): Promise<BenchVideo[]> {
  const items = await readAnnotations(file, schema);
  return [...Map.groupBy(items, (item) => item.video)].map(([video, own]) => ({
    id: video,
    file: video,
    footage: video.split('/')[0] ?? 'unknown',
    questions: byTime(own.flatMap(questionsOf)),
  }));
}

function questionsOf(item: Item): BenchQuestion[] {
  const common = { class: item.task, remember: false };
  switch (item.task) {
    case 'REC':
      return item.test_info.map((test, index) => {
        const question = `How many times did they ${item.activity}?`;
        const prompt = `People in the video may repeat one kind of action. Count how often it has been done so far, by anyone, in all; one complete motion counts as one.\n${question}\nAnswer with a single number only.`;
        return {
          ...common,
          kind: 'count',
          id: `${item.id}.${index}`,
          timeSec: test.realtime,
          question,
          prompt,
          answer: test.count,
          maxTokens: maxTokens.short,
        };
      });
    case 'SSR':
      return item.test_info.map((test, index) => {
        const question = `Is this step being carried out now: ${test.step}?`;
        const prompt = `The video is a tutorial made of a sequence of steps. One of the steps is: ${test.step}\nIs the person in the video carrying out this step right now? Answer only with Yes or No.`;
        return {
          ...common,
          kind: 'yes-no',
          id: `${item.id}.${index}`,
          timeSec: test.realtime,
          question,
          prompt,
          answer: test.type === 1,
          maxTokens: maxTokens.short,
        };
      });
    case 'CRR':
      return item.test_info.map((test, index) => {
        const prompt = `This question is about the latest part of the video: ${item.question}\nHas the video so far, above all its latest frames, shown enough to answer it? Answer only with Yes or No.`;
        return {
          ...common,
          kind: 'yes-no',
          id: `${item.id}.${index}`,
          timeSec: test.realtime,
          question: item.question,
          prompt,
          answer: test.type === 1,
          maxTokens: maxTokens.short,
        };
      });
    case 'EPM':
    case 'HLD':
    case 'ASI':
    case 'STU':
    case 'OJR':
    case 'ATR':
    case 'ACR':
    case 'OCR':
    case 'FPD':
      return [
        {
          ...common,
          kind: 'choice',
          id: String(item.id),
          timeSec: item.realtime,
          question: item.question,
          prompt: choicePrompt(item.question, item.options),
          options: item.options,
          correct: item.gt,
          maxTokens: maxTokens.choice,
        },
      ];
  }
}
