// The built-in model before its training, for tests and speed runs: the sizes of the recipe, random weights, a tokenizer of few worlds.
import { createRandom } from '../src/core/random.ts';
import { smolvlmTokens, trainBpe } from '../src/train/bpe.ts';
import { exportCheckpoint } from '../src/train/export.ts';
import { nanoRecipe } from '../src/train/nano.ts';
import { createParameters } from '../src/train/parameters.ts';
import { vlmParameters } from '../src/train/vlm-config.ts';
import { streamClips } from '../src/world/suite.ts';

/** Writes the checkpoint folder. What the model says means nothing; what it costs is what the trained one costs. */
export async function writeUntrainedNano(folder: string): Promise<string> {
  const { config, seed } = nanoRecipe;
  const corpus = [...streamClips({ seed, split: 'train', clips: 6 })].flatMap(({ questions }) => questions.map(({ question, answer }) => `User: ${question}\nAssistant: ${answer}`));
  const tokenizer = trainBpe(corpus, { vocabulary: config.text.vocabulary, specialTokens: smolvlmTokens, minimumCount: 1 });
  await exportCheckpoint(folder, config, tokenizer, createParameters(vlmParameters(config), createRandom(seed)).weights);
  return folder;
}
