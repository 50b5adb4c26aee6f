// Tests of the pictures: they repeat, and they show what the truth says.
import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { PAINT } from './colours.ts';
import { createRenderer } from './render.ts';
import type { Footage } from './types.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

function worldOf(seed: number, footage: Footage): World {
  return createWorld({ seed, split: 'train', footage, durationSec: 24, activities: 'many', heldOut: false });
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('renderer', () => {
  it('draws the same pixels for the same seed, in any order', () => {
    for (const footage of ['fixed', 'moving', 'cuts', 'ego'] as const) {
      const first = createRenderer(worldOf(4, footage));
      const second = createRenderer(worldOf(4, footage));
      const times = [0.5, 7.3, 19.9];
      const forward = times.map((t) => hash(first.frameAt(t).rgb));
      const back = times.toReversed().map((t) => hash(second.frameAt(t).rgb)).reverse();
      expect(back).toEqual(forward);
      expect(new Set(forward).size).toBe(3);
    }
  });

  it('gives frames at a rate with rising times and memory of their own', () => {
    const frames = [...createRenderer(worldOf(2, 'fixed'), { widthPx: 160, heightPx: 120 }).frames(4, 2, 4)];
    expect(frames.map((f) => f.timeSec)).toEqual([2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75]);
    expect(frames.map((f) => f.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(frames.every((f) => f.rgb.length === 160 * 120 * 3)).toBe(true);
    expect(new Set(frames.map((f) => f.rgb.buffer)).size).toBe(8);
  });

  it('adds noise of the strength asked for', () => {
    const world = worldOf(2, 'fixed');
    const clean = createRenderer(world, { noise: 0 }).frameAt(5).rgb;
    const noisy = createRenderer(world, { noise: 4 }).frameAt(5).rgb;
    const again = createRenderer(world, { noise: 4 }).frameAt(5.1).rgb;
    const deviation = Math.sqrt(clean.reduce((sum, value, i) => sum + (noisy[i]! - value) ** 2, 0) / clean.length);
    expect(deviation).toBeGreaterThan(2.5);
    expect(deviation).toBeLessThan(5);
    expect(hash(noisy)).not.toBe(hash(again));
  });

  it('draws any moment of an hour with changing scenes in bounded memory', async () => {
    const world = createWorld({ seed: 6, split: 'train', footage: 'cuts', durationSec: 3600, activities: 'many', heldOut: false });
    const renderer = createRenderer(world, { widthPx: 480, heightPx: 360 });
    expect(world.scenes.length).toBeGreaterThan(60);
    const drawAll = async (startSec: number, endSec: number) => {
      for (let t = startSec; t < endSec; t += 30) {
        renderer.frameAt(t);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await drawAll(5, 1200);
    const before = process.memoryUsage().rss;
    await drawAll(1200, 3600);
    // Kept for ever, the backgrounds alone would take more than this.
    expect(process.memoryUsage().rss - before).toBeLessThan(90e6);
  });

  // The truth comes from geometry and the picture from the canvas: this is where the two must meet.
  it('shows the paint of each thing inside its box, at the size of half a picture', () => {
    let checked = 0;
    const misses: string[] = [];
    for (const [seed, footage] of [[1, 'fixed'], [2, 'moving'], [3, 'cuts'], [5, 'ego']] as const) {
      const world = worldOf(seed, footage);
      const renderer = createRenderer(world, { widthPx: 160, heightPx: 120 });
      for (let t = 1.3; t < 24; t += 2.9) {
        const { rgb } = renderer.frameAt(t);
        for (const { id, kind, colour, box, visible } of world.observe(t).objects) {
          if (visible < 0.85 || kind === 'lamp' || (kind === 'door' && world.stateOf(id, t)!.value > 0)) continue;
          checked++;
          const share = paintShare(rgb, box, PAINT[colour]);
          if (share < (kind === 'bicycle' ? 0.02 : kind === 'person' ? 0.08 : 0.14)) misses.push(`${footage} ${t.toFixed(1)} ${colour} ${id} ${share.toFixed(3)}`);
        }
      }
    }
    expect(checked).toBeGreaterThan(90);
    // Riders and walkers in front may cover a little more than their solid part says.
    expect(misses.slice(Math.floor(checked * 0.03))).toEqual([]);
  });
});

/** Share of a box's pixels whose hue and lightness are near a paint, whatever the light. */
function paintShare(rgb: Uint8Array, [x, y, width, height]: readonly [number, number, number, number], paint: string): number {
  const value = Number.parseInt(paint.slice(1), 16);
  const [r, g, b] = [value >> 16, (value >> 8) & 255, value & 255];
  let near = 0;
  let all = 0;
  for (let py = Math.ceil(y / 2); py < (y + height) / 2 - 1; py++) {
    for (let px = Math.ceil(x / 2); px < (x + width) / 2 - 1; px++) {
      const at = (py * 160 + px) * 3;
      // Light takes up to a quarter, and shading some more.
      let best = Infinity;
      for (const gain of [1, 0.9, 0.8, 0.7, 0.6]) best = Math.min(best, Math.abs(rgb[at]! - r * gain) + Math.abs(rgb[at + 1]! - g * gain) + Math.abs(rgb[at + 2]! - b * gain));
      if (best < 60) near++;
      all++;
    }
  }
  return all === 0 ? 0 : near / all;
}
