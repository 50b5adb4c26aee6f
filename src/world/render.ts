// Draws a world: any moment of it as a frame, in any order.
import type { Frame } from '../core/frame.ts';
import { createSurface } from '../runtime/canvas.ts';
import type { Canvas2D, Surface } from '../runtime/canvas.ts';
import { cameraOf, wander } from './camera.ts';
import { drawClock, drawHands, drawOccluder, lightTables, makeGlow, makeNoise } from './draw/overlay.ts';
import { drawPerson } from './draw/person.ts';
import { drawBag, drawBox, drawDog, drawDoor, drawLamp, LAMP_LIGHT_HEIGHT } from './draw/things.ts';
import { drawBicycle, drawCar } from './draw/vehicles.ts';
import { extentOf } from './extent.ts';
import { drawBackground, MARGIN_PX } from './scene/background.ts';
import { VIEW_WIDTH, WORLD_HEIGHT } from './scene/layout.ts';
import { brightnessAt, occluderAt } from './world.ts';
import type { ActorState, World } from './world.ts';

/** Size and noise of the pictures. */
export interface RenderOptions {
  /** Default 320; the world is made for 4:3 pictures. */
  readonly widthPx?: number;
  readonly heightPx?: number;
  /** Standard deviation of the sensor's noise, of 255. Default 3.5; 0 gives clean pictures. */
  readonly noise?: number;
}

/** Draws moments of one world. Pixels repeat exactly for the same build of the drawing library. */
export interface Renderer {
  readonly widthPx: number;
  readonly heightPx: number;
  /** The picture at a time, as a frame of its own memory. Let the event loop turn now and then (see `Surface.readRgba`). */
  frameAt(timeSec: number, index?: number): Frame;
  /** All frames at this rate, in order. */
  frames(fps: number, startSec?: number, endSec?: number): Generator<Frame>;
}

/** Backgrounds kept: enough for cuts between the scenes of one set, so that an hour of cuts stays small. */
const BACKGROUNDS_KEPT = 6;
const GLOW_PX = 92;

/** Makes a renderer of one world; it keeps backgrounds and buffers between pictures. */
export function createRenderer(world: World, options: RenderOptions = {}): Renderer {
  const widthPx = options.widthPx ?? VIEW_WIDTH;
  const heightPx = options.heightPx ?? WORLD_HEIGHT;
  const surface = createSurface(widthPx, heightPx);
  const g = surface.context;
  const scale = Math.max(widthPx / VIEW_WIDTH, heightPx / WORLD_HEIGHT);
  const backgrounds = new Map<number, Surface>();
  const glow = makeGlow(GLOW_PX);
  const noise = makeNoise(widthPx * heightPx * 3, options.noise ?? 3.5);


  const backgroundOf = (scene: number): Surface => {
    const known = backgrounds.get(scene);
    if (known !== undefined) {
      backgrounds.delete(scene);
      backgrounds.set(scene, known);
      return known;
    }
    const made = drawBackground(world.scenes[scene]!, scale);
    backgrounds.set(scene, made);
    if (backgrounds.size > BACKGROUNDS_KEPT) {
      const oldest = backgrounds.keys().next().value!;
      backgrounds.get(oldest)!.release();
      backgrounds.delete(oldest);
    }
    return made;
  };

  /** Draws the moment and returns the tables of its light. */
  const draw = (timeSec: number): Uint8Array => {
    const shot = world.shotAt(timeSec);
    const camera = cameraOf(shot, timeSec);
    const states = world.statesAt(timeSec);
    g.setTransform(widthPx / VIEW_WIDTH, 0, 0, heightPx / WORLD_HEIGHT, 0, 0);
    g.save();
    g.translate(VIEW_WIDTH / 2, WORLD_HEIGHT / 2);
    g.rotate(camera.rollRad);
    g.scale(camera.zoom, camera.zoom);
    g.translate(-camera.x, -camera.y);
    const background = backgroundOf(shot.scene);
    g.drawImage(background.drawable, -MARGIN_PX, -MARGIN_PX, background.widthPx / scale, background.heightPx / scale);
    const reach = VIEW_WIDTH / 2 + 90;
    for (const state of states) if (Math.abs(state.x - camera.x) < reach) drawShadow(g, state);
    for (const state of states) if (Math.abs(state.x - camera.x) < reach) drawActor(g, state, states, timeSec);
    g.globalCompositeOperation = 'screen';
    for (const state of states) {
      if (state.actor.kind !== 'lamp' || state.value < 0.5) continue;
      g.drawImage(glow.drawable, state.x - GLOW_PX, state.y - LAMP_LIGHT_HEIGHT[state.actor.look.variant]! * state.scale - GLOW_PX);
    }
    g.globalCompositeOperation = 'source-over';
    g.restore();
    const sinceCut = timeSec - shot.startSec;
    const dip = world.spec.footage === 'ego' && shot.startSec > 0 && sinceCut < 0.4 ? 0.15 + 0.85 * (sinceCut / 0.4) : 1;
    for (const occluder of world.occluders) {
      const left = occluderAt(occluder, timeSec);
      if (left !== null) drawOccluder(g, left, occluder.widthPx, occluder.tone);
    }
    if (world.spec.footage === 'ego') drawHands(g, timeSec, shot.seed);
    drawClock(g, timeSec);
    return lightTables(brightnessAt(world, timeSec, states) * dip, wander(timeSec, 53, world.spec.seed % 11));
  };

  const frameAt = (timeSec: number, index = 0): Frame => {
    const light = draw(timeSec);
    const rgba = surface.readRgba();
    const bytes = widthPx * heightPx * 3;
    const clamped = new Uint8ClampedArray(bytes);
    // The noise starts where the time says, so that frames come out alike in any order.
    let at = Math.imul(Math.round(timeSec * 1000) + 1, 0x9e3779b1) >>> 16;
    for (let from = 0, to = 0; to < bytes; from += 4, to += 3, at += 3) {
      clamped[to] = light[rgba[from]!]! + noise[at]!;
      clamped[to + 1] = light[256 + rgba[from + 1]!]! + noise[at + 1]!;
      clamped[to + 2] = light[512 + rgba[from + 2]!]! + noise[at + 2]!;
    }
    return { index, timeSec, widthPx, heightPx, rgb: new Uint8Array(clamped.buffer), pictureType: 'unknown' };
  };

  return {
    widthPx, heightPx, frameAt,
    *frames(fps, startSec = 0, endSec = world.durationSec) {
      const count = Math.floor((endSec - startSec) * fps + 1e-6);
      for (let i = 0; i < count; i++) yield frameAt(startSec + i / fps, i);
    },
  };
}

