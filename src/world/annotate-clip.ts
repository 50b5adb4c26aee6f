// All that can be asked about one clip, as the annotation files of the three benchmarks.
import { createRandom } from '../core/random.ts';
import { captionsOf } from './captions.ts';
import { ANNOTATION_NAMES, captionFile, egoFiles, streamFile } from './formats.ts';
import { askStream } from './questions/ask.ts';
import { createBalance } from './questions/balance.ts';
import { askEgo } from './questions/ego.ts';
import { Viewing } from './questions/viewing.ts';
import { questionCount } from './suite.ts';
import type { World } from './world.ts';

/** Questions with five options a clip, each of another template. */
const mostEgoQuestions = 7;

export interface ClipAnnotations {
  /** By the name that the benchmark's loader looks for. A file that would have no entry, for nothing of its kind can be asked, is left out. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly counts: { readonly streamQuestions: number; readonly captions: number; readonly egoQuestions: number };
}

/**
 * Questions in mid-stream (StreamBench), captions (MSR-VTT) and questions with five options (EgoSchema) about one clip. The same world and id give
 * the same.
 * @param questions how many are asked in mid-stream at most; default by the clip's length
 */
export function annotateClip(id: string, world: World, questions = questionCount(world.durationSec)): ClipAnnotations {
  const viewing = new Viewing(world);
  const random = createRandom(`annotations ${world.spec.split} ${world.spec.seed}`);
  const stream = [{ id, world, questions: askStream(viewing, questions, createBalance(), random.fork('stream')) }];
  const captions = [{ id, world, captions: captionsOf(viewing, random.fork('captions')) }];
  const ego = askEgo(viewing, mostEgoQuestions, random.fork('ego')).map((question, n) => ({ id: `${id}-q${n}`, video: id, world, question }));
  const { questions: egoQuestions, answers } = egoFiles(ego);
  return {
    files: {
      ...(stream[0]!.questions.length > 0 && { [ANNOTATION_NAMES.stream]: streamFile(stream) }),
      [ANNOTATION_NAMES.captions]: captionFile(captions),
      ...(ego.length > 0 && { [ANNOTATION_NAMES.egoQuestions]: egoQuestions, [ANNOTATION_NAMES.egoAnswers]: answers }),
    },
    counts: { streamQuestions: stream[0]!.questions.length, captions: captions[0]!.captions.length, egoQuestions: ego.length },
  };
}
