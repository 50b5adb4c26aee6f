// Draws what lies over the scene: the clock, light and its changes, passing occluders, the walker's hands, and the sensor's noise.
import { createRandom } from '../../core/random.ts';
import { createSurface } from '../../runtime/canvas.ts';
import type { Canvas2D, Surface } from '../../runtime/canvas.ts';

/** Segments of a digit: top, upper right, lower right, bottom, lower left, upper left, middle. Fonts differ between machines; these do not. */
const SEGMENTS = ['1111110', '0110000', '1101101', '1111001', '0110011', '1011011', '1011111', '1110000', '1111111', '1111011'] as const;
const LINES: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 0], [8, 0, 8, 8], [8, 8, 8, 16], [0, 16, 8, 16], [0, 8, 0, 16], [0, 0, 0, 8], [0, 8, 8, 8],
];

/** The time of the footage as `m:ss` or `h:mm:ss`, in the upper left corner. */
export function drawClock(g: Canvas2D, timeSec: number): void {
  const seconds = Math.floor(timeSec + 1e-6);
  const two = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const text = hours > 0 ? `${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const widthPx = text.split('').reduce((sum, c) => sum + (c === ':' ? 7 : 14), 6);
  g.fillStyle = 'rgba(8,10,14,0.62)';
  g.fillRect(4, 4, widthPx, 26);
  g.strokeStyle = '#f4f7ee';
  g.fillStyle = '#f4f7ee';
  g.lineWidth = 2.6;
  g.lineCap = 'round';
  let x = 9;
  g.beginPath();
  for (const c of text) {
    if (c === ':') {
      g.rect(x, 12, 2.6, 2.6);
      g.rect(x, 20, 2.6, 2.6);
      x += 7;
      continue;
    }
    const lit = SEGMENTS[Number(c)]!;
    LINES.forEach(([x0, y0, x1, y1], i) => {
      if (lit[i] !== '1') return;
      g.moveTo(x + x0, 9 + y0);
      g.lineTo(x + x1, 9 + y1);
    });
    x += 14;
  }
  g.stroke();
  g.fill();
}

/** Soft light of a lamp that is on, drawn once and stamped where it shines. */
export function makeGlow(radiusPx: number): Surface {
  const surface = createSurface(radiusPx * 2, radiusPx * 2);
  const g = surface.context;
  const light = g.createRadialGradient(radiusPx, radiusPx, 0, radiusPx, radiusPx, radiusPx);
  light.addColorStop(0, 'rgba(255,236,160,0.62)');
  light.addColorStop(0.35, 'rgba(255,228,140,0.26)');
  light.addColorStop(1, 'rgba(255,220,120,0)');
  g.fillStyle = light;
  g.fillRect(0, 0, radiusPx * 2, radiusPx * 2);
  return surface;
}

/** Tables that darken and tint colours: uint8 [3, 256]. A look-up while pixels are copied costs less than a blend. @param brightness 0–1 @param warmth −1 cold – 1 warm */
export function lightTables(brightness: number, warmth: number): Uint8Array {
  const gains = [brightness * (1 - 0.03 * Math.max(0, -warmth)), brightness, brightness * (1 - 0.06 * Math.max(0, warmth))];
  const tables = new Uint8Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) for (let value = 0; value < 256; value++) tables[channel * 256 + value] = Math.round(value * gains[channel]!);
  return tables;
}

/** Something out of focus, close before the lens. */
export function drawOccluder(g: Canvas2D, left: number, widthPx: number, tone: string): void {
  const blur = g.createLinearGradient(left - 7, 0, left + widthPx + 7, 0);
  const soft = 14 / (widthPx + 14);
  blur.addColorStop(0, `${tone}00`);
  blur.addColorStop(soft, tone);
  blur.addColorStop(1 - soft, tone);
  blur.addColorStop(1, `${tone}00`);
  g.fillStyle = blur;
  g.fillRect(left - 7, 0, widthPx + 14, 240);
}

/** The hands of the one who walks with the camera, swinging in the lower corners. */
export function drawHands(g: Canvas2D, timeSec: number, seed: number): void {
  const swing = Math.sin(timeSec * 5.6 + seed) * 7;
  g.lineCap = 'round';
  for (const side of [-1, 1] as const) {
    const x = 160 + side * 126;
    const y = 231 + side * swing;
    g.strokeStyle = '#565b62';
    g.lineWidth = 20;
    g.beginPath();
    g.moveTo(x + side * 20, y + 36);
    g.lineTo(x + side * 5, y + 12);
    g.stroke();
    g.fillStyle = '#d9a47c';
    g.beginPath();
    g.ellipse(x, y, 10, 9, side * -0.5, 0, 7);
    g.fill();
  }
}

/** Noise values to add to colours, ready made: int8, longer than one picture so that every frame starts elsewhere. */
export function makeNoise(length: number, deviation: number): Int8Array {
  const random = createRandom('sensor noise');
  const tile = Int8Array.from({ length: 1 << 16 }, () => Math.max(-127, Math.min(127, Math.round(random.normal() * deviation))));
  const noise = new Int8Array(length + tile.length);
  for (let i = 0; i < noise.length; i += tile.length) noise.set(tile.subarray(0, Math.min(tile.length, noise.length - i)), i);
  return noise;
}
