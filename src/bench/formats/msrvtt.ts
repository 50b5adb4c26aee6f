// MSR-VTT's files (CVPR 2016): captions, questions (MSRVTT-QA), and the 1k-A retrieval pairs.
import { z } from 'zod';
import { UserError } from '../../core/errors.ts';
import type { BenchQuestion, BenchVideo } from '../question.ts';
import { captionPrompt } from '../../world/protocol-prompts.ts';
import { maxTokens, openPrompt } from '../prompt.ts';
import { readAnnotations, text } from './annotation-file.ts';

const official = z.object({
  videos: z.array(
    z.object({
      video_id: text,
      split: z.string(),
      category: z.union([z.number(), z.string()]).optional(),
      'start time': z.number().optional(),
      'end time': z.number().optional(),
      footage: z.string().optional(),
    }),
  ),
  sentences: z.array(z.object({ video_id: text, caption: z.string() })),
});
/** MSVD's form, also used for re-packed MSR-VTT: clip to its captions. */
const plain = z.record(z.string(), z.array(z.string()).min(1));

/** @param split test (7010–9999 as published) unless the file holds no such clip: the file may be one split by itself */
export async function loadCaptions(file: string, split = 'test'): Promise<BenchVideo[]> {
  const data = await readAnnotations(file, z.union([official, plain]));
  if (!isOfficial(data)) return Object.entries(data).map(([id, captions]) => captionVideo(id, 'unknown', captions));
  const captions = Map.groupBy(data.sentences, (sentence) => sentence.video_id);
  const wanted = data.videos.filter((video) => video.split === split);
  if (wanted.length === 0) {
    throw new UserError('NO_SUCH_SPLIT', {
      what: `${file} has no video of split "${split}"`,
      got: `splits ${[...new Set(data.videos.map((video) => video.split))].join(', ')}`,
      todo: 'take the file of the test split (test_videodatainfo.json)',
    });
  }
  return wanted.map((video) => {
    const own = captions.get(video.video_id);
    if (own === undefined)
      throw new UserError('INVALID_ANNOTATIONS', { what: `${file}: video ${video.video_id} has no sentence`, expected: 'at least one caption for each video' });
    const duration = (video['end time'] ?? NaN) - (video['start time'] ?? NaN);
    return {
      ...captionVideo(
        video.video_id,
        video.footage ?? `category ${video.category ?? 'unknown'}`,
        own.map((sentence) => sentence.caption),
      ),
      ...(duration > 0 ? { durationSec: duration } : {}),
    };
  });
}

function isOfficial(data: z.output<typeof official> | z.output<typeof plain>): data is z.output<typeof official> {
  return 'videos' in data && 'sentences' in data && !Array.isArray((data.videos as unknown[])[0]) && typeof data.videos[0] !== 'string';
}

function captionVideo(id: string, footage: string, references: readonly string[]): BenchVideo {
  return {
    id,
    file: id,
    footage,
    questions: [
      {
        kind: 'caption',
        id,
        timeSec: 'end',
        question: captionPrompt,
        prompt: captionPrompt,
        class: 'caption',
        references,
        maxTokens: maxTokens.caption,
        remember: false,
      },
    ],
  };
}

/** Ids come as numbers in a CSV: "158581". */
const number = z.union([z.number(), z.string().regex(/^\d+$/, 'expected a number')]).transform(Number);
const qaRow = z.object({
  video_id: z.union([number, z.string().regex(/^video\d+$/, 'expected a number or "video" and a number')]),
  question: text,
  answer: text,
  id: number.optional(),
  question_id: number.optional(),
});

/** Rows of MSRVTT-QA, JSON or CSV, gathered by clip; class is the question word, as papers on it report. */
export async function loadQa(file: string): Promise<BenchVideo[]> {
  const rows = await readAnnotations(file, z.array(qaRow));
  const byVideo = Map.groupBy(
    rows.map((row, index) => ({ ...row, row: index })),
    (row) => (typeof row.video_id === 'number' ? `video${row.video_id}` : row.video_id),
  );
  return [...byVideo].map(([video, own]) => ({
    id: video,
    file: video,
    footage: 'unknown',
    questions: own.map((row): BenchQuestion => ({
      kind: 'open',
      id: String(row.id ?? row.question_id ?? row.row),
      timeSec: 'end',
      question: row.question,
      prompt: openPrompt(row.question),
      class: /\b(what|who|how|when|where|why|which)\b/i.exec(row.question)?.[1]?.toLowerCase() ?? 'other',
      answers: [row.answer],
      maxTokens: maxTokens.short,
      remember: false,
    })),
  }));
}

/** One caption of the 1k-A retrieval set and the clip it belongs to. */
export interface RetrievalPair {
  readonly videoId: string;
  readonly sentence: string;
}

export async function loadRetrievalPairs(file: string): Promise<RetrievalPair[]> {
  const rows = await readAnnotations(file, z.array(z.object({ video_id: text, sentence: text })));
  return rows.map((row) => ({ videoId: row.video_id, sentence: row.sentence }));
}
