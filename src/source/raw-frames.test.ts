// Frames of the program: none is kept alive once it was taken.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { openSource } from './open-source.ts';
import type { RawFrame } from './raw-frames.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('frames that were taken are given back', async () => {
  const side = 200;
  function* frames(): Generator<RawFrame> {
    for (let i = 0; i < 300; i++) yield { timeSec: i, widthPx: side, heightPx: side, rgb: new Uint8Array(side * side * 3) };
  }
  await using source = await openSource(frames());
  let before = 0;
  let index = 0;
  for await (const frame of source) {
    expect(frame.index).toBe(index++);
    if (index === 20) {
      collectGarbage();
      before = process.memoryUsage().arrayBuffers;
    }
  }
  collectGarbage();
  const keptFrames = (process.memoryUsage().arrayBuffers - before) / (side * side * 3);
  expect(keptFrames).toBeLessThan(20);
});
