// Watch pictures that the program makes itself, frame by frame: node examples/own-frames.ts <model>
import { openStream } from 'thalweg';

const [model] = process.argv.slice(2);
if (!model) throw new Error('usage: own-frames.ts <model>');

/** A white square that crosses a dark picture, four frames a second. */
function* crossing() {
  const side = 64;
  for (let i = 0; i < 12; i++) {
    const rgb = new Uint8Array(side * side * 3).fill(30);
    for (let y = 24; y < 40; y++) rgb.fill(255, (y * side + i * 4) * 3, (y * side + i * 4 + 16) * 3);
    yield { timeSec: i / 4, widthPx: side, heightPx: side, rgb };
  }
}

await using session = await openStream({ model, source: crossing(), sourceOptions: { fps: 4 }, memory: 'dense', drive: 'manual' });

// The program decides how far the stream goes before each question.
for (const untilSec of [1, 2]) {
  const frames = await session.advanceTo(untilSec);
  const { text, memory } = await session.ask('Where is the square?', { maxTokens: 12 });
  console.log(`${untilSec} s, ${frames.length} frames, ${memory.liveBytes} bytes of memory: ${text.trim()}`);
}
