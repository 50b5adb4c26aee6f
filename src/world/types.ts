// Types of the synthetic world: what there is, where it is, what happens. All of it is plain data, made from a seed.

/** The places. */
export type SceneKind = 'street' | 'shop' | 'room' | 'park';

/** How the footage is taken. `ego` is a walk through several places, seen by the walker; it counts as a moving camera. */
export type Footage = 'fixed' | 'moving' | 'cuts' | 'ego';

/** What can be seen and asked about. */
export type ActorClass = 'person' | 'car' | 'bicycle' | 'dog' | 'bag' | 'box' | 'door' | 'lamp';

/** Colours by the names that questions use. */
export type ColourName = 'red' | 'orange' | 'yellow' | 'green' | 'blue' | 'purple' | 'pink' | 'brown' | 'black' | 'white';

/** What a body does. The last ones belong to people alone. */
export type Pose =
  | 'stand' | 'walk' | 'run' | 'lie'
  | 'bend' | 'reach' | 'give' | 'wave' | 'fall' | 'rise' | 'ride' | 'inside';

/** What can happen. */
export type EventKind =
  | 'enter' | 'leave' | 'stop' | 'turn' | 'meet' | 'pick-up' | 'put-down' | 'hand-over' | 'get-in' | 'get-out'
  | 'fall' | 'run' | 'open' | 'close' | 'switch-on' | 'switch-off' | 'appear' | 'vanish';

/** Training never sees what the test split holds out. */
export type Split = 'train' | 'test';

/** How one actor looks; fixed for its life. */
export interface Look {
  /** The colour that names the actor: a person's top, a car's paint, a dog's coat. */
  readonly colour: ColourName;
  /** People only. */
  readonly trousers: string;
  readonly skin: string;
  readonly hair: string;
  readonly hairStyle: 'short' | 'long' | 'bun';
  readonly hat: ColourName | null;
  /** Height of the body relative to the usual one. */
  readonly size: number;
  /** Which drawing of several (kind of lamp, of car). */
  readonly variant: number;
}

/** A stretch of an actor's life in which everything changes linearly. Times in seconds; positions in world pixels, at the feet. */
export interface Motion {
  readonly startSec: number;
  readonly endSec: number;
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly pose: Pose;
  /** Where the face points: +1 right, −1 left. */
  readonly facing: 1 | -1;
  readonly alpha0: number;
  readonly alpha1: number;
  /** A door's opening (0 shut, 1 open) or a lamp's light (0 off, 1 on). */
  readonly value0: number;
  readonly value1: number;
  /** Id of the person who holds this thing, or of the vehicle that this person sits on or in. */
  readonly holder: string | null;
}

/** Somebody or something that has a place in the world. */
export interface Actor {
  readonly id: string;
  readonly kind: ActorClass;
  /** Index into `World.scenes`. */
  readonly scene: number;
  readonly look: Look;
  /** In time order, without gaps, from the actor's first moment to its last. */
  readonly motions: readonly Motion[];
}

/** One thing that happens. */
export interface WorldEvent {
  readonly id: number;
  readonly kind: EventKind;
  readonly scene: number;
  readonly startSec: number;
  readonly endSec: number;
  /** Who does it, or to what it happens. */
  readonly actor: string;
  /** What it is done to: the bag picked up, the car got into, the door opened. */
  readonly object?: string;
  /** The second person of a meeting or handing over. */
  readonly other?: string;
  /** Direction of movement in the picture. */
  readonly towards?: 'left' | 'right';
  /** `door` where someone comes or goes through a door, otherwise the edge of the picture. */
  readonly through?: 'door' | 'edge';
  /** True where this activity in this place is held out of training. */
  readonly heldOut: boolean;
}

/** Where the camera looks: the world point in the middle of the picture, magnification and roll. */
export interface CameraPose {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
  readonly rollRad: number;
}

/** One uninterrupted take of one scene. */
export interface Shot {
  readonly startSec: number;
  readonly endSec: number;
  readonly scene: number;
  readonly style: 'fixed' | 'pan' | 'handheld' | 'walk';
  /** World x of the picture's middle at these times; linear between with smooth starts and stops (pan), or straight (walk). */
  readonly path: readonly { readonly timeSec: number; readonly x: number }[];
  /** Phases of shake and bob. */
  readonly seed: number;
  readonly zoom: number;
}

/** A thing of the background with a name, such as a bench. */
export interface Landmark {
  readonly name: 'bench' | 'tree' | 'table' | 'sofa' | 'counter' | 'shelf' | 'window' | 'pond' | 'sign';
  readonly x: number;
  readonly y: number;
  readonly widthPx: number;
}

/** The unmoving part of one place. */
export interface SceneLayout {
  readonly kind: SceneKind;
  readonly widthPx: number;
  /** Where the wall, or the far edge of the ground, meets the ground. */
  readonly horizonPx: number;
  /** Feet lines where people walk, far to near. */
  readonly lanes: readonly number[];
  /** Wheel lines for cars, empty where no car can be. Left-going first. */
  readonly roads: readonly number[];
  readonly landmarks: readonly Landmark[];
  /** Seed of textures and decoration. */
  readonly seed: number;
  /** Colours of wall and ground, CSS. */
  readonly wall: string;
  readonly ground: string;
}

/** Something that passes close before the lens and hides what is behind it. */
export interface Occluder {
  readonly startSec: number;
  readonly endSec: number;
  readonly direction: 1 | -1;
  /** Width in pixels of a 320-wide picture. */
  readonly widthPx: number;
  readonly tone: string;
}

/** What to make. */
export interface WorldSpec {
  readonly seed: number;
  readonly split: Split;
  readonly footage: Footage;
  readonly durationSec: number;
  /** `one` gives a single main activity, for captions; `many` goes on until the end. */
  readonly activities: 'one' | 'many';
  /** Test split only: make held-out colours and activities frequent in this clip, otherwise they are absent. */
  readonly heldOut: boolean;
  /** The place of fixed and moving footage; default: as the seed has it. Cuts and walks lead through several places. */
  readonly scene?: SceneKind;
}
