// Draws cars and bicycles from the side, wheels on the origin's line, facing right.
import type { Canvas2D } from '../../runtime/canvas.ts';
import { PAINT, shade } from '../colours.ts';
import type { Look } from '../types.ts';

function carWheel(g: Canvas2D, x: number, turn: number): void {
  g.fillStyle = '#17171a';
  g.beginPath();
  g.arc(x, -11, 11.5, 0, 7);
  g.fill();
  g.fillStyle = '#b9bdc4';
  g.beginPath();
  g.arc(x, -11, 6.2, 0, 7);
  g.fill();
  g.strokeStyle = '#4a4d55';
  g.lineWidth = 2;
  g.beginPath();
  for (let spoke = 0; spoke < 3; spoke++) {
    const angle = turn + (spoke * Math.PI) / 3;
    g.moveTo(x - Math.cos(angle) * 6, -11 - Math.sin(angle) * 6);
    g.lineTo(x + Math.cos(angle) * 6, -11 + Math.sin(angle) * 6);
  }
  g.stroke();
}

/**
 * A car 136 units long and 54 high.
 * @param turn angle of the wheels, radians
 * @param driver colour of the driver's top, or null for an empty car
 * @param lightsOn while it drives
 */
export function drawCar(g: Canvas2D, look: Look, turn: number, driver: string | null, lightsOn: boolean): void {
  const paint = PAINT[look.colour];
  const van = look.variant % 2 === 1;
  g.fillStyle = paint;
  g.beginPath();
  g.moveTo(-66, -12);
  g.lineTo(-67, -30);
  if (van) {
    g.quadraticCurveTo(-66, -52, -56, -54);
    g.lineTo(20, -54);
    g.quadraticCurveTo(32, -50, 42, -33);
  } else {
    g.quadraticCurveTo(-60, -35, -50, -36);
    g.quadraticCurveTo(-38, -53, -26, -54);
    g.lineTo(10, -54);
    g.quadraticCurveTo(24, -52, 36, -36);
  }
  g.quadraticCurveTo(60, -33, 65, -26);
  g.lineTo(67, -12);
  g.closePath();
  g.fill();
  g.fillStyle = shade(paint, 0.66);
  g.beginPath();
  g.roundRect(-67, -17, 134, 8, 3);
  g.fill();
  g.fillStyle = shade(paint, 1.35);
  g.fillRect(-62, -31.5, 122, 2.5);
  g.fillStyle = '#2f4658';
  g.beginPath();
  if (van) {
    g.roundRect(-57, -49, 26, 16, 3);
    g.roundRect(-26, -49, 24, 16, 3);
  } else {
    g.moveTo(-43, -35);
    g.lineTo(-29, -49);
    g.lineTo(-11, -49);
    g.lineTo(-11, -35);
    g.closePath();
  }
  const left = van ? 3 : -6;
  g.moveTo(left, van ? -33 : -35);
  g.lineTo(left, -49);
  g.lineTo(left + (van ? 15 : 14), -49);
  g.lineTo(left + (van ? 29 : 32), van ? -33 : -35);
  g.closePath();
  g.fill();
  if (driver !== null) {
    g.fillStyle = driver;
    g.fillRect(left + 3, -39, 12, 5);
    g.fillStyle = '#d9a47c';
    g.beginPath();
    g.arc(left + 10, -42.5, 4.6, 0, 7);
    g.fill();
  }
  g.fillStyle = 'rgba(255,255,255,0.28)';
  g.beginPath();
  g.moveTo(left + 2, -48);
  g.lineTo(left + 9, -48);
  g.lineTo(left + 3, -37);
  g.fill();
  g.strokeStyle = shade(paint, 0.55);
  g.lineWidth = 1.5;
  g.beginPath();
  g.moveTo(van ? 0.5 : -8.5, -34);
  g.lineTo(van ? 0.5 : -8.5, -16);
  g.moveTo(left + 3, -27);
  g.lineTo(left + 10, -27);
  g.stroke();
  g.fillStyle = lightsOn ? '#fffbd0' : '#d8d8c8';
  g.beginPath();
  g.roundRect(59, -28, 7, 6, 2);
  g.fill();
  g.fillStyle = '#a50f16';
  g.fillRect(-67, -30, 5, 7);
  carWheel(g, -40, turn);
  carWheel(g, 40, turn);
}

function wheel(g: Canvas2D, x: number, turn: number): void {
  g.strokeStyle = '#18181b';
  g.lineWidth = 3.4;
  g.beginPath();
  g.arc(x, -19, 17.5, 0, 7);
  g.stroke();
  g.strokeStyle = 'rgba(60,60,66,0.75)';
  g.lineWidth = 0.9;
  g.beginPath();
  for (let spoke = 0; spoke < 4; spoke++) {
    const angle = turn + (spoke * Math.PI) / 4;
    g.moveTo(x - Math.cos(angle) * 17, -19 - Math.sin(angle) * 17);
    g.lineTo(x + Math.cos(angle) * 17, -19 + Math.sin(angle) * 17);
  }
  g.stroke();
}

/** A bicycle 90 units long and 52 high; its rider sits with the hips at (−8, −52). */
export function drawBicycle(g: Canvas2D, look: Look, turn: number): void {
  const paint = PAINT[look.colour];
  g.lineCap = 'round';
  g.lineJoin = 'round';
  wheel(g, -26, turn);
  wheel(g, 26, turn);
  g.strokeStyle = shade(paint, 0.6);
  g.lineWidth = 6.4;
  const frame = () => {
    g.beginPath();
    g.moveTo(-26, -19);
    g.lineTo(-9, -42);
    g.lineTo(17, -42);
    g.lineTo(-2, -19);
    g.lineTo(-26, -19);
    g.moveTo(-2, -19);
    g.lineTo(-11, -47);
    g.moveTo(26, -19);
    g.lineTo(16, -50);
    g.stroke();
  };
  frame();
  g.strokeStyle = paint;
  g.lineWidth = 4.8;
  frame();
  g.strokeStyle = '#232326';
  g.lineWidth = 3.5;
  g.beginPath();
  g.moveTo(16, -50);
  g.lineTo(23, -53);
  g.moveTo(-17, -48);
  g.lineTo(-5, -48);
  g.stroke();
  g.fillStyle = '#3a3a40';
  g.beginPath();
  g.arc(-2, -19, 4.5, 0, 7);
  g.fill();
}
