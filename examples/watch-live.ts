// Watch a stream as it happens and ask in between: node examples/watch-live.ts <model> <address> <question>
import { openStream } from 'thalweg';

const [model, address, question] = process.argv.slice(2);
if (!model || !address || !question) throw new Error('usage: watch-live.ts <model> <address> <question>');

await using session = await openStream({
  model,
  source: address,
  sourceOptions: { fps: 2, pace: 'realtime' },
  memory: 'fifo',
  memoryOptions: { frames: 8 },
  memoryMiB: 256,
});

// One question every two seconds of the stream; each stands alone.
for (let atSec = 2; !session.over; atSec += 2) {
  process.stdout.write(`${atSec} s: `);
  for await (const piece of session.ask(question, { atSec, remember: false, maxTokens: 16 })) process.stdout.write(piece);
  process.stdout.write('\n');
}

const { framesPerSec, dropped, peakLiveBytes } = await session.ended;
console.log(`${framesPerSec.toFixed(1)} frames/s, ${dropped} dropped, at most ${peakLiveBytes} bytes of memory`);
