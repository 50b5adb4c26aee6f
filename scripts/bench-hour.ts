// An hour of stream through a small model under fifo: is memory flat, does a queue grow, do answers slow down? Writes docs/results/hour.json.
// Usage: node scripts/bench-hour.ts [--minutes 60] [--speed 30] [--out docs/results]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel, openSource, openStream, openVideoWriter, writeRandomCheckpoint } from '../src/index.ts';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { keepYoungGenerationSmall } from '../src/runtime/young-generation.ts';
import { median, writeRecord } from './record.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, speed: { type: 'string', default: '30' }, out: { type: 'string', default: 'docs/results' } } });
const minutes = Number(values.minutes);
const speed = Number(values.speed);
const fps = 2;
const questionsAMinute = 5;

// As the command line does.
keepYoungGenerationSmall();
const folder = await mkdtemp(join(tmpdir(), 'thalweg-hour-'));
try {
  const video = join(folder, 'hour.mp4');
  await writeClip(video, minutes * 60 * fps);
  await writeRandomCheckpoint(join(folder, 'model'), 'smolvlm-tiny', { seed: 1, dtype: 'float32' });
  await using model = await openModel({ model: join(folder, 'model'), precision: 'float32', threads: 2 });
  // As a camera would: frames come when their time has come, and are dropped when nobody takes them.
  const source = await openSource(video, { fps, pace: 'realtime', speed, whenSlow: 'drop-oldest' });
  await using session = await openStream({ source, model, method: 'fifo', memoryOptions: { frames: 32 }, memoryMiB: 64 });

  const samples: { minute: number; rssBytes: number; liveBytes: number; allocatedBytes: number; queued: number; dropped: number; firstTokenMs: number }[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    const delays: number[] = [];
    let live = { liveBytes: 0, allocatedBytes: 0 };
    for (let i = 0; i < questionsAMinute; i++) {
      const { timings, memory } = await session.ask('What happens?', { atSec: minute * 60 - 10 + i * 2, maxTokens: 1, remember: false });
      // Waiting for the frame in work is chance; what the memory costs is the rest.
      delays.push(timings.firstTokenMs - timings.waitMs);
      live = memory;
    }
    const { keptCount, deliveredCount, droppedCount } = source.stats();
    samples.push({ minute, rssBytes: process.memoryUsage.rss(), liveBytes: live.liveBytes, allocatedBytes: live.allocatedBytes, queued: keptCount - deliveredCount - droppedCount, dropped: droppedCount, firstTokenMs: median(delays) });
    process.stderr.write(`\rminute ${minute} of ${minutes}`);
  }
  const summary = await session.ended;
  process.stderr.write('\n');

  // Everything that grows at all has grown by a sixth of the stream.
  const warm = samples.slice(Math.ceil(minutes / 6));
  const rss = warm.map(({ rssBytes }) => rssBytes);
  // Single minutes are noisy on a shared machine: the median of the first five against that of the last five.
  const early = median(samples.slice(0, 5).map(({ firstTokenMs }) => firstTokenMs));
  const late = median(samples.slice(-5).map(({ firstTokenMs }) => firstTokenMs));
  const record = {
    what: `${minutes} min of ${fps} frames/s at ${speed} times real time, smolvlm-tiny in float32, fifo of 32 frames`,
    environment: await readEnvironment(),
    frames: summary.frames,
    dropped: summary.dropped,
    longestQueue: Math.max(...samples.map(({ queued }) => queued)),
    rssGrowth: rss.at(-1)! / rss[0]! - 1,
    rssSpread: Math.max(...rss) / Math.min(...rss) - 1,
    liveBytesAtEnd: samples.at(-1)!.liveBytes,
    liveBytesAfterWarmUp: warm[0]!.liveBytes,
    delayRatio: late / early,
    samples,
  };
  await writeRecord(values.out, 'hour', record);
  console.log(JSON.stringify({ ...record, samples: undefined }, null, 2));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function writeClip(path: string, frames: number): Promise<void> {
  const [widthPx, heightPx] = [160, 120];
  await using writer = await openVideoWriter({ path, widthPx, heightPx, fps });
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let i = 0; i < frames; i++) {
    rgb.fill((i * 3) & 127);
    for (let y = 0; y < 40; y++) rgb.fill(220, ((y + ((i * 5) % 80)) * widthPx + ((i * 7) % 120)) * 3, ((y + ((i * 5) % 80)) * widthPx + ((i * 7) % 120) + 40) * 3);
    await writer.write(rgb);
  }
  await writer.close();
}
