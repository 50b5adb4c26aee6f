// Draws dogs, bags, boxes, doors and lamps, their foot at the origin, facing right.
import type { Canvas2D } from '../../runtime/canvas.ts';
import { PAINT, shade } from '../colours.ts';
import type { Look, Pose } from '../types.ts';

/** A dog 60 units long and 44 high. */
export function drawDog(g: Canvas2D, look: Look, pose: Pose, phase: number, timeSec: number): void {
  const paint = PAINT[look.colour];
  const dark = shade(paint, look.colour === 'white' ? 0.78 : 0.66);
  const lying = pose === 'lie';
  const moving = pose === 'walk' || pose === 'run';
  const stride = pose === 'run' ? 0.95 : moving ? 0.55 : 0;
  g.lineCap = 'round';
  g.save();
  if (lying) g.translate(0, 11);
  const leg = (x: number, angle: number, colour: string) => {
    g.strokeStyle = colour;
    g.lineWidth = 5.5;
    g.beginPath();
    g.moveTo(x, -18);
    g.lineTo(x + Math.sin(angle) * 16, -18 + Math.cos(angle) * 16);
    g.stroke();
  };
  if (!lying) {
    leg(-14, -stride * Math.sin(phase), dark);
    leg(14, stride * Math.sin(phase), dark);
    leg(-17, stride * Math.sin(phase), paint);
    leg(11, -stride * Math.sin(phase), paint);
  } else {
    g.strokeStyle = dark;
    g.lineWidth = 5.5;
    g.beginPath();
    g.moveTo(8, -13);
    g.lineTo(26, -12.5);
    g.moveTo(-16, -13);
    g.lineTo(-4, -12.5);
    g.stroke();
  }
  g.strokeStyle = paint;
  g.lineWidth = 4.5;
  const wag = Math.sin(timeSec * 14) * (lying ? 0.1 : 0.3);
  g.beginPath();
  g.moveTo(-19, -27);
  g.quadraticCurveTo(-27, -31, -30 + wag * 6, -41 + Math.abs(wag) * 6);
  g.stroke();
  g.fillStyle = paint;
  g.beginPath();
  g.roundRect(-22, -33, 42, 17, 8.5);
  g.fill();
  g.fillStyle = dark;
  g.beginPath();
  g.roundRect(-19, -21, 34, 5, 2.5);
  g.fill();
  g.fillStyle = paint;
  g.beginPath();
  g.moveTo(10, -30);
  g.lineTo(19, -42);
  g.lineTo(27, -36);
  g.lineTo(19, -22);
  g.fill();
  g.beginPath();
  g.arc(22, -38, 9, 0, 7);
  g.fill();
  g.beginPath();
  g.roundRect(22, -39, 16, 8.5, 4);
  g.fill();
  g.fillStyle = dark;
  g.beginPath();
  g.roundRect(12.5, -45, 7, 15, 3.5);
  g.fill();
  g.fillStyle = '#0d0d0f';
  g.beginPath();
  g.arc(37, -37, 2.6, 0, 7);
  g.arc(25, -40, 1.7, 0, 7);
  g.fill();
  g.strokeStyle = look.colour === 'red' ? '#1f56d8' : '#d8403a';
  g.lineWidth = 2.6;
  g.beginPath();
  g.moveTo(13, -36);
  g.lineTo(20, -28);
  g.stroke();
  g.restore();
}

/** A shopping bag 28 units wide and 38 high with its handle. */
export function drawBag(g: Canvas2D, look: Look): void {
  const paint = PAINT[look.colour];
  g.strokeStyle = shade(paint, look.colour === 'black' ? 1.3 : 0.6);
  g.lineWidth = 3;
  g.beginPath();
  g.moveTo(-7, -25);
  g.bezierCurveTo(-7, -41, 7, -41, 7, -25);
  g.stroke();
  g.fillStyle = paint;
  g.beginPath();
  g.moveTo(-12, -27);
  g.lineTo(12, -27);
  g.lineTo(15, -1);
  g.quadraticCurveTo(15, 0, 13, 0);
  g.lineTo(-13, 0);
  g.quadraticCurveTo(-15, 0, -15, -1);
  g.closePath();
  g.fill();
  g.fillStyle = shade(paint, 0.74);
  g.beginPath();
  g.moveTo(8, -27);
  g.lineTo(12, -27);
  g.lineTo(15, 0);
  g.lineTo(9, 0);
  g.fill();
  g.fillStyle = look.colour === 'white' || look.colour === 'yellow' ? '#6b6b6b' : 'rgba(255,255,255,0.85)';
  g.beginPath();
  g.arc(-2, -13, 4, 0, 7);
  g.fill();
}

