// Draws the named things of the background: bench, tree, table, sofa, counter, shelf, window, pond, sign.
import type { Random } from '../../core/random.ts';
import type { Canvas2D } from '../../runtime/canvas.ts';
import type { Landmark } from '../types.ts';

function tree(g: Canvas2D, random: Random, width: number): void {
  g.fillStyle = '#6a4e37';
  g.fillRect(-6, -70, 12, 70);
  for (const [dx, dy, r] of [[-0.28, -0.75, 0.34], [0.3, -0.8, 0.34], [0, -1.15, 0.42], [-0.05, -0.8, 0.4]] as const) {
    g.fillStyle = random.pick(['#5f7f55', '#6b8a5e', '#557550']);
    g.beginPath();
    g.arc(dx * width, dy * width - 44, r * width, 0, 7);
    g.fill();
  }
}

function bench(g: Canvas2D): void {
  g.fillStyle = '#54433a';
  g.fillRect(-28, -18, 5, 18);
  g.fillRect(23, -18, 5, 18);
  g.fillStyle = '#8a6a4c';
  for (const y of [-40, -31, -20]) {
    g.beginPath();
    g.roundRect(-31, y, 62, 6, 2);
    g.fill();
  }
}

function table(g: Canvas2D): void {
  g.fillStyle = '#5e4632';
  g.fillRect(-28, -34, 5, 34);
  g.fillRect(23, -34, 5, 34);
  g.fillStyle = '#86664a';
  g.beginPath();
  g.roundRect(-33, -40, 66, 8, 2);
  g.fill();
  g.fillStyle = '#d8d3c6';
  g.beginPath();
  g.ellipse(-8, -43, 8, 3, 0, 0, 7);
  g.fill();
  g.fillStyle = '#90a0a2';
  g.fillRect(12, -53, 6, 13);
}

function sofa(g: Canvas2D, random: Random): void {
  const cloth = random.pick(['#7b7f88', '#857a72', '#6f7f80']);
  g.fillStyle = cloth;
  g.beginPath();
  g.roundRect(-42, -52, 84, 40, 8);
  g.fill();
  g.fillStyle = 'rgba(255,255,255,0.14)';
  g.beginPath();
  g.roundRect(-34, -27, 33, 13, 4);
  g.roundRect(1, -27, 33, 13, 4);
  g.fill();
  g.fillStyle = cloth;
  g.beginPath();
  g.roundRect(-48, -36, 15, 34, 6);
  g.roundRect(33, -36, 15, 34, 6);
  g.fill();
  g.fillStyle = 'rgba(0,0,0,0.22)';
  g.fillRect(-46, -13, 92, 11);
}

function counter(g: Canvas2D): void {
  g.fillStyle = '#77665a';
  g.fillRect(-42, -46, 84, 46);
  g.fillStyle = '#94836f';
  for (let x = -38; x < 40; x += 20) g.fillRect(x, -40, 16, 34);
  g.fillStyle = '#c8bfae';
  g.fillRect(-45, -51, 90, 6);
  g.fillStyle = '#4b5257';
  g.fillRect(14, -70, 22, 16);
  g.fillStyle = '#9fc0b8';
  g.fillRect(17, -67, 16, 9);
  g.fillStyle = '#4b5257';
  g.fillRect(22, -55, 6, 5);
}

function shelf(g: Canvas2D, random: Random): void {
  g.fillStyle = '#6f6254';
  g.fillRect(-39, -82, 78, 82);
  for (const y of [-80, -54, -28]) {
    g.fillStyle = '#b3a793';
    g.fillRect(-36, y, 72, 25);
    for (let x = -34; x < 28; x += random.int(8, 13)) {
      const h = random.int(11, 20);
      g.fillStyle = random.pick(['#927c77', '#7b8890', '#8b8a70', '#807689', '#9c8d78']);
      g.fillRect(x, y + 25 - h, random.int(5, 9), h);
    }
  }
}

function window(g: Canvas2D): void {
  g.fillStyle = '#ece7db';
  g.fillRect(-37, -52, 74, 62);
  const sky = g.createLinearGradient(0, -48, 0, 6);
  sky.addColorStop(0, '#a9c6da');
  sky.addColorStop(1, '#dfe8e4');
  g.fillStyle = sky;
  g.fillRect(-33, -48, 66, 54);
  g.fillStyle = '#ece7db';
  g.fillRect(-2, -48, 4, 54);
  g.fillRect(-33, -23, 66, 3.5);
  g.fillStyle = 'rgba(160,140,128,0.85)';
  g.fillRect(-42, -55, 11, 70);
  g.fillRect(31, -55, 11, 70);
}

function pond(g: Canvas2D): void {
  g.fillStyle = '#6f7f68';
  g.beginPath();
  g.ellipse(0, -2, 45, 12, 0, 0, 7);
  g.fill();
  g.fillStyle = '#8fb0bd';
  g.beginPath();
  g.ellipse(0, -3, 41, 9.5, 0, 0, 7);
  g.fill();
  g.strokeStyle = 'rgba(255,255,255,0.6)';
  g.lineWidth = 1.5;
  g.beginPath();
  g.moveTo(-20, -5);
  g.lineTo(4, -5);
  g.moveTo(2, -1);
  g.lineTo(24, -1);
  g.stroke();
}

function sign(g: Canvas2D): void {
  g.fillStyle = '#6d7278';
  g.fillRect(-2, -84, 4, 84);
  g.fillStyle = '#e9e9e4';
  g.beginPath();
  g.roundRect(-13, -96, 26, 26, 4);
  g.fill();
  g.fillStyle = '#49535c';
  g.fillRect(-5, -91, 3.5, 16);
  g.beginPath();
  g.arc(0, -86, 5, 0, 7);
  g.fill();
}

/** Draws a landmark where it stands. */
export function drawLandmark(g: Canvas2D, landmark: Landmark, random: Random): void {
  g.save();
  g.translate(landmark.x, landmark.y);
  g.fillStyle = 'rgba(20,20,24,0.22)';
  if (landmark.name !== 'window' && landmark.name !== 'pond') {
    g.beginPath();
    g.ellipse(4, 0, landmark.widthPx * 0.55, 5, 0, 0, 7);
    g.fill();
  }
  switch (landmark.name) {
    case 'tree': tree(g, random, landmark.widthPx); break;
    case 'bench': bench(g); break;
    case 'table': table(g); break;
    case 'sofa': sofa(g, random); break;
    case 'counter': counter(g); break;
    case 'shelf': shelf(g, random); break;
    case 'window': window(g); break;
    case 'pond': pond(g); break;
    case 'sign': sign(g); break;
    default: landmark.name satisfies never;
  }
  g.restore();
}
