// Retrofit data for vision-language models of any family: clips of the synthetic world, seen by the checkpoint's own encoder, with questions in its own prompt format.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { ModelError, UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import type { Random } from '../core/random.ts';
import type { Checkpoint, StreamFormat } from '../models/contract.ts';
import { openWeights } from '../models/packed/open.ts';
import { readSafetensorsHeader, weightSource } from '../models/safetensors.ts';
import type { VisionEncoder } from '../vision/encoder.ts';
import { openVisionEncoder } from '../vision/encoder.ts';
import type { Preprocessor } from '../vision/preprocess.ts';
import { createPreprocessor } from '../vision/preprocess.ts';
import { captionsOf } from '../world/captions.ts';
import { film } from '../world/film.ts';
import { captionPrompt } from '../world/protocol-prompts.ts';
import { askDensely } from '../world/questions/ask.ts';
import { createBalance } from '../world/questions/balance.ts';
import { Viewing } from '../world/questions/viewing.ts';
import { createWorld } from '../world/world.ts';
import { placeBehind, speakSome } from './dialogue.ts';
import { createEpochs } from './epochs.ts';
import type { RetrofitData } from './retrofit-data.ts';
import type { RetrofitShape } from './retrofit-decoder.ts';
import type { RetrofitClip } from './retrofit-threads.ts';
import { newlineId, packClips } from './retrofit-threads.ts';
import { writeSafetensors } from './safetensors-writer.ts';
import type { SpokenTurn, Thread } from './vlm-batch.ts';
import { partIds, streamPrefix } from './vlm-batch.ts';

export interface ClipDataOptions {
  readonly seed: number;
  /** Clips of a batch. */
  readonly clips: number;
  readonly frames: number;
  /** Frames a second that clips are seen at, one after another: a memory is asked after seconds and after minutes. */
  readonly rates: readonly number[];
  /** Rows for questions behind each clip, and their length in tokens. */
  readonly threads: number;
  readonly threadLength: number;
  /** Questions that stand between the frames, asked and answered, at most; how many is drawn for each clip. */
  readonly spokenTurns: number;
  readonly trainingClips: number;
  readonly heldOutClips: number;
  /** Where encoded clips are kept. */
  readonly folder: string;
  readonly cacheFolder: string;
  readonly onnxThreads: number;
}

interface EncodedClip {
  readonly visual: Float32Array;
  readonly timesSec: readonly number[];
  readonly threads: readonly (readonly SpokenTurn[])[];
  /** Asked for behind all frames, each on its own. */
  readonly captions: readonly SpokenTurn[];
}

/** Captions of a clip: long answers, which a memory that merges what is being said spoils first. */
const captionsPerClip = 3;
const footage = ['fixed', 'moving', 'cuts'] as const;
/** Tokens that one spoken turn takes, about. */
const tokensPerTurn = 40;

/** The world of a clip, through H.264 as a camera's would come. */
async function filmedClip(index: number, split: 'train' | 'held-out', fps: number, { seed, frames, rates }: ClipDataOptions) {
  const random = createRandom(`retrofit clip ${split} ${seed} ${index}`);
  // The shortest clips are about one thing, as those are that captions are asked of.
  const activities = fps === Math.max(...rates) ? 'one' : 'many';
  const world = createWorld({ seed: random.int(0, 2 ** 31), split: split === 'train' ? 'train' : 'test', footage: footage[index % footage.length]!, durationSec: Math.max(3, frames / fps), activities, heldOut: false });
  const timesSec = Array.from({ length: frames }, (_, i) => i / fps);
  const shown = await film(world, { fps, count: frames });
  const framesAt = (at: number) => timesSec.filter((time) => time <= at + 1e-6).length;
  const turn = (said: { readonly timeSec: number; readonly question: string; readonly answer: string }): SpokenTurn => ({ frames: framesAt(said.timeSec), question: said.question, answer: said.answer });
  const viewing = new Viewing(world);
  const asked = [...askDensely(viewing, createBalance(), random, { everySec: 0.5, perTime: 3 })].filter(({ timeSec }) => timeSec < frames / fps);
  const captions = random.shuffle(captionsOf(viewing, random)).slice(0, captionsPerClip);
  return {
    timesSec,
    shown,
    threads: asked.map((question) => [...question.history.map(turn), turn(question)]),
    captions: captions.map((answer): SpokenTurn => ({ frames, question: captionPrompt, answer })),
  };
}

