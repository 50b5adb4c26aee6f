// Streams without end: sinks, latest frames and compressed past stay within cap and context for as long as tokens come. The memory alone, no decoder.
import { expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { tinySpec } from '../language/decoder.fixture.ts';
import { storedFrames } from './frames.ts';
import { kindCode } from './slots.ts';
import { Memory } from './stage.ts';
import type { LayerChunk, MemoryOptions } from './contract.ts';

const spec = { ...tinySpec, layers: 2, contextLength: 512 };
const { layers, kvHeads, headWidth, queryHeads } = spec;
const frameTokens = 66;
const slotsPerHead = 300;

/** What layers make of frames, in turn: places that look the same for a while, with noise, and decisions that differ by head. */
function maker(seed: number): () => LayerChunk {
  const random = createRandom(seed);
  const floats = (length: number, of: (i: number) => number) => Float32Array.from({ length }, (_, i) => of(i));
  const size = frameTokens * kvHeads * headWidth;
  const chunks = Array.from({ length: 4 }, () => floats(size, () => random.next() * 2 - 1)).flatMap((look) =>
    Array.from({ length: 8 }, (): LayerChunk => {
      const rawKeys = look.map((value) => value + (random.next() - 0.5) * 0.4);
      return {
        keys: rawKeys,
        rawKeys,
        values: look.map((value) => value + (random.next() - 0.5) * 0.4),
        decisions: floats(frameTokens * kvHeads, (i) => random.next() - (i % kvHeads === 0 ? 0.2 : 0.6)),
        importances: floats(frameTokens * kvHeads, () => random.next()),
        queries: floats(frameTokens * queryHeads * headWidth, () => random.next() - 0.5),
      };
    }),
  );
  let calls = 0;
  return () => chunks[8 * (Math.floor(calls / 400) % 4) + (calls++ % 8)]!;
}

const cases: readonly MemoryOptions[] = [
  { method: 'dmc' },
  { method: 'dmc', options: { slotFormat: 'int8' } },
  { method: 'dms', options: { window: 100 } },
  { method: 'merge', options: { threshold: 0.8 } },
  { method: 'fifo', options: { frames: 1000 } },
  { method: 'dmc+fifo', options: { frames: 1000 } },
  { method: 'hermes' },
];

test.each(cases)('$method $options: 100,000 tokens never pass the cap, the context or the end of the memory', async ({ method, options }) => {
  using sized = await Memory.open(spec, { method, ...(options && { options }) });
  const capBytes = sized.store.fixedBytes + slotsPerHead * layers * kvHeads * sized.store.bytesPerSlot;
  using memory = await Memory.open(spec, { method, ...(options && { options }), capBytes });
  const make = maker(3);
  const attend = ({ layer, kvHead }: { readonly layer: number; readonly kvHead: number }) => new Float32Array(memory.store.head(layer, kvHead).length).fill(0.1);
  const step = (stretches: Parameters<Memory['begin']>[0]) => {
    const first = memory.begin(stretches);
    const count = stretches.reduce((sum, stretch) => sum + stretch.count, 0);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first + count).toBeLessThanOrEqual(spec.contextLength);
    for (let layer = 0; layer < layers; layer++) memory.write(layer, make());
    memory.end(attend);
  };
  step([{ count: 4, origin: { kind: 'opening', source: -1, timeSec: 0 } }]);
  const frames = Math.ceil(100_000 / frameTokens);
  let asked = 0;
  for (let source = 0; source < frames; source++) {
    const timeSec = source / 2;
    step([
      { count: 1, origin: { kind: 'wrap', source, timeSec } },
      { count: frameTokens - 2, origin: { kind: 'visual', source, timeSec } },
      { count: 1, origin: { kind: 'wrap', source, timeSec } },
    ]);
    const { allocatedBytes, liveBytes } = memory.report();
    if (allocatedBytes > capBytes || liveBytes > allocatedBytes) expect.fail(`${allocatedBytes} bytes of ${capBytes} at frame ${source}`);
    if (source % 100 !== 99) continue;
    // Now and then a question; every other one stays.
    const mark = memory.mark(24);
    step([{ count: 12, origin: { kind: 'question', source: asked, timeSec } }]);
    step([{ count: 8, origin: { kind: 'answer', source: asked, timeSec } }]);
    if (asked++ % 2 === 0) memory.keep(mark);
    else memory.undo(mark);
    for (const head of memory.store.heads) {
      const positions = head.position.subarray(0, head.length);
      if (Math.max(...positions) >= spec.contextLength || Math.min(...positions) < 0) expect.fail('a position outside the context');
      if (![...head.kind.subarray(0, head.length)].includes(kindCode.opening)) expect.fail('the opening is gone');
      if (head.keys.subarray(0, head.length * headWidth).some((value) => !Number.isFinite(value))) expect.fail('a key is no number');
    }
    // What came last is there; of what is long past, the memory of those that merge holds more than the latest frames alone would.
    for (const head of memory.store.heads) expect(storedFrames(head).at(-1)!.source).toBe(source);
  }
  expect(memory.tokensSeen).toBeGreaterThan(100_000);
  expect(memory.report().slots).toBeGreaterThan(0.3 * slotsPerHead * layers * kvHeads);
}, 120_000);
