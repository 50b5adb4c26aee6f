// What the default preset is worth against the dense engine, on one model: delay of an answer against re-reading the window, delay after an hour
// against a minute, frames a second on a fixed camera, and a queue in real time. Writes delay.json and delay.md, or others by --name.
// Usage: node scripts/bench-delay.ts [--model <folder|name of a size|nano>] [--video fixed-camera.mp4] [--window 64] [--hour-minutes 60] [--realtime-minutes 10] [--speed-seconds 60] [--rounds 5] [--cache .cache/delay] [--name delay] [--out docs/results]; 0 minutes leave that part out
import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { createRenderer, createWorld, openModel, openSource, openStream, type RawFrame, type Session, type StreamOptions } from '../src/index.ts';
import { cachedRandomCheckpoint } from '../src/models/random-checkpoint.ts';
import { checkpointSizes, type CheckpointSizeName } from '../src/models/sizes.ts';
import { writeClip } from '../src/world/write-clip.ts';
import { median, writeRecord } from './record.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'smolvlm-tiny' },
    video: { type: 'string' },
    window: { type: 'string', default: '64' },
    'hour-minutes': { type: 'string', default: '60' },
    'realtime-minutes': { type: 'string', default: '10' },
    'speed-seconds': { type: 'string', default: '60' },
    fps: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    cache: { type: 'string', default: '.cache/delay' },
    name: { type: 'string', default: 'delay' },
    out: { type: 'string', default: 'docs/results' },
  },
});
const [windowFrames, hourMinutes, realtimeMinutes, fps, rounds] = [values.window, values['hour-minutes'], values['realtime-minutes'], values.fps, values.rounds].map(Number) as [number, number, number, number, number];
const memoryMiB = 64;
const ask = { maxTokens: 1, remember: false } as const;
const question = 'What happened?';
/** The dense engine as it can go on for ever: every frame computed whole, the last ones kept. */
const dense = { method: 'fifo', memoryOptions: { frames: windowFrames } } as const;

const isSize = (name: string): name is CheckpointSizeName => Object.hasOwn(checkpointSizes, name);
const folder = isSize(values.model) ? await cachedRandomCheckpoint(values.cache, values.model, { seed: 1 }) : values.model;
await using model = await openModel({ model: folder, threads: Number(values.threads), cache: values.cache });
const loadAverage = loadavg()[0]!;
const clip = values.video ?? (await fixedClip(Math.max(2, realtimeMinutes)));

const record = {
  what: `${isSize(values.model) ? `${values.model}, random weights` : values.model} at ${model.info.precision}, ${values.threads} threads`,
  environment: await readEnvironment(),
  loadAverage,
  delay: await told('delay', () => delayAgainstReading()),
  ...(hourMinutes > 0 && { hour: await told('an hour', () => delayOverTime()) }),
  speed: await told('frames a second', () => framesPerSecond()),
  ...(realtimeMinutes > 0 && { realtime: await told('real time', () => inRealTime()) }),
};
await writeRecord(values.out, values.name, record, table());
console.log(table());

async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  process.stderr.write(`${what} …\n`);
  return work();
}

/** A world's fixed camera, through a codec; drawn once. The truth is written after the video, and says that it is whole. */
async function fixedClip(minutes: number): Promise<string> {
  const name = `fixed-${minutes}-${fps}`;
  const video = join(values.cache, `${name}.mp4`);
  if (existsSync(join(values.cache, `${name}.truth.json`))) return video;
  process.stderr.write(`drawing ${minutes} minutes …\n`);
  const world = createWorld({ seed: 77, split: 'test', footage: 'fixed', durationSec: minutes * 60, activities: 'many', heldOut: false });
  await writeClip(world, values.cache, name, { fps: Math.max(5, fps), truthFps: 1 });
  return video;
}

/** Frames of a world, one a second, drawn as they are asked for. */
function* drawn(minutes: number): Generator<RawFrame> {
  const world = createWorld({ seed: 78, split: 'test', footage: 'fixed', durationSec: minutes * 60, activities: 'many', heldOut: false });
  yield* createRenderer(world).frames(1);
}

function open(source: StreamOptions['source'], options: Partial<StreamOptions> = {}): Promise<Session> {
  return openStream({ source, sourceOptions: { fps, durationSec: windowFrames / fps }, model, memoryMiB, drive: 'manual', ...options });
}

/** Question to first token under the preset, against reading the window densely when the question comes. */
async function delayAgainstReading() {
  await using watching = await open(clip);
  await watching.advanceTo(Infinity);
  const samples: { readonly presetMs: number; readonly readMs: number; readonly slots: number; readonly denseSlots: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const answer = await watching.ask(question, ask);
    await using reading = await open(clip, { method: 'dense' });
    const start = performance.now();
    await reading.advanceTo(Infinity);
    const answered = await reading.ask(question, ask);
    samples.push({ presetMs: answer.timings.firstTokenMs, readMs: performance.now() - start, slots: answer.memory.longestHead, denseSlots: answered.memory.longestHead });
  }
  const [presetMs, readMs] = [median(samples.map((sample) => sample.presetMs)), median(samples.map((sample) => sample.readMs))];
  return { windowFrames, presetMs, readMs, ratio: readMs / presetMs, samples };
}

