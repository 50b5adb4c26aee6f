// Draws a person from the side, in units of a hundredth of the body's height, feet at the origin, facing right.
import type { Canvas2D } from '../../runtime/canvas.ts';
import { PAINT, shade } from '../colours.ts';
import type { Look, Pose } from '../types.ts';

/** What a person carries changes the arms. */
export type Load = 'none' | 'bag' | 'box';

/** Angles in radians from straight down, forward positive. */
interface Joints {
  lean: number;
  hip: number;
  thighs: [number, number];
  shins: [number, number];
  arms: [number, number];
  forearms: [number, number];
}

function jointsOf(pose: Pose, phase: number, progress: number, load: Load): Joints {
  const swing = Math.sin(phase);
  const lift = Math.cos(phase);
  const joints: Joints = { lean: 0, hip: 46, thighs: [0.07, -0.07], shins: [0.05, -0.09], arms: [0.12, -0.1], forearms: [0.25, 0.05] };
  switch (pose) {
    case 'walk':
      joints.thighs = [0.52 * swing, -0.52 * swing];
      joints.shins = [0.52 * swing - 0.55 * Math.max(0, lift), -0.52 * swing - 0.55 * Math.max(0, -lift)];
      joints.arms = [-0.5 * swing, 0.5 * swing];
      joints.forearms = [-0.5 * swing + 0.3, 0.5 * swing + 0.3];
      joints.lean = 0.05;
      break;
    case 'run':
      joints.thighs = [1.0 * swing + 0.15, -1.0 * swing + 0.15];
      joints.shins = [swing - 0.35 - 1.1 * Math.max(0, lift), -swing - 0.35 - 1.1 * Math.max(0, -lift)];
      joints.arms = [-1.1 * swing, 1.1 * swing];
      joints.forearms = [-1.1 * swing + 1.5, 1.1 * swing + 1.5];
      joints.lean = 0.3;
      break;
    case 'bend': {
      const depth = Math.sin(Math.min(1, progress) * Math.PI) ** 0.6;
      joints.lean = 1.35 * depth;
      joints.hip = 46 - 11 * depth;
      joints.thighs = [0.75 * depth, 0.45 * depth];
      joints.shins = [-0.55 * depth, -0.75 * depth];
      joints.arms = [0.2 * depth, 0.05 * depth];
      joints.forearms = [0.2 * depth, 0.05 * depth];
      break;
    }
    case 'reach':
      joints.arms = [1.9, 0];
      joints.forearms = [2.05, 0.1];
      break;
    case 'give':
      joints.arms = [1.35, 1.2];
      joints.forearms = [1.55, 1.5];
      joints.lean = 0.12;
      break;
    case 'wave':
      joints.arms = [2.5, -0.1];
      joints.forearms = [2.9 + 0.45 * Math.sin(progress * 22), 0.05];
      break;
    case 'ride':
      joints.lean = 0.42;
      joints.thighs = [1.15 + 0.4 * Math.sin(phase), 1.15 - 0.4 * Math.sin(phase)];
      joints.shins = [-0.1 + 0.4 * Math.sin(phase), -0.1 - 0.4 * Math.sin(phase)];
      joints.arms = [1.0, 0.95];
      joints.forearms = [1.15, 1.1];
      break;
    case 'fall':
    case 'lie':
    case 'rise':
      joints.arms = [0.5, -0.5];
      joints.forearms = [0.9, -0.3];
      joints.thighs = [0.25, -0.1];
      joints.shins = [-0.1, -0.25];
      break;
    case 'stand':
    case 'inside':
      break;
    default:
      pose satisfies never;
  }
  if (load === 'bag' && (pose === 'walk' || pose === 'stand' || pose === 'run' || pose === 'wave')) {
    if (pose !== 'wave') [joints.arms[0], joints.forearms[0]] = [0.1, 0.1];
    else [joints.arms[1], joints.forearms[1]] = [0.1, 0.1];
  }
  if (load === 'box' && pose !== 'bend' && pose !== 'give') {
    joints.arms = [0.55, 0.45];
    joints.forearms = [1.5, 1.45];
  }
  return joints;
}

