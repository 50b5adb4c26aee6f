// A process of its own: opens the decoder of a test, takes up saved memories and goes on. Prints logits, a line for each memory.
import { Decoder } from '../language/decoder.ts';
import { randomDecisions, randomDecoder, tinySpec } from '../language/decoder.fixture.ts';
import { play, probe, question } from '../language/stream.fixture.ts';
import type { PackedDecisions } from '../models/packed/contract.ts';
import type { MemorySnapshot } from './contract.ts';
import { readSaved } from './snapshot-file.ts';
import { Memory } from './stage.ts';

export function openRestoreDecoder(kind: PackedDecisions['kind']): Promise<Decoder> {
  return Decoder.open(tinySpec, { ...randomDecoder(tinySpec, 3), decisions: randomDecisions(tinySpec, kind, 4) }, { threads: 1, extra: { rawKeys: true } });
}

/** What both processes do with a memory that stands at frame 8. */
export async function goOn(decoder: Decoder, memory: Memory): Promise<Float32Array> {
  await decoder.prefill(memory, question(0), { logits: 'none' });
  await play(decoder, memory, 8, 11);
  return probe(decoder, memory);
}

if (process.argv[1] === import.meta.filename) {
  const [kind, ...files] = process.argv.slice(2);
  await using decoder = await openRestoreDecoder(kind as PackedDecisions['kind']);
  for (const file of files) {
    using memory = await Memory.restore(tinySpec, (await readSaved(file)) as MemorySnapshot);
    console.log(Buffer.from((await goOn(decoder, memory)).buffer).toString('base64'));
  }
}
