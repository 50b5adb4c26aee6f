// Training clips of the synthetic world: rendered, coded to H.264 and decoded again, resized as the model will see them, with truth for every visual token.
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createMemorySink } from '../runtime/media-sink.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { openSource } from '../source/open-source.ts';
import { createPreprocessor } from '../vision/preprocess.ts';
import { createBalance } from '../world/questions/balance.ts';
import type { Balance } from '../world/questions/balance.ts';
import { askDensely } from '../world/questions/ask.ts';
import { Viewing } from '../world/questions/viewing.ts';
import { createRenderer } from '../world/render.ts';
import type { ActorClass, ColourName, Footage } from '../world/types.ts';
import { createWorld } from '../world/world.ts';
import type { World } from '../world/world.ts';
import type { MadeClip, OpenClipMaker, TextTurn } from './samples.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

export interface WorldClipOptions {
  readonly seed: number;
  readonly frames: number;
  /** Frames a second that the model sees. */
  readonly fps: number;
  /** Kinds of footage, taken in turn. */
  readonly footage: readonly Footage[];
  /** Questions at each second asked about. */
  readonly questionsPerSec: number;
  readonly split: 'train' | 'test';
}

/** Clips whose answers are balanced together. */
const blockClips = 32;
const classes: readonly ActorClass[] = ['person', 'car', 'bicycle', 'dog', 'bag', 'box', 'door', 'lamp'];
const colours: readonly ColourName[] = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black', 'white'];
/** Size of the pictures that truth is given in. */
const view = { widthPx: 320, heightPx: 240 };

/** Labels of each visual token: class present, colour present, person moving, lamp or door on; numbers: box of the largest thing there. */
export const worldAuxiliary = { labels: classes.length + colours.length + 3, numbers: 4 } as const;

/** Footage by number, so that every kind has the same share. */
function worldOf(index: number, { seed, frames, fps, footage, split }: WorldClipOptions): World {
  const durationSec = Math.max(1, frames / fps);
  return createWorld({ seed: (seed + index * 7919) % 2 ** 31, split, footage: footage[index % footage.length]!, durationSec, activities: 'many', heldOut: false });
}

function askAbout(world: World, index: number, balance: Balance, { questionsPerSec, seed }: WorldClipOptions): (readonly TextTurn[])[] {
  const random = createRandom(`${seed} questions ${index}`);
  const asked = [...askDensely(new Viewing(world), balance, random, { everySec: 0.5, perTime: Math.max(1, Math.round(questionsPerSec / 2)) })];
  return asked.map((question) => {
    const evidenceSec = Math.min(...question.evidence.map(([from]) => from), question.timeSec);
    const before = question.history.map((turn): TextTurn => ({ timeSec: turn.timeSec, question: turn.question, answer: turn.answer, label: 'history', evidenceSec: turn.timeSec }));
    return [...before, { timeSec: question.timeSec, question: question.question, answer: question.answer, label: question.class, evidenceSec }];
  });
}

/** Frames of the world through H.264. */
async function throughCodec(world: World, { frames, fps }: WorldClipOptions) {
  const renderer = createRenderer(world, view);
  const sink = createMemorySink();
  await using writer = await openVideoWriter({ sink, format: 'matroska', ...view, fps });
  for (let i = 0; i < frames; i++) await writer.write(renderer.frameAt(i / fps, i).rgb, i / fps);
  await writer.close();
  await using source = await openSource(sink.bytes());
  const decoded = [];
  for await (const frame of source) decoded.push(frame);
  if (decoded.length !== frames) throw new UserError('CLIP_FRAMES', { what: 'a clip lost frames on its way through the codec', got: `${decoded.length}`, expected: `${frames}` });
  return decoded;
}

/** What can be seen in the square of the picture that each visual token stands for. */
export function tokenTruth(world: World, timesSec: readonly number[], config: VlmConfig): { targets: Float32Array; weights: Float32Array } {
  const { tokenColumns, tokensPerFrame } = vlmSizes(config);
  const width = worldAuxiliary.labels + worldAuxiliary.numbers;
  const targets = new Float32Array(timesSec.length * tokensPerFrame * width);
  const weights = new Float32Array(targets.length);
  const cell = { width: view.widthPx / tokenColumns, height: view.heightPx / tokenColumns };
  timesSec.forEach((timeSec, frame) => {
    const { objects } = world.observe(timeSec);
    for (let token = 0; token < tokensPerFrame; token++) {
      const at = (frame * tokensPerFrame + token) * width;
      weights.fill(1, at, at + worldAuxiliary.labels);
      const [left, top] = [(token % tokenColumns) * cell.width, Math.floor(token / tokenColumns) * cell.height];
      let largest = 0;
      for (const { kind, colour, box, visible, pose, value } of objects) {
        const overlap = [Math.min(left + cell.width, box[0] + box[2]) - Math.max(left, box[0]), Math.min(top + cell.height, box[1] + box[3]) - Math.max(top, box[1])] as const;
        if (visible < 0.3 || overlap[0] <= 0 || overlap[1] <= 0) continue;
        const area = overlap[0] * overlap[1];
        // A sliver at the edge of the square cannot be told apart.
        if (area < 0.08 * Math.min(cell.width * cell.height, box[2] * box[3])) continue;
        targets[at + classes.indexOf(kind)] = 1;
        targets[at + classes.length + colours.indexOf(colour)] = 1;
        const states = at + classes.length + colours.length;
        if (kind === 'person' && (pose === 'walk' || pose === 'run')) targets[states] = 1;
        if (kind === 'person' && (pose === 'lie' || pose === 'fall')) targets[states + 1] = 1;
        if ((kind === 'lamp' || kind === 'door') && value > 0.5) targets[states + 2] = 1;
        if (area <= largest) continue;
        largest = area;
        targets.set([box[0] / view.widthPx, box[1] / view.heightPx, box[2] / view.widthPx, box[3] / view.heightPx], at + worldAuxiliary.labels);
        weights.fill(1, at + worldAuxiliary.labels, at + width);
      }
    }
  });
  return { targets, weights };
}

const open: OpenClipMaker = (config, given) => {
  const options = given as WorldClipOptions;
  const square = { widthPx: config.imagePx, heightPx: config.imagePx };
  const image = { resize: { kind: 'longest-edge-then-square', longestEdgePx: config.imagePx }, ...square, resample: 'lanczos', rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
  const side = vlmSizes(config).columns;
  const preprocessor = createPreprocessor(image, { patchPx: config.patchPx, columns: side, rows: side });
  let block = { number: -1, next: 0, balance: createBalance() };
  /** Questions depend on those of the block's clips before: asked again in order where they were not asked here. */
  const questionsOf = (index: number) => {
    const number = Math.floor(index / blockClips);
    if (block.number !== number || block.next > index) block = { number, next: number * blockClips, balance: createBalance() };
    let threads: (readonly TextTurn[])[] = [];
    for (; block.next <= index; block.next++) threads = askAbout(worldOf(block.next, options), block.next, block.balance, options);
    return threads;
  };
  return {
    async make(index): Promise<MadeClip> {
      const world = worldOf(index, options);
      const timesSec = Array.from({ length: options.frames }, (_, i) => i / options.fps);
      const decoded = await throughCodec(world, options);
      return {
        timesSec,
        frames: decoded.map((frame) => preprocessor.resized(frame).rgb.slice()),
        threads: questionsOf(index),
        ...(config.auxiliary && { auxiliary: tokenTruth(world, timesSec, config) }),
      };
    },
  };
};

export default open;
