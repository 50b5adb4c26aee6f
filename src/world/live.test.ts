// A world as a live camera: coded pictures come at their time through the normal source path, and end with the world.
import { expect, it } from 'vitest';
import { openSource } from '../source/open-source.ts';
import { broadcastWorld, liveSourceOptions } from './live.ts';
import { createWorld } from './world.ts';

const world = createWorld({ seed: 5, split: 'test', footage: 'fixed', durationSec: 2, activities: 'many', heldOut: false, scene: 'park' });

it('plays at the pace of a camera and ends with the world', async () => {
  const start = performance.now();
  await using source = await openSource(broadcastWorld(world, { cameraFps: 10 }), { ...liveSourceOptions, fps: 5, whenSlow: 'wait' });
  expect(source.info).toMatchObject({ codec: 'h264', live: true, widthPx: 320, heightPx: 240 });
  const times: number[] = [];
  let hasMotion = false;
  for await (const { timeSec, motion } of source) {
    times.push(Math.round(timeSec * 10) / 10);
    hasMotion ||= (motion?.count ?? 0) > 0;
  }
  expect(times).toEqual(Array.from({ length: 10 }, (_, i) => i / 5));
  expect(hasMotion).toBe(true);
  expect(performance.now() - start).toBeGreaterThan(1700);
});

it('stops when nobody watches any more', async () => {
  const stream = broadcastWorld(world, { cameraFps: 10 });
  const source = await openSource(stream, liveSourceOptions);
  await source.close();
  expect(stream.destroyed).toBe(true);
});
