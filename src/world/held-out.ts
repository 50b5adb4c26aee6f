// What training never sees: some colours of some classes, some activities in some places, and some wordings.
import type { ActorClass, ColourName, SceneKind } from './types.ts';

/** One colour of each class; every colour stays known from other classes. */
export const HELD_OUT_COLOURS: Readonly<Partial<Record<ActorClass, ColourName>>> = {
  person: 'orange',
  car: 'green',
  bicycle: 'pink',
  dog: 'white',
  bag: 'yellow',
  box: 'blue',
  door: 'white',
};

/** Activities by their names in `script/`, each in one place only; each stays known from other places. */
export const HELD_OUT_ACTIVITIES: Readonly<Record<SceneKind, readonly string[]>> = {
  street: ['pick-up', 'turn-back'],
  shop: ['fall', 'meet'],
  room: ['hand-over', 'run-across'],
  park: ['switch', 'put-down'],
};

/** True for a colour of a class that training never shows. */
export function isHeldOutColour(kind: ActorClass, colour: ColourName): boolean {
  return HELD_OUT_COLOURS[kind] === colour;
}

/** True for an activity in a place where training never shows it. */
export function isHeldOutActivity(scene: SceneKind, activity: string): boolean {
  return HELD_OUT_ACTIVITIES[scene].includes(activity);
}

/** True for every fifth wording of a template: the test split alone uses it. */
export function isHeldOutWording(index: number): boolean {
  return index % 5 === 4;
}