/** Clips, encoded once and kept on disk. */
async function encodedClip(index: number, split: 'train' | 'held-out', options: ClipDataOptions, encoder: VisionEncoder, preprocessor: Preprocessor): Promise<EncodedClip> {
  // Each rate comes with each kind of footage.
  const fps = options.rates[Math.floor(index / footage.length) % options.rates.length]!;
  const file = path.join(options.folder, `clip-${split}-${options.seed}-${options.frames}at${fps}-${index}.safetensors`);
  try {
    const { tensors, metadata } = await readSafetensorsHeader(file);
    return { visual: await weightSource(tensors.get('visual')!).read(), ...(JSON.parse(metadata.get('dialogue')!) as Omit<EncodedClip, 'visual'>) };
  } catch (error) {
    // Not made yet, or damaged: made again.
    if (!(error instanceof ModelError)) throw error;
  }
  const { shown, ...dialogue } = await filmedClip(index, split, fps, options);
  const { tokensPerFrame, tokenWidth } = encoder;
  const visual = new Float32Array(shown.length * tokensPerFrame * tokenWidth);
  const state = encoder.open();
  for (const [i, frame] of shown.entries()) visual.set((await encoder.encode(state, preprocessor.patches(frame))).tokens, i * tokensPerFrame * tokenWidth);
  await writeSafetensors(file, [{ name: 'visual', dtype: 'F32', shape: [shown.length * tokensPerFrame, tokenWidth], data: visual }], { dialogue: JSON.stringify(dialogue) });
  return { visual, ...dialogue };
}

/** Lays a clip out: some questions are spoken between the frames, all others stand behind the frames that they were asked after; captions come first, for not all find room. */
export function layOutClip(clip: EncodedClip, stream: StreamFormat, tokensPerFrame: number, spokenTurns: number, prefixTokens: number, random: Random): RetrofitClip {
  const withNewline: StreamFormat = { ...stream, question: (text, place) => stream.question(text, place).map((part) => (part.kind === 'newline' ? { kind: 'text', ids: Int32Array.of(newlineId) } : part)) };
  const { spoken, prefix, left } = speakSome(withNewline, clip.timesSec, tokensPerFrame, random.shuffle(clip.threads), (thread) => thread, { turns: spokenTurns, prefixTokens }, random);
  const threads = [...clip.captions.map((turn) => [turn]), ...left].map((thread): Thread =>
    thread.map(({ frames, question, answer }, i) => ({
      frames, label: '', prompt: Int32Array.from(partIds(withNewline.question(question, placeBehind(spoken, prefix, frames, i)))), answer: Int32Array.from([...stream.answer(answer), ...stream.answerEnd]),
    })),
  );
  return { visual: clip.visual, prefix, threads };
}

/**
 * Opens the data; clips are made and encoded as they are asked for, and kept.
 * @throws UserError for a model without vision
 */
export async function openClipData(checkpoint: Checkpoint, options: ClipDataOptions): Promise<RetrofitData> {
  const { vision, prompt, tokensPerFrame, decoder } = checkpoint;
  if (!vision) throw new UserError('NO_VISION', { what: `${checkpoint.folder} sees no clips`, got: `a ${checkpoint.family} model of text alone`, expected: 'a vision-language model', todo: 'retrofit it on text that it writes itself' });
  await using opened = new AsyncDisposableStack();
  const packed = opened.use(await openWeights(checkpoint, 'float32', options.cacheFolder, { threads: options.onnxThreads }));
  if (!packed.vision) throw new ModelError('NO_VISION', { what: `the weights of ${checkpoint.folder} have no vision encoder` });
  const encoder = opened.use(await openVisionEncoder({ spec: vision.spec, projector: vision.projector }, packed.vision, { threads: options.onnxThreads }));
  const preprocessor = createPreprocessor(vision.image, vision.spec);
  await mkdir(options.folder, { recursive: true });
  const { clips: B, frames: F, threads: N, threadLength: T } = options;
  const frameTokens = Math.max(...options.rates.map((fps) => streamPrefix(prompt.stream, Array.from({ length: F }, (_, i) => i / fps), tokensPerFrame).ids.length));
  const P = frameTokens + options.spokenTurns * tokensPerTurn;
  const shape: RetrofitShape = { sequences: B, prefix: P, threads: N, threadLength: T, rows: B * N * Math.ceil(T / 4), visual: B * F * tokensPerFrame + 1 };
  const newline = encoder.newline ?? new Float32Array(decoder.spec.width);
  const trainingClip = createEpochs(options.trainingClips, (pass) => `${options.seed} clips ${pass}`);
  const resources = opened.move();
  return {
    shape,
    opening: prompt.stream.opening.length,
    heldOutBatches: Math.max(1, Math.floor(options.heldOutClips / B)),
    async batch(split, index) {
      const laidOut: RetrofitClip[] = [];
      for (let i = 0; i < B; i++) {
        const at = index * B + i;
        const number = split === 'held-out' ? at % options.heldOutClips : trainingClip(at);
        const clip = await encodedClip(number, split, options, encoder, preprocessor);
        laidOut.push(layOutClip(clip, prompt.stream, tokensPerFrame, options.spokenTurns, P, createRandom(`${options.seed} ${split} layout ${at}`)));
      }
      return packClips(shape, decoder.spec.vocabulary, laidOut, newline);
    },
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}
