// StreamBench's annotation file (StreamChat, arXiv 2501.13468): videos with breakpoints, each a question asked in mid-stream.
import { z } from 'zod';
import { ageOf, byTime, type BenchVideo } from '../question.ts';
import { streamPrompt } from '../../world/protocol-prompts.ts';
import { maxTokens } from '../prompt.ts';
import { readAnnotations, seconds, text } from './annotation-file.ts';

const schema = z.array(
  z.object({
    info: z.object({ video_path: text, class_1: z.string().optional(), class_2: z.string().optional() }),
    breakpoint: z.array(z.object({ time: seconds, question: text, answer: text, class: text, evidence: z.array(z.tuple([z.number(), z.number()])).optional() })).min(1),
  }),
);

/** Question and answer stay in the dialogue, as the protocol wants. Ids: video path, "#", place in the video's list. */
export async function loadStreamBench(file: string): Promise<BenchVideo[]> {
  const items = await readAnnotations(file, schema);
  return items.map(({ info, breakpoint }) => ({
    id: info.video_path,
    file: info.video_path,
    footage: info.class_1 ?? 'unknown',
    questions: byTime(
      breakpoint.map((point, index) => ({
        kind: 'open',
        id: `${info.video_path}#${index}`,
        timeSec: point.time,
        question: point.question,
        prompt: streamPrompt(point.question),
        class: point.class,
        answers: [point.answer],
        maxTokens: maxTokens.sentence,
        remember: true,
        ...(point.evidence !== undefined && { evidenceAgeSec: ageOf(point.time, point.evidence) }),
      })),
    ),
  }));
}
