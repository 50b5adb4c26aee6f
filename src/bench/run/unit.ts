// One unit of work: one candidate watches one video and answers its questions in order of time.
import { messageOf } from '../../core/errors.ts';
import type { Candidate, CandidateAnswer, CandidateSession, CandidateStats, OpenOptions } from '../contract.ts';
import { parseYesNo } from '../metrics/short-answers.ts';
import { maxTokens } from '../prompt.ts';
import type { BenchQuestion, BenchVideo, ProactiveQuestion } from '../question.ts';

/** Counts that depend on the seed alone, and times that do not. */
export interface RawAnswer {
  readonly id: string;
  /** Null where the candidate failed. */
  readonly text: string | null;
  readonly error?: string;
  /** When it was answered: for a proactive question the moment the model chose to speak, null if it never did. */
  readonly atSec: number | 'end' | null;
  /** Proactive questions: what was said to each "is it time?". */
  readonly polls?: readonly { readonly timeSec: number; readonly text: string }[];
  readonly counts: Omit<CandidateAnswer, 'text' | 'firstTokenMs' | 'totalMs'>;
  readonly timings: Pick<CandidateAnswer, 'firstTokenMs' | 'totalMs'>;
}

export interface UnitResult {
  /** In the order of the video's questions. */
  readonly answers: readonly RawAnswer[];
  readonly counts: Omit<CandidateStats, keyof UnitTimings> | null;
  /** `drawMs`: what drawing the video took, of the first candidate that needed it. */
  readonly timings: UnitTimings & { readonly wallMs: number; readonly drawMs: number };
  /** Set where the video could not be gone through to its end. */
  readonly error?: string;
}

type UnitTimings = Pick<CandidateStats, 'streamMs' | 'answerMs' | 'queue' | 'peakRssBytes'>;

interface UnitRequest extends OpenOptions {
  readonly candidate: Candidate;
  readonly video: BenchVideo;
  readonly path: string;
  /** What drawing the video took just now. */
  readonly drawMs?: number;
}

/** Something to do at a moment: ask a question, or poll a proactive one. */
interface Event {
  readonly timeSec: number | 'end';
  readonly question: BenchQuestion;
}

/** What an answer cost that was never given. */
export const nothing: Pick<RawAnswer, 'counts' | 'timings'> = {
  counts: { kvBytes: 0, visualTokens: 0, generatedTokens: 0, tokensSeen: 0, meanSlots: 0, slotsRead: 0 },
  timings: { firstTokenMs: 0, totalMs: 0 },
};

/** A candidate's fault fails its questions and is kept; only an abort is thrown. */
export async function runUnit({ candidate, video, path, drawMs = 0, ...opening }: UnitRequest): Promise<UnitResult> {
  const began = performance.now();
  const { signal } = opening;
  const answers = new Map<string, RawAnswer>();
  let session: CandidateSession | undefined;
  let stats: CandidateStats | undefined;
  let error: string | undefined;
  try {
    session = await candidate.open(path, opening);
    for (const { timeSec, question } of eventsOf(video)) {
      signal.throwIfAborted();
      if (question.kind === 'proactive' && isSettled(answers.get(question.id))) continue;
      await session.advanceTo(timeSec, signal);
      answers.set(question.id, await answerAt(session, question, timeSec, answers.get(question.id), signal));
    }
    stats = session.stats();
  } catch (thrown) {
    signal.throwIfAborted();
    error = messageOf(thrown);
  } finally {
    await session?.close();
  }
  const { streamMs = 0, answerMs = 0, peakRssBytes = 0, queue = { longest: 0, atEnd: 0 }, ...counts } = stats ?? {};
  return {
    answers: video.questions.map(
      (question) => answers.get(question.id) ?? { id: question.id, text: null, error: error ?? 'not asked', atSec: null, ...nothing },
    ),
    counts: stats === undefined ? null : (counts as NonNullable<UnitResult['counts']>),
    timings: { streamMs, answerMs, peakRssBytes, queue, wallMs: performance.now() - began, drawMs },
    ...(error === undefined ? {} : { error }),
  };
}

function eventsOf(video: BenchVideo): Event[] {
  const events = video.questions.flatMap((question): Event[] => {
    if (question.kind !== 'proactive') return [{ timeSec: question.timeSec, question }];
    const polls = Math.floor(question.untilSec - question.timeSec);
    return Array.from({ length: polls }, (_, index) => ({ timeSec: question.timeSec + index + 1, question }));
  });
  const at = ({ timeSec }: Event) => (timeSec === 'end' ? Infinity : timeSec);
  return events.sort((a, b) => (at(a) === at(b) ? 0 : at(a) - at(b)));
}

async function answerAt(
  session: CandidateSession,
  question: BenchQuestion,
  timeSec: number | 'end',
  before: RawAnswer | undefined,
  signal: AbortSignal,
): Promise<RawAnswer> {
  try {
    return question.kind === 'proactive'
      ? await poll(session, question, timeSec as number, before, signal)
      : rawAnswer(question.id, timeSec, await ask(session, question, timeSec, signal));
  } catch (thrown) {
    signal.throwIfAborted();
    return { id: question.id, text: null, error: messageOf(thrown), atSec: null, ...nothing };
  }
}

function ask(session: CandidateSession, question: BenchQuestion, timeSec: number | 'end', signal: AbortSignal): Promise<CandidateAnswer> {
  const options = question.kind === 'choice' ? { options: question.options } : question.kind === 'yes-no' ? { options: ['Yes', 'No'] } : {};
  return session.ask({
    id: question.id,
    kind: question.kind,
    question: question.question,
    prompt: question.prompt,
    ...options,
    timeSec,
    maxTokens: question.maxTokens,
    remember: question.remember,
    signal,
  });
}

/** Asks whether it is time; on a yes, has the answer said. Costs of all polls add up. */
async function poll(
  session: CandidateSession,
  question: ProactiveQuestion,
  timeSec: number,
  before: RawAnswer | undefined,
  signal: AbortSignal,
): Promise<RawAnswer> {
  const reply = await session.ask({
    id: question.id,
    kind: 'poll',
    question: question.question,
    prompt: question.pollPrompt,
    options: ['Yes', 'No'],
    timeSec,
    maxTokens: maxTokens.poll,
    remember: false,
    signal,
  });
  const polls = [...(before?.polls ?? []), { timeSec, text: reply.text }];
  if (parseYesNo(reply.text) !== true) return { ...added(rawAnswer(question.id, null, { ...reply, text: '' }), before), polls };
  const said = await ask(session, question, timeSec, signal);
  return { ...added(added(rawAnswer(question.id, timeSec, said), rawAnswer(question.id, timeSec, reply)), before), polls };
}

/** Said at a moment, or failed: no more polls. */
function isSettled(answer: RawAnswer | undefined): boolean {
  return answer !== undefined && (answer.atSec !== null || answer.error !== undefined);
}

function rawAnswer(id: string, atSec: number | 'end' | null, answer: CandidateAnswer): RawAnswer {
  const { text, firstTokenMs, totalMs, ...counts } = answer;
  return { id, text, atSec, counts, timings: { firstTokenMs, totalMs } };
}

function added(answer: RawAnswer, before: RawAnswer | undefined): RawAnswer {
  if (before === undefined) return answer;
  return {
    ...answer,
    counts: { ...answer.counts, generatedTokens: answer.counts.generatedTokens + before.counts.generatedTokens },
    timings: { firstTokenMs: answer.timings.firstTokenMs, totalMs: answer.timings.totalMs + before.timings.totalMs },
  };
}