/** A parcel 38 units wide and 32 high, seen a little from above. */
export function drawBox(g: Canvas2D, look: Look): void {
  const paint = PAINT[look.colour];
  g.fillStyle = paint;
  g.fillRect(-19, -24, 29, 24);
  g.fillStyle = shade(paint, 1.4);
  g.beginPath();
  g.moveTo(-19, -24);
  g.lineTo(-10, -32);
  g.lineTo(19, -32);
  g.lineTo(10, -24);
  g.fill();
  g.fillStyle = shade(paint, 0.66);
  g.beginPath();
  g.moveTo(10, -24);
  g.lineTo(19, -32);
  g.lineTo(19, -8);
  g.lineTo(10, 0);
  g.fill();
  g.fillStyle = look.colour === 'brown' ? '#d8b98c' : '#e9dcc0';
  if (look.colour === 'white') g.fillStyle = '#b08a58';
  g.fillRect(-8, -24, 6, 24);
  g.beginPath();
  g.moveTo(-8, -24);
  g.lineTo(1, -32);
  g.lineTo(7, -32);
  g.lineTo(-2, -24);
  g.fill();
  g.strokeStyle = 'rgba(20,16,12,0.45)';
  g.lineWidth = 1;
  g.strokeRect(-19, -24, 29, 24);
}

/** A door 54 units wide and 118 high in its frame. @param open 0 shut – 1 wide open */
export function drawDoor(g: Canvas2D, look: Look, open: number): void {
  const paint = PAINT[look.colour];
  if (look.variant === 1) {
    // Out of doors a door needs a house around it: a wooden hut.
    g.fillStyle = '#8d7a63';
    g.fillRect(-66, -132, 132, 132);
    g.fillStyle = 'rgba(40,28,16,0.25)';
    for (let x = -58; x < 66; x += 11) g.fillRect(x, -132, 1.6, 132);
    g.fillStyle = '#5d5148';
    g.beginPath();
    g.moveTo(-78, -128);
    g.lineTo(-48, -160);
    g.lineTo(48, -160);
    g.lineTo(78, -128);
    g.fill();
  }
  g.fillStyle = '#d9d3c6';
  g.fillRect(-31, -122, 62, 122);
  g.fillStyle = '#191512';
  g.fillRect(-26, -117, 52, 117);
  g.fillStyle = 'rgba(255,214,150,0.35)';
  g.fillRect(-26, -117, 52, 117);
  g.fillStyle = '#0f0c0a';
  g.fillRect(-20, -112, 46, 112);
  // The leaf hangs on the left: opening shortens it and drops its free edge towards the viewer.
  const width = 52 * (1 - 0.68 * open);
  const drop = 8 * open;
  const leaf = (x0: number, x1: number, y0: number, y1: number, colour: string) => {
    const at = (x: number, y: number): [number, number] => [-26 + (x / 52) * width, -117 + y + (x / 52) * drop * (y > 58 ? 1 : -0.4)];
    g.fillStyle = colour;
    g.beginPath();
    g.moveTo(...at(x0, y0));
    g.lineTo(...at(x1, y0));
    g.lineTo(...at(x1, y1));
    g.lineTo(...at(x0, y1));
    g.fill();
  };
  leaf(0, 52, 0, 117, shade(paint, 1 - 0.25 * open));
  const panel = shade(paint, look.colour === 'white' ? 0.84 : 0.72);
  leaf(8, 44, 10, 48, panel);
  leaf(8, 44, 60, 106, panel);
  leaf(43, 49, 54, 60, '#e8c75a');
}

/** A lamp; `variant` 0 street, 1 floor, 2 hanging (its foot is the ground below). @param light 0 off – 1 on */
export function drawLamp(g: Canvas2D, look: Look, light: number): void {
  const shadeColour = light > 0.5 ? '#fff3a6' : '#4d4f57';
  g.strokeStyle = '#33353c';
  g.lineCap = 'round';
  if (look.variant === 0) {
    g.lineWidth = 5;
    g.beginPath();
    g.moveTo(0, 0);
    g.lineTo(0, -128);
    g.stroke();
    g.fillStyle = '#33353c';
    g.fillRect(-7, -5, 14, 5);
    g.fillRect(-11, -153, 22, 5);
    g.fillStyle = shadeColour;
    g.beginPath();
    g.moveTo(-9, -148);
    g.lineTo(9, -148);
    g.lineTo(13, -128);
    g.lineTo(-13, -128);
    g.fill();
  } else if (look.variant === 1) {
    g.lineWidth = 3.5;
    g.beginPath();
    g.moveTo(0, -2);
    g.lineTo(0, -90);
    g.stroke();
    g.fillStyle = '#33353c';
    g.beginPath();
    g.ellipse(0, -2, 12, 3.5, 0, 0, 7);
    g.fill();
    g.fillStyle = shadeColour;
    g.beginPath();
    g.moveTo(-11, -118);
    g.lineTo(11, -118);
    g.lineTo(20, -88);
    g.lineTo(-20, -88);
    g.fill();
  } else {
    g.lineWidth = 2.5;
    g.beginPath();
    g.moveTo(0, -230);
    g.lineTo(0, -168);
    g.stroke();
    g.fillStyle = shadeColour;
    g.beginPath();
    g.moveTo(-8, -170);
    g.lineTo(8, -170);
    g.lineTo(24, -146);
    g.lineTo(-24, -146);
    g.fill();
    g.fillStyle = light > 0.5 ? '#ffffff' : '#2c2d33';
    g.beginPath();
    g.ellipse(0, -146, 11, 4, 0, 0, 7);
    g.fill();
  }
}

/** Height above the foot of the middle of a lamp's light, in the units of the drawing. */
export const LAMP_LIGHT_HEIGHT: readonly number[] = [138, 102, 155];
