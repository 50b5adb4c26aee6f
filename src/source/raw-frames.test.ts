// Frames of the program: none is kept alive once it was taken.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { openSource } from './open-source.ts';
import type { RawFrame } from './raw-frames.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('frames that were taken are given back', async () => {
  const given: WeakRef<Uint8Array>[] = [];
  function* frames(): Generator<RawFrame> {
    for (let i = 0; i < 100; i++) {
      const rgb = new Uint8Array(8 * 8 * 3);
      given.push(new WeakRef(rgb));
      yield { timeSec: i, widthPx: 8, heightPx: 8, rgb };
    }
  }
  await using source = await openSource(frames());
  let index = 0;
  for await (const frame of source) {
    given.push(new WeakRef(frame.rgb));
    expect(frame.index).toBe(index++);
  }
  const alive = () => given.filter((frame) => frame.deref() !== undefined).length;
  // A weak reference holds its frame until the task that made or read it ends.
  for (let tries = 0; tries < 10; tries++) {
    await setImmediate();
    collectGarbage();
  }
  expect(index).toBe(100);
  expect(alive()).toBeLessThan(4);
});
