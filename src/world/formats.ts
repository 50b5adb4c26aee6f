// The official annotation files of StreamBench, MSR-VTT and EgoSchema, with what the world knows besides in further fields.
import type { CaptionClip, EgoClip, StreamClip } from './suite.ts';
import type { Split } from './types.ts';
import type { World } from './world.ts';

/** Names that loaders of the three benchmarks look for. */
export const ANNOTATION_NAMES = { stream: 'streambench.json', captions: 'test_videodatainfo.json', egoQuestions: 'questions.json', egoAnswers: 'subset_answers.json' } as const;

function about(world: World): { footage: string; places: string; duration: number; seed: number; split: Split; held_out_clip: boolean } {
  const { spec } = world;
  return {
    footage: spec.footage === 'ego' ? 'moving' : spec.footage,
    places: [...new Set(world.scenes.map((s) => s.kind))].join('+'),
    duration: spec.durationSec, seed: spec.seed, split: spec.split, held_out_clip: spec.heldOut,
  };
}

/** StreamBench: a list of videos with their breakpoints; `class_1` is the kind of footage, `class_2` the places. */
export function streamFile(clips: readonly StreamClip[]): unknown {
  return clips.filter((clip) => clip.questions.length > 0).map((clip) => {
    const { footage, places, ...rest } = about(clip.world);
    return {
      info: { video_path: `${clip.id}.mp4`, class_1: footage, class_2: places, ...rest },
      breakpoint: clip.questions.map((q) => ({
        time: q.timeSec, question: q.question, answer: q.answer, class: q.class,
        template: q.template, wording: q.wording, evidence: q.evidence, held_out: q.heldOut,
      })),
    };
  });
}

/** MSR-VTT: videos and their sentences. */
export function captionFile(clips: readonly CaptionClip[]): unknown {
  return {
    info: { description: 'Synthetic clips with exact ground truth' },
    videos: clips.map((clip, id) => ({
      id, video_id: clip.id, category: ['street', 'shop', 'room', 'park'].indexOf(clip.world.scenes[0]!.kind), url: '',
      'start time': 0, 'end time': clip.world.durationSec, ...about(clip.world),
    })),
    sentences: clips.flatMap((clip, i) => clip.captions.map((caption, n) => ({ sen_id: i * clip.captions.length + n, video_id: clip.id, caption }))),
  };
}

/** EgoSchema: the questions file, and the file of right options. */
export function egoFiles(clips: readonly EgoClip[]): { questions: unknown; answers: Readonly<Record<string, number>> } {
  return {
    questions: clips.map(({ id, video, world, question }) => ({
      q_uid: id, ...(video !== undefined && { video }), question: question.question,
      ...Object.fromEntries(question.options.map((option, i) => [`option ${i}`, option])),
      template: question.template, wording: question.wording, evidence: question.evidence, held_out: question.heldOut, ...about(world),
    })),
    answers: Object.fromEntries(clips.map(({ id, question }) => [id, question.correct])),
  };
}