function limb(g: Canvas2D, x: number, y: number, upper: number, lower: number, length: number, width: number, colour: string, tip: string | null): void {
  const kneeX = x + Math.sin(upper) * length;
  const kneeY = y + Math.cos(upper) * length;
  const endX = kneeX + Math.sin(lower) * length;
  const endY = kneeY + Math.cos(lower) * length;
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.beginPath();
  g.moveTo(x, y);
  g.lineTo(kneeX, kneeY);
  g.lineTo(endX, endY);
  g.stroke();
  if (tip !== null) {
    g.fillStyle = tip;
    g.beginPath();
    g.arc(endX, endY, width * 0.52, 0, 7);
    g.fill();
  }
}

function leg(g: Canvas2D, hip: number, thigh: number, shin: number, colour: string): void {
  const kneeX = Math.sin(thigh) * 22;
  const kneeY = -hip + Math.cos(thigh) * 22;
  const footX = kneeX + Math.sin(shin) * 22;
  const footY = Math.min(-2, kneeY + Math.cos(shin) * 22);
  g.strokeStyle = colour;
  g.lineWidth = 9.5;
  g.beginPath();
  g.moveTo(0, -hip);
  g.lineTo(kneeX, kneeY);
  g.lineTo(footX, footY);
  g.stroke();
  g.strokeStyle = '#2b2320';
  g.lineWidth = 6;
  g.beginPath();
  g.moveTo(footX - 1, footY);
  g.lineTo(footX + 7, footY + 0.5);
  g.stroke();
}

function head(g: Canvas2D, look: Look): void {
  g.fillStyle = look.skin;
  g.beginPath();
  g.arc(0, 0, 10, 0, 7);
  g.fill();
  g.beginPath();
  g.moveTo(9, -2);
  g.lineTo(12.5, 2);
  g.lineTo(8, 4);
  g.fill();
  g.fillStyle = look.hair;
  g.beginPath();
  g.arc(-1, -1.5, 10.6, 2.3, 5.6);
  g.fill();
  if (look.hairStyle === 'long') {
    g.beginPath();
    g.roundRect(-12, -4, 9, 19, 4);
    g.fill();
  } else if (look.hairStyle === 'bun') {
    g.beginPath();
    g.arc(-11, -5, 5, 0, 7);
    g.fill();
  }
  g.fillStyle = '#22191a';
  g.beginPath();
  g.arc(5.5, -1, 1.4, 0, 7);
  g.fill();
  if (look.hat !== null) {
    const paint = PAINT[look.hat];
    g.fillStyle = paint;
    g.beginPath();
    g.roundRect(-10.5, -17, 20, 12, 5);
    g.fill();
    g.fillStyle = shade(paint, 0.72);
    g.beginPath();
    g.roundRect(-12, -7.5, 28, 4, 2);
    g.fill();
  }
}

/**
 * @param phase of the step, in radians
 * @param progress of the motion, 0–1
 * @param tilt 0 upright – 1 lying on the ground
 */
export function drawPerson(g: Canvas2D, look: Look, pose: Pose, phase: number, progress: number, load: Load, tilt: number): void {
  const joints = jointsOf(pose, phase, progress, load);
  const paint = PAINT[look.colour];
  const dark = shade(paint, 0.72);
  g.lineCap = 'round';
  g.lineJoin = 'round';
  g.save();
  if (tilt > 0) {
    g.translate(-48 * tilt, -7 * tilt);
    g.rotate((Math.PI / 2) * tilt);
  }
  const { hip, lean } = joints;
  leg(g, hip, joints.thighs[1], joints.shins[1], shade(look.trousers, 0.75));
  const shoulderX = Math.sin(lean) * 31;
  const shoulderY = -hip - Math.cos(lean) * 31;
  limb(g, shoulderX, shoulderY, joints.arms[1], joints.forearms[1], 15, 7.5, dark, look.skin);
  leg(g, hip, joints.thighs[0], joints.shins[0], look.trousers);
  g.save();
  g.translate(0, -hip);
  g.rotate(lean);
  g.fillStyle = look.skin;
  g.fillRect(-4, -40, 8, 8);
  g.fillStyle = paint;
  g.beginPath();
  g.roundRect(-11.5, -36, 23, 40, 8);
  g.fill();
  // The shaded back gives the body volume.
  g.fillStyle = dark;
  g.beginPath();
  g.roundRect(-11.5, -34, 6, 37, 4);
  g.fill();
  g.translate(1, -46);
  g.rotate(-lean * 0.7);
  head(g, look);
  g.restore();
  limb(g, shoulderX, shoulderY, joints.arms[0], joints.forearms[0], 15, 8, shade(paint, 0.86), look.skin);
  g.restore();
}
