// EgoSchema: one question with five options about three minutes seen through somebody's eyes.
import { loadEgoSchema } from '../formats/egoschema.ts';
import type { Suite } from '../suite.ts';

export default {
  summary: 'long-form multiple choice over three-minute egocentric clips, five options',
  source: 'EgoSchema, arXiv 2308.09126: questions.json and subset_answers.json of the egoschema project',
  metric: 'accuracy',
  files: {
    questions: { names: ['questions.json', 'EgoSchema.csv'], what: 'questions with five options' },
    answers: { names: ['subset_answers.json', 'answers.json'], what: 'public answers', isOptional: true },
  },
  obtain: 'the EgoSchema project page, or its dataset page (videos/<q_uid>.mp4)',
  needsControls: true,
  load: ({ questions, answers }) => loadEgoSchema(questions!, answers),
} satisfies Suite;
