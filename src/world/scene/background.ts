// Draws the unmoving part of a scene once, onto a surface that every frame is then cut from.
import { createRandom } from '../../core/random.ts';
import type { Random } from '../../core/random.ts';
import { createSurface } from '../../runtime/canvas.ts';
import type { Canvas2D, Surface } from '../../runtime/canvas.ts';
import { shade } from '../colours.ts';
import type { SceneLayout } from '../types.ts';
import { drawLandmark } from './landmarks.ts';
import { WORLD_HEIGHT } from './layout.ts';

/** Scenery drawn beyond the edges of the world, so that a shaking or walking camera never sees the end of it. */
export const MARGIN_PX = 60;

/** A surface [(240 + 2·margin) × scale, (width + 2·margin) × scale] whose middle part is the world. */
export function drawBackground(layout: SceneLayout, scale: number): Surface {
  const surface = createSurface(Math.ceil((layout.widthPx + 2 * MARGIN_PX) * scale), Math.ceil((WORLD_HEIGHT + 2 * MARGIN_PX) * scale));
  const g = surface.context;
  g.scale(scale, scale);
  g.translate(MARGIN_PX, MARGIN_PX);
  const random = createRandom(layout.seed);
  const left = -MARGIN_PX;
  const width = layout.widthPx + 2 * MARGIN_PX;
  const bottom = WORLD_HEIGHT + MARGIN_PX;
  const painters = { street, shop, room, park };
  painters[layout.kind](g, layout, random, left, width, bottom);
  for (const landmark of layout.landmarks) drawLandmark(g, landmark, random);
  return surface;
}

function gradient(g: Canvas2D, top: number, bottom: number, from: string, to: string): void {
  const fill = g.createLinearGradient(0, top, 0, bottom);
  fill.addColorStop(0, from);
  fill.addColorStop(1, to);
  g.fillStyle = fill;
}

/** Short strokes or dots that give a surface its grain. */
function texture(g: Canvas2D, random: Random, area: readonly [number, number, number, number], count: number, colours: readonly string[], width: number, height: number): void {
  const [left, top, right, bottom] = area;
  for (let i = 0; i < count; i++) {
    g.fillStyle = random.pick(colours);
    g.fillRect(left + random.next() * (right - left), top + random.next() * (bottom - top), width * (0.5 + random.next()), height * (0.5 + random.next()));
  }
}

function street(g: Canvas2D, layout: SceneLayout, random: Random, left: number, width: number, bottom: number): void {
  const { horizonPx } = layout;
  gradient(g, -60, horizonPx, shade(layout.wall, 0.94), shade(layout.wall, 1.5));
  g.fillRect(left, -60, width, horizonPx + 60);
  for (let x = left; x < left + width;) {
    const w = random.int(74, 118);
    const top = random.int(-20, 34);
    const wall = random.pick(['#a89a8c', '#9fa3a8', '#b5a99a', '#8f9397', '#a99f9b']);
    gradient(g, top, horizonPx, shade(wall, 1.08), shade(wall, 0.86));
    g.fillRect(x, top, w, horizonPx - top);
    g.fillStyle = shade(wall, 0.66);
    g.fillRect(x, top, w, 4);
    g.fillRect(x + w - 2, top, 2, horizonPx - top);
    for (let wy = top + 14; wy < horizonPx - 56; wy += 30) {
      for (let wx = x + 10; wx < x + w - 18; wx += 24) {
        g.fillStyle = '#e3ddd0';
        g.fillRect(wx - 1.5, wy - 1.5, 15, 20);
        gradient(g, wy, wy + 17, random.next() < 0.25 ? '#cdbb8c' : '#56666f', '#7d8d96');
        g.fillRect(wx, wy, 12, 17);
        g.fillStyle = '#dcd6c8';
        g.fillRect(wx + 5.4, wy, 1.2, 17);
      }
    }
    g.fillStyle = shade(wall, 0.72);
    g.fillRect(x, horizonPx - 9, w, 9);
    x += w;
  }
  gradient(g, horizonPx, 166, shade(layout.ground, 1.22), shade(layout.ground, 1.12));
  g.fillRect(left, horizonPx, width, 34);
  g.strokeStyle = 'rgba(60,60,64,0.3)';
  g.lineWidth = 1;
  for (let x = left; x < left + width; x += 26) {
    g.beginPath();
    g.moveTo(x, horizonPx);
    g.lineTo(x - 8, 166);
    g.moveTo(x + 12, 210);
    g.lineTo(x - 6, bottom);
    g.stroke();
  }
  g.fillStyle = '#c9c9c4';
  g.fillRect(left, 165, width, 3.5);
  gradient(g, 168, 208, '#56585d', '#4b4d52');
  g.fillRect(left, 168, width, 40);
  texture(g, random, [left, 169, left + width, 207], Math.round(width * 0.9), ['rgba(255,255,255,0.05)', 'rgba(0,0,0,0.1)'], 3, 1.4);
  g.fillStyle = '#d9d7c4';
  for (let x = left; x < left + width; x += 46) g.fillRect(x, 187, 24, 2.4);
  g.fillStyle = '#c9c9c4';
  g.fillRect(left, 206.5, width, 3.5);
  gradient(g, 210, bottom, shade(layout.ground, 1.14), shade(layout.ground, 0.95));
  g.fillRect(left, 210, width, bottom - 210);
  texture(g, random, [left, 211, left + width, bottom], Math.round(width * 0.7), ['rgba(255,255,255,0.08)', 'rgba(0,0,0,0.08)'], 3, 1.4);
}

