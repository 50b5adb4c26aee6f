// Exact truth for every visual token of a picture of the synthetic world: what stands in its square, in which colour, doing what, where.
import { VIEW_WIDTH, WORLD_HEIGHT } from '../world/scene/layout.ts';
import { CLASS_NAMES, COLOUR_NAMES } from '../world/supervision.ts';
import type { ActorClass, ColourName, Pose } from '../world/types.ts';
import type { Seen, World } from '../world/world.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

const poses: readonly (readonly Pose[])[] = [['stand'], ['walk'], ['run'], ['lie', 'fall', 'rise'], ['bend'], ['reach', 'give'], ['wave'], ['ride']];
/** Classes whose colour has labels of its own; that of a lamp says nothing. Pairs are not labels, so that pairs held out of training stay possible. */
const coloured = ['person', 'hat', 'vehicle', 'dog', 'thing', 'door'] as const;

/** Labels of each visual token: class, colours of persons, hats, vehicles, dogs, things and doors, poses, facing right, open or lit; numbers: box of the largest thing there. */
export const worldAuxiliary = { labels: CLASS_NAMES.length + coloured.length * COLOUR_NAMES.length + poses.length + 3, numbers: 4 } as const;

/** A positive label is rare and counts for so much more. */
const positiveWeight = 4;

function groupOf(kind: ActorClass): (typeof coloured)[number] | null {
  if (kind === 'person' || kind === 'dog' || kind === 'door') return kind;
  if (kind === 'car' || kind === 'bicycle') return 'vehicle';
  return kind === 'lamp' ? null : 'thing';
}

function labelsOf(world: World, { id, kind, colour, pose, facing, value }: Seen): number[] {
  const colourLabel = (group: (typeof coloured)[number], name: ColourName) => CLASS_NAMES.length + coloured.indexOf(group) * COLOUR_NAMES.length + COLOUR_NAMES.indexOf(name);
  const firstPose = CLASS_NAMES.length + coloured.length * COLOUR_NAMES.length;
  const labels = [CLASS_NAMES.indexOf(kind)];
  const group = groupOf(kind);
  if (group) labels.push(colourLabel(group, colour));
  if (kind === 'person') {
    const { hat } = world.actor(id).look;
    if (hat) labels.push(colourLabel('hat', hat));
    const number = poses.findIndex((names) => names.includes(pose));
    if (number >= 0) labels.push(firstPose + number);
    if (facing > 0) labels.push(firstPose + poses.length);
  }
  if (kind === 'door' && value > 0.5) labels.push(firstPose + poses.length + 1);
  if (kind === 'lamp' && value > 0.5) labels.push(firstPose + poses.length + 2);
  return labels;
}

/** What shows in a square of the picture, far to near, and how much of the square it takes. A sliver at its edge cannot be told apart. */
export function inSquare(objects: readonly Seen[], token: number, tokenColumns: number): { readonly seen: Seen; readonly area: number }[] {
  const cell = { width: VIEW_WIDTH / tokenColumns, height: WORLD_HEIGHT / tokenColumns };
  const [left, top] = [(token % tokenColumns) * cell.width, Math.floor(token / tokenColumns) * cell.height];
  return objects.flatMap((seen) => {
    const { box, visible } = seen;
    const [across, down] = [Math.min(left + cell.width, box[0] + box[2]) - Math.max(left, box[0]), Math.min(top + cell.height, box[1] + box[3]) - Math.max(top, box[1])];
    const isPlain = visible >= 0.3 && across > 0 && down > 0 && across * down >= 0.08 * Math.min(cell.width * cell.height, box[2] * box[3]);
    return isPlain ? [{ seen, area: across * down }] : [];
  });
}

/** For each actor and each picture, the visual tokens in whose squares it shows. */
export function actorSquares(world: World, timesSec: readonly number[], tokenColumns: number): Record<string, number[][]> {
  const squares: Record<string, number[][]> = {};
  timesSec.forEach((timeSec, picture) => {
    const { objects } = world.observe(timeSec);
    for (let token = 0; token < tokenColumns ** 2; token++) {
      for (const { seen } of inSquare(objects, token, tokenColumns)) (squares[seen.id] ??= timesSec.map(() => []))[picture]!.push(token);
    }
  });
  return squares;
}

/** @returns float32 [times · tokensPerFrame, labels + numbers] both */
export function tokenTruth(world: World, timesSec: readonly number[], config: VlmConfig): { targets: Float32Array; weights: Float32Array } {
  const { tokenColumns, tokensPerFrame } = vlmSizes(config);
  const { labels, numbers } = worldAuxiliary;
  const width = labels + numbers;
  const targets = new Float32Array(timesSec.length * tokensPerFrame * width);
  const weights = new Float32Array(targets.length);
  timesSec.forEach((timeSec, frame) => {
    const { objects } = world.observe(timeSec);
    for (let token = 0; token < tokensPerFrame; token++) {
      const at = (frame * tokensPerFrame + token) * width;
      weights.fill(1, at, at + labels);
      let largest = 0;
      for (const { seen, area } of inSquare(objects, token, tokenColumns)) {
        const { box } = seen;
        for (const label of labelsOf(world, seen)) {
          targets[at + label] = 1;
          weights[at + label] = positiveWeight;
        }
        if (area <= largest) continue;
        largest = area;
        targets.set([box[0] / VIEW_WIDTH, box[1] / WORLD_HEIGHT, box[2] / VIEW_WIDTH, box[3] / WORLD_HEIGHT], at + labels);
        weights.fill(1, at + labels, at + width);
      }
    }
  });
  return { targets, weights };
}
