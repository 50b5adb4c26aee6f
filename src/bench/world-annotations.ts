// What is asked about clips of the synthetic world: clips and questions of a suite, and its annotation files.
import { createRandom } from '../core/random.ts';
import { captionFile, egoFiles, streamFile, ANNOTATION_NAMES } from '../world/formats.ts';
import { candidatesAt } from '../world/questions/ask.ts';
import { createBalance, type Balance } from '../world/questions/balance.ts';
import { askEgo } from '../world/questions/ego.ts';
import { word, type WorldQuestion } from '../world/questions/question.ts';
import { Viewing } from '../world/questions/viewing.ts';
import { captionClips, egoClips, streamClips, type EgoClip, type StreamClip } from '../world/suite.ts';
import type { WorldSpec } from '../world/types.ts';
import type { World } from '../world/world.ts';
import { ageOf } from './question.ts';
import type { GenerateRequest } from './suite.ts';

/** Suites of the synthetic world. */
export type WorldKind = 'world-stream' | 'world-caption' | 'world-ego';

interface Annotations {
  /** By name, in the official format. */
  readonly files: Readonly<Record<string, unknown>>;
  /** Of each clip, by its id: what its video is drawn from. */
  readonly specs: Readonly<Record<string, WorldSpec>>;
}

/** Several questions a walk: drawing one takes longer than watching it, and each is answered as if it were alone. */
const egoQuestions = 4;
/** A long stream is asked this often. */
const longQuestionSec = 30;
const probeSec = 5;
/** Limits of the ages that a long stream is asked about in equal parts: a fact of the last minute, of the last ten, older. */
const ageLimitsSec = [60, 600, Infinity] as const;

const lengthsSec = { 'world-stream': [20, 60], 'world-caption': [8, 12], 'world-ego': [60, 180] } as const;
const shortStreamSec = [16, 20] as const;

/** The longest video that a suite may have. */
export function longestSec(kind: WorldKind, length: NonNullable<GenerateRequest['length']>): number {
  if (kind !== 'world-stream' || length === 'usual') return lengthsSec[kind][1];
  return length === 'short' ? shortStreamSec[1] : length.minutes * 60;
}

/** @throws the reason of `signal` when it fires */
export async function worldAnnotations(kind: WorldKind, { seed, size, length = 'usual', signal, onClip }: GenerateRequest): Promise<Annotations> {
  const options = { seed, split: 'test', clips: size } as const;
  const specs: Record<string, WorldSpec> = {};
  /** Others want the thread between two clips. */
  const gather = async <C extends { readonly id: string; readonly world: World }>(clips: Iterable<C>): Promise<C[]> => {
    const all: C[] = [];
    for (const clip of clips) {
      signal.throwIfAborted();
      all.push(clip);
      specs[clip.id] = clip.world.spec;
      onClip?.(clip.id, all.length, size);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return all;
  };
  signal.throwIfAborted();
  switch (kind) {
    case 'world-stream':
      return { files: { [ANNOTATION_NAMES.stream]: streamFile(await gather(typeof length === 'object' ? longClips(options, length.minutes * 60) : usualClips(options, length === 'short' ? shortStreamSec : lengthsSec[kind]))) }, specs };
    case 'world-caption':
      return { files: { [ANNOTATION_NAMES.captions]: captionFile(await gather(captionClips(options))) }, specs };
    case 'world-ego': {
      const clips = await gather(length === 'short' ? shortWalks(options) : egoClips(options));
      const asked = clips.flatMap((clip) => askEgo(new Viewing(clip.world), egoQuestions, createRandom(`${clip.id} questions`)).map((question, n) => ({ ...clip, id: `${clip.id}-q${n}`, video: clip.id, question })));
      const { questions, answers } = egoFiles(asked);
      return {
        files: {
          [ANNOTATION_NAMES.egoQuestions]: questions,
          [ANNOTATION_NAMES.egoAnswers]: answers,
        },
        specs,
      };
    }
  }
}

function usualClips(options: { readonly seed: number; readonly split: 'test'; readonly clips: number }, [minSec, maxSec]: readonly [number, number]): Iterable<StreamClip> {
  return streamClips({ ...options, minSec, maxSec });
}

/** The shortest of the walks that a larger suite would begin with. */
function shortWalks(options: Parameters<typeof egoClips>[0]): EgoClip[] {
  return [...egoClips({ ...options, clips: options.clips * 6 })].sort((a, b) => a.world.durationSec - b.world.durationSec).slice(0, options.clips);
}

/** Streams far longer than a model's context: one question in every half minute, about what just happened and about what is long past, in equal parts. */
function* longClips(options: { readonly seed: number; readonly split: 'test'; readonly clips: number }, durationSec: number): Generator<StreamClip> {
  const balance = createBalance();
  for (const clip of streamClips({ ...options, minSec: durationSec, maxSec: durationSec, questions: 1 })) {
    yield { ...clip, questions: longQuestions(clip, balance) };
  }
}

function longQuestions({ id, world }: StreamClip, balance: Balance): WorldQuestion[] {
  const random = createRandom(`${id} long`);
  const viewing = new Viewing(world);
  const questions: WorldQuestion[] = [];
  const asked = ageLimitsSec.map(() => 0);
  for (let fromSec = longQuestionSec; fromSec < world.durationSec - 2; fromSec += longQuestionSec) {
    // What is old can seldom be asked about without doubt: several moments of the half minute are looked at for it.
    const times = Array.from({ length: Math.ceil(longQuestionSec / probeSec) }, (_, i) => fromSec + i * probeSec).filter((timeSec) => timeSec < world.durationSec - 2);
    const open = times.flatMap((timeSec) => candidatesAt(viewing, timeSec)).filter((candidate) => balance.admits(candidate));
    // Of the age that was asked about least.
    const byAge = Map.groupBy(open, ({ timeSec, draft }) => ageLimitsSec.findIndex((limit) => ageOf(timeSec, draft.evidence) < limit));
    const [age] = [...byAge.keys()].sort((a, b) => asked[a]! - asked[b]! || b - a);
    if (age === undefined) continue;
    const chosen = byAge.get(age)!.map((candidate) => ({ candidate, rank: balance.rank(candidate) + random.next() * 0.3 })).reduce((a, b) => (b.rank < a.rank ? b : a)).candidate;
    balance.add(chosen);
    asked[age]!++;
    questions.push(word(world, chosen, random));
  }
  return questions;
}