function shop(g: Canvas2D, layout: SceneLayout, random: Random, left: number, width: number, bottom: number): void {
  const { horizonPx } = layout;
  gradient(g, -60, horizonPx, shade(layout.wall, 1.3), shade(layout.wall, 0.95));
  g.fillRect(left, -60, width, horizonPx + 60);
  // A board of goods along the wall says "shop" from any panel.
  for (let x = left + 4; x < left + width; x += 108) {
    g.fillStyle = '#7c7064';
    g.fillRect(x, 18, 92, 5);
    g.fillRect(x, 46, 92, 4);
    for (const base of [18, 46]) {
      for (let gx = x + 3; gx < x + 86; gx += random.int(8, 13)) {
        const h = random.int(9, 19);
        g.fillStyle = random.pick(['#a98f86', '#8f9aa0', '#a3a184', '#94889c', '#b3a48f', '#87988d']);
        g.beginPath();
        g.roundRect(gx, base - h, random.int(5, 9), h, 1.5);
        g.fill();
      }
    }
  }
  g.fillStyle = shade(layout.wall, 0.68);
  g.fillRect(left, horizonPx - 7, width, 7);
  gradient(g, horizonPx, bottom, shade(layout.ground, 0.9), shade(layout.ground, 1.12));
  g.fillRect(left, horizonPx, width, bottom - horizonPx);
  g.fillStyle = 'rgba(90,80,70,0.16)';
  for (let row = 0, y = horizonPx; y < bottom; row++) {
    const h = 9 + row * 4.5;
    for (let x = left - (row % 2) * h * 2; x < left + width; x += h * 4) g.fillRect(x, y, h * 2, h);
    y += h;
  }
}

function room(g: Canvas2D, layout: SceneLayout, random: Random, left: number, width: number, bottom: number): void {
  const { horizonPx } = layout;
  gradient(g, -60, horizonPx, shade(layout.wall, 0.96), shade(layout.wall, 1.16));
  g.fillRect(left, -60, width, horizonPx + 60);
  const stripes = random.next() < 0.5;
  g.fillStyle = 'rgba(255,255,255,0.13)';
  if (stripes) for (let x = left; x < left + width; x += 22) g.fillRect(x, -60, 11, horizonPx + 60);
  for (let x = left + 40; x < left + width; x += random.int(120, 190)) {
    g.fillStyle = '#6d5540';
    g.fillRect(x, 22, 34, 26);
    gradient(g, 25, 45, '#9fb0b4', '#8c9a80');
    g.fillRect(x + 3, 25, 28, 20);
  }
  g.fillStyle = '#e6e0d4';
  g.fillRect(left, horizonPx - 8, width, 8);
  gradient(g, horizonPx, bottom, shade(layout.ground, 0.84), shade(layout.ground, 1.12));
  g.fillRect(left, horizonPx, width, bottom - horizonPx);
  g.strokeStyle = 'rgba(50,34,20,0.28)';
  g.lineWidth = 1;
  for (let y = horizonPx + 6, step = 8; y < bottom; y += step, step += 3) {
    g.beginPath();
    g.moveTo(left, y);
    g.lineTo(left + width, y);
    for (let x = left + random.int(0, 60); x < left + width; x += random.int(50, 90)) {
      g.moveTo(x, y);
      g.lineTo(x - 2, y + step);
    }
    g.stroke();
  }
  for (let x = left + 90; x < left + width; x += 320) {
    g.fillStyle = random.pick(['#8d7f86', '#7f8a8d', '#8f8672']);
    g.beginPath();
    g.ellipse(x + 70, 206, 116, 23, 0, 0, 7);
    g.fill();
    g.strokeStyle = 'rgba(240,230,215,0.55)';
    g.lineWidth = 3;
    g.beginPath();
    g.ellipse(x + 70, 206, 102, 18.5, 0, 0, 7);
    g.stroke();
  }
}

function park(g: Canvas2D, layout: SceneLayout, random: Random, left: number, width: number, bottom: number): void {
  const { horizonPx } = layout;
  gradient(g, -60, horizonPx, layout.wall, shade(layout.wall, 1.6));
  g.fillRect(left, -60, width, horizonPx + 60);
  g.fillStyle = 'rgba(255,255,255,0.75)';
  for (let x = left; x < left + width; x += random.int(90, 150)) {
    const y = random.int(12, 48);
    g.beginPath();
    g.ellipse(x, y, 26, 8, 0, 0, 7);
    g.ellipse(x + 14, y - 6, 16, 8, 0, 0, 7);
    g.fill();
  }
  for (let x = left; x < left + width; x += random.int(16, 30)) {
    g.fillStyle = random.pick(['#6f8a66', '#7a9370', '#66805f']);
    g.beginPath();
    g.arc(x, horizonPx - random.int(0, 12), random.int(14, 26), 0, 7);
    g.fill();
  }
  gradient(g, horizonPx, bottom, shade(layout.ground, 1.14), shade(layout.ground, 0.84));
  g.fillRect(left, horizonPx, width, bottom - horizonPx);
  texture(g, random, [left, horizonPx + 4, left + width, bottom], Math.round(width * 1.6), ['rgba(40,70,20,0.18)', 'rgba(220,235,170,0.2)'], 1.6, 4);
  gradient(g, 180, 208, '#cbbd9c', '#bfae8a');
  g.beginPath();
  g.moveTo(left, 184);
  for (let x = left; x <= left + width; x += 40) g.lineTo(x, 183 + Math.sin(x / 90) * 3);
  for (let x = left + width; x >= left; x -= 40) g.lineTo(x, 207 + Math.sin(x / 70) * 3);
  g.fill();
  texture(g, random, [left, 186, left + width, 205], Math.round(width * 0.5), ['rgba(90,70,40,0.16)', 'rgba(255,250,230,0.25)'], 2.5, 1.5);
}
