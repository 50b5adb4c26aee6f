// Scores somebody else's output file, in the official format of its suite.
import { z } from 'zod';
import { UserError } from '../core/errors.ts';
import { readAnnotations } from './formats/annotation-file.ts';
import type { Judge } from './judge/judge.ts';
import type { BenchQuestion, BenchVideo } from './question.ts';
import type { CellMetrics, Counts, RecordItem } from './run/record.ts';
import { scoreAnswer } from './run/score-answer.ts';
import { chanceOf, countStatuses, summariseItems, withCaptionScores } from './run/summarise.ts';
import { nothing } from './run/unit.ts';
import type { LoadedSuite, Suite } from './suite.ts';

/** Scores of an output file. */
export interface PredictionScores {
  readonly suite: string;
  readonly counts: Counts;
  readonly metrics: CellMetrics;
  readonly judge: Readonly<Record<string, string | number>>;
  readonly items: readonly RecordItem[];
  /** "12 questions have no prediction and are counted as unscored". */
  readonly notes: readonly string[];
}

/** An output file, and the suite that it answers. */
export interface PredictionRequest {
  readonly name: string;
  readonly suite: Suite;
  readonly loaded: LoadedSuite;
  /** The output file. */
  readonly file: string;
  readonly judge: Judge;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** What the file says of one question; `timeSec` where a proactive answer was given. */
interface Prediction {
  readonly text: string;
  readonly timeSec?: number;
  readonly processTimeSec?: number;
}

type Matcher = (file: string, videos: readonly BenchVideo[]) => Promise<ReadonlyMap<string, Prediction>>;

/**
 * Formats: StreamBench `[{ time, question, label, predict, class, process_time }]`; COCO caption results `[{ image_id, caption }]`
 * or `{ video_id: caption }`; EgoSchema `{ q_uid: 0–4 }`; MSRVTT-QA `[{ id | question_id, answer }]`; OVO-Bench
 * `{ backward, realtime, forward }` with `response`; and for every suite `{ question id: answer }`.
 * @throws UserError where the file has another form, or none of its entries belongs to the suite
 */
export async function scorePredictions({
  name,
  suite,
  loaded,
  file,
  judge,
  seed = 0,
  signal = new AbortController().signal,
}: PredictionRequest): Promise<PredictionScores> {
  const { videos } = loaded;
  const predictions = await (
    matchers[
      name.replace(/^world-(stream|caption|ego)$/, (_all, kind: string) => ({ stream: 'streambench', caption: 'msrvtt-caption', ego: 'egoschema' })[kind]!)
    ] ?? byQuestionId
  )(file, videos);
  if (predictions.size === 0)
    throw new UserError('NO_PREDICTION_MATCHES', {
      what: `no entry of ${file} belongs to a question of ${name}`,
      todo: 'check that file and suite belong together',
    });
  const questions = new Map(videos.flatMap((video) => video.questions.map((question) => [question.id, question] as const)));
  const scored = await Promise.all(
    videos.flatMap((video) => video.questions.map((question) => scoreOne(video, question, predictions.get(question.id), judge, signal))),
  );
  const { items, captions } = suite.metric === 'ciderD' ? withCaptionScores(scored, questions) : { items: scored, captions: undefined };
  const unanswered = [...questions.keys()].filter((id) => !predictions.has(id)).length;
  const recordSuite = {
    name,
    source: suite.source,
    metric: suite.metric,
    notes: loaded.notes,
    videos: [],
    questions: videos.flatMap((video) =>
      video.questions.map((question) => ({
        id: question.id,
        videoId: video.id,
        kind: question.kind,
        class: question.class,
        footage: video.footage,
        timeSec: question.timeSec,
        question: question.question,
        truth: '',
      })),
    ),
    chance: chanceOf(videos),
    fps: 0,
  };
  return {
    suite: name,
    counts: countStatuses(items),
    metrics: summariseItems(items, recordSuite, seed, captions),
    judge: judge.description,
    items,
    notes: [...loaded.notes, ...(unanswered > 0 ? [`${unanswered} of ${questions.size} questions have no prediction and are counted as unscored`] : [])],
  };
}

async function scoreOne(
  video: BenchVideo,
  question: BenchQuestion,
  prediction: Prediction | undefined,
  judge: Judge,
  signal: AbortSignal,
): Promise<RecordItem> {
  const atSec = prediction?.timeSec ?? (question.kind === 'proactive' ? null : question.timeSec);
  const scored = await scoreAnswer(question, { text: prediction?.text ?? '', atSec }, judge, signal);
  const delayMs = (prediction?.processTimeSec ?? 0) * 1000;
  return {
    id: question.id,
    videoId: video.id,
    ...scored,
    output: prediction?.text ?? null,
    atSec,
    counts: nothing.counts,
    timings: { firstTokenMs: delayMs, totalMs: delayMs },
  };
}

const textual = z.union([z.string(), z.number().transform(String)]);
const plainMap = z.record(z.string(), textual);

const byQuestionId: Matcher = async (file, videos) => {
  const entries = await readAnnotations(file, plainMap);
  const known = new Set(videos.flatMap((video) => video.questions.map((question) => question.id)));
  return new Map(
    Object.entries(entries)
      .filter(([id]) => known.has(id))
      .map(([id, text]) => [id, { text }]),
  );
};

const streamItem = z.object({
  time: z.union([z.number(), z.string()]).optional(),
  question: z.string(),
  label: z.string(),
  predict: z.string(),
  process_time: z.number().optional(),
});

const matchers: Readonly<Record<string, Matcher>> = {
  // The items name no video: each is matched to the next question, in the order of the annotations, of that text and answer.
  streambench: async (file, videos) => {
    const items = await readAnnotations(file, z.union([z.array(streamItem), plainMap]));
    if (!Array.isArray(items)) return byQuestionId(file, videos);
    const waiting = Map.groupBy(
      videos.flatMap((video) => video.questions),
      (question) => JSON.stringify([question.question, question.kind === 'open' ? question.answers[0] : '']),
    );
    const found = new Map<string, Prediction>();
    for (const item of items) {
      const question = waiting.get(JSON.stringify([item.question, item.label]))?.shift();
      if (question) found.set(question.id, { text: item.predict, ...(item.process_time === undefined ? {} : { processTimeSec: item.process_time }) });
    }
    return found;
  },
  'msrvtt-caption': async (file, videos) => {
    const items = await readAnnotations(
      file,
      z.union([z.array(z.object({ image_id: textual, caption: z.string() })), z.array(z.object({ video_id: textual, caption: z.string() })), plainMap]),
    );
    const entries: readonly (readonly [string, string])[] = Array.isArray(items)
      ? items.map((item) => ['image_id' in item ? item.image_id : item.video_id, item.caption] as const)
      : Object.entries(items);
    const known = new Set(videos.map((video) => video.id));
    return new Map(entries.map(([id, text]) => [known.has(id) ? id : `video${id}`, { text }] as const).filter(([id]) => known.has(id)));
  },
  // Answers are numbers from 0 to 4; a letter or a sentence is read as any other answer.
  egoschema: async (file, videos) => {
    const found = await byQuestionId(file, videos);
    return new Map([...found].map(([id, { text }]) => [id, { text: /^[0-4]$/.test(text.trim()) ? 'ABCDE'[Number(text)]! : text }]));
  },
  'msrvtt-qa': async (file, videos) => {
    const row = z.object({
      id: textual.optional(),
      question_id: textual.optional(),
      answer: z.string().optional(),
      pred: z.string().optional(),
      prediction: z.string().optional(),
    });
    const items = await readAnnotations(file, z.union([z.array(row), plainMap]));
    if (!Array.isArray(items)) return byQuestionId(file, videos);
    const known = new Set(videos.flatMap((video) => video.questions.map((question) => question.id)));
    // A file that repeats the right answer beside the prediction must not be scored on the right answer.
    return new Map(
      items
        .map((item) => [item.question_id ?? item.id ?? '', { text: item.prediction ?? item.pred ?? item.answer ?? '' }] as const)
        .filter(([id]) => known.has(id)),
    );
  },
  'ovo-bench': async (file, videos) => {
    const response = z
      .string()
      .nullable()
      .transform((text) => text ?? '');
    const single = z.array(z.object({ id: z.number(), response }));
    const forward = z.array(z.object({ id: z.number(), test_info: z.array(z.object({ response })) }));
    const official = z.object({ backward: single, realtime: single, forward });
    const items = await readAnnotations(file, z.union([official, plainMap]));
    if (!isOvoOutput(items)) return byQuestionId(file, videos);
    const { backward, realtime, forward: waiting } = items;
    return new Map<string, Prediction>([
      ...[...backward, ...realtime].map((item) => [String(item.id), { text: item.response }] as const),
      ...waiting.flatMap((item) => item.test_info.map((test, index) => [`${item.id}.${index}`, { text: test.response }] as const)),
    ]);
  },
};

interface OvoOutput {
  readonly backward: readonly { readonly id: number; readonly response: string }[];
  readonly realtime: readonly { readonly id: number; readonly response: string }[];
  readonly forward: readonly { readonly id: number; readonly test_info: readonly { readonly response: string }[] }[];
}

function isOvoOutput(items: OvoOutput | Readonly<Record<string, string>>): items is OvoOutput {
  return Array.isArray(items['backward']);
}
