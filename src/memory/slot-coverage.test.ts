// What slots cover in time, and the picture of it.
import { expect, test } from 'vitest';
import { tinySpec } from '../language/decoder.fixture.ts';
import type { LayerChunk } from './contract.ts';
import { slotCoverage } from './slot-coverage.ts';
import { slotMapSvg } from './slot-map.ts';
import { Memory } from './stage.ts';

const spec = { ...tinySpec, layers: 1, kvHeads: 1, queryHeads: 1, headWidth: 2 };

/** Tokens one second apart, whose decisions are given: 1 merges. */
async function watch(decisions: readonly number[]): Promise<Memory> {
  const memory = await Memory.open(spec, { method: 'dmc' });
  for (const [t, decision] of decisions.entries()) {
    memory.begin([{ count: 1, origin: { kind: 'visual', source: t, timeSec: t } }]);
    const made: LayerChunk = { keys: Float32Array.of(1, 0), rawKeys: Float32Array.of(1, 0), values: Float32Array.of(1, 1), decisions: Float32Array.of(decision), importances: Float32Array.of(0), queries: new Float32Array(2) };
    memory.write(0, made);
    memory.end();
  }
  return memory;
}

test('a slot covers the time from the first of its tokens to the latest', async () => {
  using memory = await watch([-1, 1, 1, -1, 1, -1]);
  expect(slotCoverage(memory.store)).toEqual([
    {
      layer: 0,
      kvHead: 0,
      slots: [
        { kind: 'visual', sinceSec: 0, timeSec: 2, tokens: 3 },
        { kind: 'visual', sinceSec: 3, timeSec: 4, tokens: 2 },
        { kind: 'visual', sinceSec: 5, timeSec: 5, tokens: 1 },
      ],
    },
  ]);
});

test('the picture has a line for each slot, as long as what it covers', async () => {
  using memory = await watch([-1, 1, 1, -1, 1, -1]);
  const svg = slotMapSvg(slotCoverage(memory.store));
  expect(svg).toContain('3 slots for 6 tokens');
  expect(svg).toContain('layer 0 head 0: 3 slots, 2.0 tokens each');
  // 900 pixels for five seconds.
  expect(svg).toContain('M230 48h360M770 51h180M1130 54h1');
});

test('an empty memory has a picture too', async () => {
  using memory = await watch([]);
  expect(slotMapSvg(slotCoverage(memory.store))).toContain('0 slots for 0 tokens');
});
