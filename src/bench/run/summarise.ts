// From the scored answers of one cell to its metrics, counts and costs.
import { createRandom } from '../../core/random.ts';
import { accuracyBy, accuracyOf, streamScores, type Graded } from '../metrics/accuracy.ts';
import { scoreCaptions } from '../metrics/captions.ts';
import type { BenchQuestion, BenchVideo } from '../question.ts';
import { truthOf } from '../question.ts';
import { clusteredMean, quantile } from '../statistics/bootstrap.ts';
import type { CellCosts, CellMetrics, CellTimings, Counts, RecordCell, RecordItem, RecordSuite } from './record.ts';

/**
 * Adds each caption's own CIDEr-D. Document frequencies are those of all clips of the suite but the missing ones, also of those that this row was not
 * run on: a caption has the same score in every row.
 * @param questions of the whole suite
 */
export function withCaptionScores(
  items: readonly RecordItem[],
  questions: ReadonlyMap<string, BenchQuestion>,
): { readonly items: readonly RecordItem[]; readonly captions?: CellMetrics['captions'] } {
  const references = (id: string) => (questions.get(id) as Extract<BenchQuestion, { kind: 'caption' }>).references;
  const captioned = items.filter((item) => item.status === 'scored');
  if (captioned.length === 0) return { items };
  const known = new Set(items.filter(({ status }) => status === 'scored' || status === 'missing').map(({ id }) => id));
  const uncaptioned = [...questions.keys()].filter((id) => !known.has(id)).map(references);
  const scores = scoreCaptions(
    captioned.map((item) => ({ hypothesis: item.output!, references: references(item.id) })),
    uncaptioned,
  );
  const each = new Map(captioned.map((item, index) => [item.id, scores.ciderD.each[index]!]));
  const { bleu1, bleu2, bleu3, bleu4, rougeL, meteor, ciderD, ciderPlain } = scores;
  return {
    items: items.map((item) => (each.has(item.id) ? { ...item, ciderD: each.get(item.id)! } : item)),
    captions: {
      bleu1: bleu1.corpus,
      bleu2: bleu2.corpus,
      bleu3: bleu3.corpus,
      bleu4: bleu4.corpus,
      rougeL: rougeL.corpus,
      meteor: meteor.corpus,
      ciderD: ciderD.corpus,
      ciderPlain: ciderPlain.corpus,
    },
  };
}

/** The figure that pairs are compared by: 0 or 1 for an answer, CIDEr-D for a caption; undefined where unscored. */
export function mainValue(item: RecordItem): number | undefined {
  if (item.status !== 'scored') return undefined;
  return item.correct === null ? item.ciderD : Number(item.correct);
}

export function summariseItems(items: readonly RecordItem[], suite: RecordSuite, seed: number, captions: CellMetrics['captions']): CellMetrics {
  const values = items.flatMap((item) => {
    const value = mainValue(item);
    return value === undefined ? [] : [{ cluster: item.videoId, value }];
  });
  const main = values.length === 0 ? null : clusteredMean(values, createRandom(`${seed}:${suite.name}:main`), { range: suite.metric === 'ciderD' ? 10 : 1 });
  if (suite.metric === 'ciderD') return { main, ...(captions === undefined ? {} : { captions }) };
  const about = new Map(suite.questions.map((question) => [question.id, question]));
  const graded = items.flatMap((item): (Graded & { readonly id: string })[] =>
    item.status === 'scored' && item.correct !== null ? [{ id: item.id, videoId: item.videoId, correct: item.correct }] : [],
  );
  const present = items.filter((item) => item.status !== 'missing');
  const isJudged = items.some((item) => item.score !== null);
  return {
    main: main === null ? null : { estimate: main.estimate, low: Math.max(0, main.low), high: Math.min(1, main.high) },
    accuracy: accuracyOf(graded),
    accuracyUnscoredWrong: present.length === 0 ? null : graded.filter((one) => one.correct).length / present.length,
    byClass: accuracyBy(graded, (one) => about.get(one.id)!.class),
    byFootage: accuracyBy(graded, (one) => about.get(one.id)!.footage),
    ...(suite.questions.some((question) => question.evidenceAgeSec !== undefined) ? { byAge: accuracyBy(graded, (one) => ageGroup(about.get(one.id)!.evidenceAgeSec ?? 0)) } : {}),
    ...(isJudged ? { stream: streamScores(items) } : {}),
  };
}

/** Ages of what an answer rests on, in the order of a table. */
export const ageGroups = ['last minute', '1 to 10 minutes ago', 'over 10 minutes ago'] as const;

function ageGroup(ageSec: number): string {
  return ageGroups[ageSec < 60 ? 0 : ageSec < 600 ? 1 : 2];
}

export function countStatuses(items: readonly RecordItem[]): Counts {
  const count = (status: RecordItem['status']) => items.filter((item) => item.status === status).length;
  return { scored: count('scored'), unscored: count('unscored'), failed: count('failed'), missing: count('missing') };
}