/** Two streams of one model, a minute and an hour old, asked in turn. */
async function delayOverTime() {
  await using young = await open(drawn(1), { sourceOptions: { fps: 1 } });
  await using old = await open(drawn(hourMinutes), { sourceOptions: { fps: 1 } });
  await young.advanceTo(Infinity);
  await old.advanceTo(Infinity);
  const samples: { readonly youngMs: number; readonly oldMs: number }[] = [];
  let slots = { young: 0, old: 0 };
  for (let round = 0; round < 4 * rounds; round++) {
    const [first, second] = [await young.ask(question, ask), await old.ask(question, ask)];
    samples.push({ youngMs: first.timings.firstTokenMs, oldMs: second.timings.firstTokenMs });
    slots = { young: first.memory.longestHead, old: second.memory.longestHead };
  }
  const [youngMs, oldMs] = [median(samples.map((sample) => sample.youngMs)), median(samples.map((sample) => sample.oldMs))];
  return { minutes: hourMinutes, youngMs, oldMs, ratio: oldMs / youngMs, slots, liveBytes: (await old.memory()).liveBytes, samples };
}

/** From the file to the memory, decoding included, in turn. */
async function framesPerSecond() {
  const durationSec = Number(values['speed-seconds']);
  const samples: { readonly presetFps: number; readonly denseFps: number; readonly skipped: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const run = async (options: Partial<StreamOptions>) => {
      const start = performance.now();
      await using session = await open(clip, { sourceOptions: { fps, durationSec }, ...options });
      const { length } = await session.advanceTo(Infinity);
      return { framesPerSec: length / ((performance.now() - start) / 1000), ...session.summary().paths };
    };
    const [preset, whole] = [await run({}), await run(dense)];
    samples.push({ presetFps: preset.framesPerSec, denseFps: whole.framesPerSec, skipped: preset.skip / (preset.full + preset.cheap + preset.skip) });
  }
  const [presetFps, denseFps] = [median(samples.map((sample) => sample.presetFps)), median(samples.map((sample) => sample.denseFps))];
  return { presetFps, denseFps, ratio: presetFps / denseFps, skippedRatio: median(samples.map(({ skipped }) => skipped)), samples };
}

/** The clip as a camera gives it; a queue that grows is seen in its second half. */
async function inRealTime() {
  const source = await openSource(clip, { fps, pace: 'realtime', whenSlow: 'drop-oldest', queueFrames: 64, durationSec: realtimeMinutes * 60 });
  await using session = await open(source, { realtime: true, drive: 'auto' });
  const queued: number[] = [];
  session.subscribe((event) => {
    if (event.kind !== 'frame') return;
    const { keptCount, deliveredCount, droppedCount } = source.stats();
    queued.push(keptCount - deliveredCount - droppedCount);
  });
  const { frames, dropped, budget, paths } = await session.ended;
  const half = queued.length >> 1;
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / Math.max(1, list.length);
  return { minutes: realtimeMinutes, fps, frames, dropped, paths, budget, longestQueue: Math.max(0, ...queued), meanQueueFirstHalf: mean(queued.slice(0, half)), meanQueueSecondHalf: mean(queued.slice(half)) };
}

function table(): string {
  const { what, environment, delay, hour, speed, realtime } = record;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const rows = [
    [`question to first token, ${delay.windowFrames} frames watched`, ms(delay.presetMs), `${ms(delay.readMs)} (reading them then)`, `${delay.ratio.toFixed(1)} × shorter`],
    ...(hour ? [[`the same after ${hour.minutes} min of stream`, ms(hour.oldMs), `${ms(hour.youngMs)} (after 1 min)`, `${hour.ratio.toFixed(2)} ×`]] : []),
    ['frames a second, fixed camera, from the file to the memory', speed.presetFps.toFixed(1), `${speed.denseFps.toFixed(1)} (every frame whole)`, `${speed.ratio.toFixed(1)} × more`],
    ...(realtime ? [[`queue over ${realtime.minutes} min at ${realtime.fps} frames/s in real time`, `${realtime.meanQueueSecondHalf.toFixed(2)} frames (second half)`, `${realtime.meanQueueFirstHalf.toFixed(2)} (first half)`, `longest ${realtime.longestQueue}, ${realtime.dropped} dropped, ${realtime.budget?.skippedForTime ?? 0} of ${realtime.frames} not looked at for want of time`]] : []),
  ];
  return [
    `${what}; ${environment.machine.cpu}. Load of the machine when it began: ${record.loadAverage.toFixed(1)}.`,
    '',
    '| | preset `thalweg` | against | |',
    '| --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
  ].join('\n');
}