function drawShadow(g: Canvas2D, state: ActorState): void {
  const { kind } = state.actor;
  if (kind === 'door' || kind === 'lamp' || state.holder !== null) return;
  const [left, , right] = extentOf(kind, state.pose, state.actor.look.variant);
  const half = ((right - left) / 2) * state.scale * (kind === 'person' ? 0.85 : 0.98);
  g.globalAlpha = 0.26 * state.alpha;
  g.fillStyle = '#101014';
  g.beginPath();
  g.ellipse(state.x + ((left + right) / 2) * state.facing * state.scale + 5, state.y, half, half * (kind === 'car' ? 0.13 : 0.2), 0, 0, 7);
  g.fill();
  g.globalAlpha = 1;
}

function drawActor(g: Canvas2D, state: ActorState, states: readonly ActorState[], timeSec: number): void {
  const { actor, pose, scale, facing } = state;
  const { look } = actor;
  g.save();
  g.translate(state.x, state.y);
  g.scale(scale * facing, scale);
  if (state.alpha < 1) g.globalAlpha = Math.max(0, state.alpha);
  switch (actor.kind) {
    case 'person': {
      const load = states.find((s) => s.holder === actor)?.actor.kind;
      const stride = pose === 'run' ? 74 : pose === 'ride' ? 60 : 48;
      const phase = (state.travelPx / (stride * scale)) * 2 * Math.PI;
      const tilt = pose === 'lie' ? 1 : pose === 'fall' ? state.progress ** 1.6 : pose === 'rise' ? (1 - state.progress) ** 1.3 : 0;
      drawPerson(g, look, pose, phase, pose === 'wave' ? state.elapsedSec / 2 : state.progress, load === 'bag' || load === 'box' ? load : 'none', tilt);
      break;
    }
    case 'car': {
      const moving = pose === 'walk';
      const driver = moving ? '#39425c' : null;
      drawCar(g, look, state.travelPx / (11 * scale), driver, moving);
      break;
    }
    case 'bicycle': drawBicycle(g, look, state.travelPx / (18 * scale)); break;
    case 'dog': drawDog(g, look, pose, (state.travelPx / ((pose === 'run' ? 52 : 34) * scale)) * 2 * Math.PI, timeSec); break;
    case 'bag': drawBag(g, look); break;
    case 'box': drawBox(g, look); break;
    case 'door': drawDoor(g, look, state.value); break;
    case 'lamp': drawLamp(g, look, state.value); break;
    default: throw new TypeError(`unknown actor ${String(actor.kind satisfies never)}`);
  }
  g.restore();
}
