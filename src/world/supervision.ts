// Dense supervision for a trainer: what is in each picture, and many questions about one clip with the times of their evidence.
import type { Random } from '../core/random.ts';
import { DOING } from './questions/simple-facts.ts';
import { askDensely } from './questions/ask.ts';
import type { DenseOptions } from './questions/ask.ts';
import type { Balance } from './questions/balance.ts';
import type { WorldQuestion } from './questions/question.ts';
import type { Viewing } from './questions/viewing.ts';
import { VIEW_WIDTH, WORLD_HEIGHT } from './scene/layout.ts';
import type { ActorClass, ColourName, SceneKind } from './types.ts';
import type { World } from './world.ts';

/** Classes in the order of their numbers. */
export const CLASS_NAMES: readonly ActorClass[] = ['person', 'car', 'bicycle', 'dog', 'bag', 'box', 'door', 'lamp'];
export const COLOUR_NAMES: readonly ColourName[] = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black', 'white'];

export interface SupervisedObject {
  readonly id: string;
  readonly class: ActorClass;
  readonly colour: ColourName;
  /** left, top, width, height as shares of the picture, 0–1. */
  readonly box: readonly [number, number, number, number];
  /** Share of the whole thing that shows. */
  readonly visible: number;
  /** Of people; null where the pose has no name. */
  readonly action: string | null;
  /** Doors and lamps: open or on. */
  readonly active: boolean;
  /** Id of the holder, of bags, boxes and riders. */
  readonly holder: string | null;
}

export interface SupervisedFrame {
  readonly timeSec: number;
  readonly place: SceneKind;
  /** Far to near. */
  readonly objects: readonly SupervisedObject[];
}

/** What is in the picture at a time. @param leastVisible leave out what shows less of itself than this; default 0.1 */
export function superviseFrame(world: World, timeSec: number, leastVisible = 0.1): SupervisedFrame {
  const { objects, scene } = world.observe(timeSec);
  return {
    timeSec,
    place: world.scenes[scene]!.kind,
    objects: objects.filter((o) => o.visible >= leastVisible).map((o) => ({
      id: o.id, class: o.kind, colour: o.colour,
      box: [o.box[0] / VIEW_WIDTH, o.box[1] / WORLD_HEIGHT, o.box[2] / VIEW_WIDTH, o.box[3] / WORLD_HEIGHT],
      visible: o.visible,
      action: o.kind === 'person' ? (DOING[o.pose] ?? null) : null,
      active: o.value > 0.5,
      holder: o.holder,
    })),
  };
}

/** A question and the frames at which its evidence shows. */
export interface SupervisedQuestion extends WorldQuestion {
  /** Times of frames on the trainer's grid, rising, none after the question. */
  readonly evidenceTimesSec: readonly number[];
}

/** Hundreds of questions about one clip, in time order. @param fps rate of the trainer's frames, for the evidence */
export function* superviseQuestions(viewing: Viewing, fps: number, balance: Balance, random: Random, options: DenseOptions = {}): Generator<SupervisedQuestion> {
  for (const question of askDensely(viewing, balance, random, options)) {
    const times = new Set<number>();
    for (const [from, to] of question.evidence) {
      for (let i = Math.ceil(from * fps - 1e-6); i <= Math.min(to, question.timeSec) * fps + 1e-6; i++) times.add(i / fps);
    }
    yield { ...question, evidenceTimesSec: [...times].sort((a, b) => a - b) };
  }
}
