// Training clips of the synthetic world: rendered, coded to H.264 and decoded again, resized as the model will see them, with truth for every visual token.
import { createRandom } from '../core/random.ts';
import { createPreprocessor } from '../vision/preprocess.ts';
import { film } from '../world/film.ts';
import { createBalance } from '../world/questions/balance.ts';
import type { WorldSpec } from '../world/types.ts';
import { createWorld } from '../world/world.ts';
import type { OpenClipMaker, TextThread, TextTurn } from './samples.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';
import { createOptionPools, lessonsOf } from './world-lessons.ts';
import { actorSquares, tokenTruth } from './world-tokens.ts';

export interface WorldClipOptions {
  readonly seed: number;
  readonly split: 'train' | 'test';
  /** Length of clips with questions in mid-stream. */
  readonly streamSec: number;
  /** Questions at each half second. */
  readonly questionsPerTime: number;
  /** Visual tokens across a picture. */
  readonly tokenColumns: number;
}

/** What a clip is for: each kind of footage with questions in mid-stream, walks with questions about the whole, short scenes to describe. */
type ClipKind = 'stream' | 'ego' | 'caption';

/** Clips whose answers are balanced together. */
const blockClips = 32;

/** Kinds in a fixed turn, so that every stretch of numbers has the same shares; sizes and footage are drawn by number. */
export function worldClipSpec(index: number, { seed, split, streamSec }: WorldClipOptions): { kind: ClipKind; fps: number; spec: WorldSpec } {
  const turn = index % 8;
  const random = createRandom(`clip ${split} ${seed} ${index}`);
  const worldSeed = random.int(0, 2 ** 31);
  const spec = { seed: worldSeed, split, activities: 'many', heldOut: false } as const;
  if (turn === 3) return { kind: 'ego', fps: 1, spec: { ...spec, footage: 'ego', durationSec: random.int(60, 181) } };
  if (turn === 7) return { kind: 'caption', fps: 2, spec: { ...spec, footage: random.pick(['fixed', 'moving']), activities: 'one', durationSec: random.int(8, 13) } };
  return { kind: 'stream', fps: 2, spec: { ...spec, footage: (['fixed', 'moving', 'cuts'] as const)[(turn > 3 ? turn - 1 : turn) % 3]!, durationSec: streamSec } };
}

/** Times of a clip's pictures, in seconds. */
function timesOf({ fps, spec }: { readonly fps: number; readonly spec: WorldSpec }): number[] {
  return Array.from({ length: Math.max(1, Math.floor(spec.durationSec * fps)) }, (_, i) => i / fps);
}

/** Resizes as the model's image processor will. */
function resizer(config: VlmConfig) {
  const square = { widthPx: config.imagePx, heightPx: config.imagePx };
  const image = { resize: { kind: 'longest-edge-then-square', longestEdgePx: config.imagePx }, ...square, resample: 'lanczos', rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
  const { columns } = vlmSizes(config);
  return createPreprocessor(image, { patchPx: config.patchPx, columns, rows: columns });
}

/** Opens the lessons of a set of clips: those of a clip depend on those of its block's clips before, and are asked again in order where they were not asked here. */
function openLessons(options: WorldClipOptions): (index: number) => readonly TextThread[] {
  const newBlock = (number: number) => ({ number, next: number * blockClips, balance: createBalance(), pools: createOptionPools() });
  let block = newBlock(0);
  return (index) => {
    const number = Math.floor(index / blockClips);
    if (block.number !== number || block.next > index) block = newBlock(number);
    let threads: readonly TextThread[] = [];
    for (; block.next <= index; block.next++) {
      const clip = worldClipSpec(block.next, options);
      const random = createRandom(`lessons ${options.split} ${options.seed} ${block.next}`);
      threads = lessonsOf(clip.kind, createWorld(clip.spec), timesOf(clip), { balance: block.balance, pools: block.pools, questionsPerTime: options.questionsPerTime, tokenColumns: options.tokenColumns }, random);
    }
    return threads;
  };
}

/** All that is said about the first clips of a set; nothing is drawn. */
export function* lessonTexts(options: WorldClipOptions, clips: number): Generator<TextTurn> {
  const lessons = openLessons(options);
  for (let index = 0; index < clips; index++) for (const thread of lessons(index)) yield* thread;
}

const open: OpenClipMaker = (config, given) => {
  const options = given as WorldClipOptions;
  const preprocessor = resizer(config);
  const threadsOf = openLessons(options);
  return {
    async pictures(index) {
      const clip = worldClipSpec(index, options);
      const timesSec = timesOf(clip);
      const decoded = await film(createWorld(clip.spec), { fps: clip.fps, count: timesSec.length });
      return { timesSec, frames: decoded.map((frame) => preprocessor.resized(frame).rgb.slice()) };
    },
    truth(index) {
      const clip = worldClipSpec(index, options);
      const [world, timesSec] = [createWorld(clip.spec), timesOf(clip)];
      return { threads: threadsOf(index), squares: actorSquares(world, timesSec, vlmSizes(config).tokenColumns), ...(config.auxiliary && { auxiliary: tokenTruth(world, timesSec, config) }) };
    },
  };
};

export default open;