/** @param items those of the videos of `units` */
export function costsOf(units: RecordCell['units'], items: readonly RecordItem[], suite: RecordSuite): CellCosts {
  const about = new Map(suite.videos.map((video) => [video.id, video]));
  const done = units.flatMap(({ videoId, counts }) => (counts === null ? [] : [{ ...counts, video: about.get(videoId)! }]));
  type Countable = 'frames' | 'keptFrames' | 'visualTokens' | 'offeredTokens' | 'patchLayers' | 'flops';
  const total = (key: Countable, of = done) => of.reduce((sum, counts) => sum + counts[key], 0);
  const given = answered(items).map((item) => item.counts);
  const over = (key: 'kvBytes' | 'tokensSeen' | 'meanSlots' | 'slotsRead') => given.reduce((sum, counts) => sum + counts[key], 0);
  const kvBytes = over('kvBytes');
  return {
    videos: done.length,
    streamSec: units.reduce((sum, { videoId }) => sum + about.get(videoId)!.streamSec, 0),
    frames: total('frames'),
    keptFrames: total('keptFrames'),
    visualTokens: total('visualTokens'),
    offeredTokens: total('offeredTokens'),
    patchLayers: total('patchLayers'),
    flops: total('flops'),
    byFootage: Object.fromEntries(
      [...Map.groupBy(done, ({ video }) => video.footage)].map(([kind, same]) => [kind, { frames: total('frames', same), patchLayers: total('patchLayers', same), visualTokens: total('visualTokens', same) }]),
    ),
    factors: { token: factor(total('offeredTokens'), total('visualTokens')), merge: factor(over('tokensSeen'), over('meanSlots')), bytesPerSlot: factor(kvBytes, over('meanSlots')) },
    slotsMean: factor(over('meanSlots'), given.length),
    slotsReadMean: factor(over('slotsRead'), given.length),
    kvBytesMean: given.length === 0 ? 0 : kvBytes / given.length,
    kvBytesMax: given.reduce((most, counts) => Math.max(most, counts.kvBytes), 0),
    peakKvBytes: done.reduce((most, counts) => Math.max(most, counts.peakKvBytes), 0),
  };
}

function factor(whole: number, part: number): number | null {
  return part === 0 ? null : whole / part;
}

export function timingsOf(units: RecordCell['units'], items: readonly RecordItem[]): CellTimings {
  const delays = answered(items)
    .map((item) => item.timings.firstTokenMs)
    .sort((a, b) => a - b);
  const total = (key: 'streamMs' | 'answerMs' | 'wallMs') => units.reduce((sum, unit) => sum + unit.timings[key], 0);
  const frames = units.reduce((sum, unit) => sum + (unit.counts?.frames ?? 0), 0);
  const streamMs = total('streamMs');
  return {
    firstTokenMs:
      delays.length === 0
        ? null
        : { min: delays[0]!, mean: delays.reduce((sum, delay) => sum + delay, 0) / delays.length, median: quantile(delays, 0.5), p95: quantile(delays, 0.95) },
    queue: {
      longest: units.reduce((most, { timings }) => Math.max(most, timings.queue.longest), 0),
      meanAtEnd: units.length === 0 ? 0 : units.reduce((sum, { timings }) => sum + timings.queue.atEnd, 0) / units.length,
    },
    framesPerSec: streamMs === 0 ? null : (frames * 1000) / streamMs,
    streamMs,
    answerMs: total('answerMs'),
    wallMs: total('wallMs'),
    peakRssBytes: units.reduce((most, unit) => Math.max(most, unit.timings.peakRssBytes), 0),
  };
}

function answered(items: readonly RecordItem[]): RecordItem[] {
  return items.filter((item) => item.status === 'scored' || item.status === 'unscored');
}

/**
 * What guessing scores: one over the number of options; for open answers and counts one over the number of distinct
 * answers of the suite; for proactive questions what speaking at once would score. Null for captions.
 */
export function chanceOf(videos: readonly BenchVideo[]): number | null {
  const questions = videos.flatMap((video) => video.questions);
  const distinct = new Map([...Map.groupBy(questions, (question) => question.kind)].map(([kind, group]) => [kind, new Set(group.map(truthOf)).size]));
  const chances = questions.flatMap((question): number[] => {
    switch (question.kind) {
      case 'choice':
        return [1 / question.options.length];
      case 'yes-no':
        return [0.5];
      case 'open':
      case 'count':
        return [1 / distinct.get(question.kind)!];
      case 'proactive':
        return [Math.abs(question.timeSec + 1 - question.dueSec) <= question.toleranceSec ? 1 : 0];
      case 'caption':
        return [];
    }
  });
  return chances.length === 0 ? null : chances.reduce((sum, chance) => sum + chance, 0) / chances.length;
}
