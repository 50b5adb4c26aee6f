// Tests of sources end to end: files, folders, pipes, test pictures and frames of the program, sampled, paced and queued.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../core/frame.ts';
import { encodeClip, meanDifference, wavePixels } from '../runtime/media-clip.fixture.ts';
import type { SourceEvent, SourceOptions } from './contract.ts';
import { describeSourceEvent, openSource } from './open-source.ts';
import type { SourceInput } from './open-source.ts';
import type { RawFrame } from './raw-frames.ts';

let folder: string;
let clipPath: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-source-'));
  clipPath = join(folder, 'clip.mp4');
  await writeFile(clipPath, await encodeClip({ frames: 50, bFrames: 2 }));
});
afterAll(() => rm(folder, { recursive: true }));

async function collect(input: SourceInput, options: SourceOptions = {}): Promise<{ frames: Frame[]; events: SourceEvent[] }> {
  const events: SourceEvent[] = [];
  const frames: Frame[] = [];
  await using source = await openSource(input, { ...options, onEvent: (event) => events.push(event) });
  for await (const frame of source) frames.push(frame);
  return { frames, events };
}

const timesOf = (frames: readonly Frame[]) => frames.map(({ timeSec }) => Number(timeSec.toFixed(3)));

describe('a file', () => {
  test('gives every frame with index, time, pixels, type and motion', async () => {
    const { frames, events } = await collect(clipPath);
    expect(frames.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(timesOf(frames)).toEqual(Array.from({ length: 50 }, (_, index) => Number((index / 25).toFixed(3))));
    expect(frames[0]).toMatchObject({ widthPx: 96, heightPx: 64, pictureType: 'I' });
    expect(new Set(frames.map(({ pictureType }) => pictureType))).toEqual(new Set(['I', 'P', 'B']));
    expect(frames[30]!.motion!.count).toBeGreaterThan(0);
    for (const { index, rgb } of frames) expect(meanDifference(rgb, wavePixels(index))).toBeLessThan(6);
    expect(events.map(({ kind }) => kind)).toEqual(['opened', 'ended']);
    expect(events.at(-1)).toMatchObject({ reason: 'end', stats: { decodedCount: 50, keptCount: 50, deliveredCount: 50, droppedCount: 0, damagedCount: 0 } });
    expect(events.map(describeSourceEvent)[0]).toContain('96×64 h264');
  });

  test('is sampled by media time and converts the kept frames only', async () => {
    const { frames, events } = await collect(clipPath, { fps: 5 });
    expect(timesOf(frames)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8]);
    expect(events.at(-1)).toMatchObject({ stats: { decodedCount: 50, keptCount: 10 } });
    frames.forEach(({ rgb }, index) => expect(meanDifference(rgb, wavePixels(index * 5))).toBeLessThan(6));
  });

  test('with a variable frame rate is sampled by time, not by number', async () => {
    const timesSec = [0, 0.1, 0.2, 1, 1.05, 1.6, 3, 3.1];
    const { frames } = await collect(await encodeClip({ frames: 8, timesSec, format: 'matroska' }), { fps: 2 });
    expect(timesOf(frames)).toEqual([0, 1, 1.6, 3]);
  });

  test.each([0.4, 1.2])('from %d s on, for half a second', async (startSec) => {
    const { frames, events } = await collect(clipPath, { startSec, durationSec: 0.5 });
    expect(frames[0]!.timeSec).toBeCloseTo(startSec, 3);
    expect(frames).toHaveLength(13);
    expect(meanDifference(frames[0]!.rgb, wavePixels(Math.round(startSec * 25)))).toBeLessThan(6);
    expect(events.at(-1)).toMatchObject({ kind: 'ended', reason: 'limit' });
  });

  test('with the limits of a picture is scaled down', async () => {
    const { frames } = await collect(clipPath, { fps: 1, maxSidePx: 48 });
    expect(frames[0]).toMatchObject({ widthPx: 48, heightPx: 32 });
    expect(frames[0]!.rgb).toHaveLength(48 * 32 * 3);
  });

  test('cut short says how much is missing', async () => {
    const whole = await encodeClip({ frames: 50, format: 'matroska' });
    const { frames, events } = await collect(whole.slice(0, whole.length >> 1));
    const damaged = events.filter((event) => event.kind === 'damaged');
    expect(damaged.at(-1)).toMatchObject({ reason: 'the file ends before its stated length' });
    expect(damaged.at(-1)!.damagedCount + frames.length).toBe(50);
  });

  test('with damage in the middle keeps its times increasing and its indices whole', async () => {
    const bytes = await encodeClip({ frames: 60, gopFrames: 10, bFrames: 2, format: 'mpegts' });
    bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 400);
    const { frames, events } = await collect(bytes);
    expect(frames.length).toBeGreaterThan(38);
    expect(frames.length).toBeLessThan(60);
    frames.forEach(({ index, timeSec }, at) => {
      expect(index).toBe(at);
      expect(timeSec).toBeGreaterThan(frames[at - 1]?.timeSec ?? -1);
    });
    expect(events.some(({ kind }) => kind === 'damaged')).toBe(true);
  });
});

describe('pace and queue', () => {
  test('real time takes as long as the media, and a speed factor divides it', async () => {
    const startMs = performance.now();
    const { frames } = await collect(clipPath, { pace: 'realtime', speed: 4, fps: 10 });
    const tookMs = performance.now() - startMs;
    expect(frames).toHaveLength(20);
    // 1.9 s of media from the first frame to the last, four times as fast.
    expect(tookMs).toBeGreaterThan(465);
    expect(tookMs).toBeLessThan(2500);
  });

  test('`wait` loses nothing to a slow consumer', async () => {
    await using source = await openSource(clipPath, { queueFrames: 1, fps: 10 });
    let count = 0;
    for await (const frame of source) {
      expect(frame.index).toBe(count++);
      await sleep(2);
    }
    expect(count).toBe(20);
    expect(source.stats()).toMatchObject({ droppedCount: 0, deliveredCount: 20 });
  });

  test('`drop-oldest` keeps the newest, counts the rest, and tells each', async () => {
    const dropped: number[] = [];
    await using source = await openSource(clipPath, { whenSlow: 'drop-oldest', queueFrames: 3 });
    source.on('dropped', ({ timeSec, droppedCount }) => {
      dropped.push(timeSec);
      expect(droppedCount).toBe(dropped.length);
    });
    while (source.stats().keptCount < 50) await sleep(5);
    const frames: Frame[] = [];
    for await (const frame of source) frames.push(frame);
    expect(timesOf(frames)).toEqual([1.88, 1.92, 1.96]);
    expect(frames.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(dropped).toHaveLength(47);
    expect(source.stats().droppedCount).toBe(47);
  });

  test('decoding does not block the event loop', async () => {
    const big = await encodeClip({ widthPx: 1280, heightPx: 720, frames: 12, preset: 'ultrafast', gopFrames: 6, pixelsOf: ((pixels) => () => pixels)(wavePixels(0, 1280, 720)) });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const { frames } = await collect(big);
    delay.disable();
    expect(frames).toHaveLength(12);
    expect(delay.max / 1e6).toBeLessThan(50);
  });
});

describe('leaving', () => {
  test('a loop that breaks off closes the source', async () => {
    const events: SourceEvent[] = [];
    const source = await openSource('lavfi:testsrc2=size=64x64:rate=25', { onEvent: (event) => events.push(event) });
    for await (const frame of source) if (frame.index === 3) break;
    expect(events.at(-1)).toMatchObject({ kind: 'ended', reason: 'closed' });
    await source.close();
    expect(events.filter(({ kind }) => kind === 'ended')).toHaveLength(1);
  });

  test('an abort makes the loop throw its reason, also while it waits', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const source = await openSource('lavfi:testsrc2=size=64x64:rate=1', { pace: 'realtime', signal: abort.signal });
    const reading = (async () => {
      for await (const frame of source) if (frame.index === 0) setTimeout(() => abort.abort(reason), 20);
    })();
    await expect(reading).rejects.toBe(reason);
    await expect(openSource(clipPath, { signal: abort.signal })).rejects.toBe(reason);
  });

  test('a source is iterated once', async () => {
    await using source = await openSource(clipPath);
    source[Symbol.asyncIterator]();
    expect(() => source[Symbol.asyncIterator]()).toThrow(/twice/);
  });
});

describe('other kinds', () => {
  test('test pictures of lavfi, to their end', async () => {
    const { frames } = await collect('lavfi:testsrc2=size=64x48:rate=10:duration=1');
    expect(frames).toHaveLength(10);
    expect(frames[9]).toMatchObject({ widthPx: 64, heightPx: 48 });
  });

  test('a folder of images, in natural order, at the given rate; a broken one is told and skipped', async () => {
    const images = join(folder, 'images');
    await mkdir(images);
    for (const [index, name] of ['frame2.png', 'frame10.png', 'frame1.png', 'frame3.jpg'].entries()) {
      const jpeg = name.endsWith('jpg');
      await writeFile(join(images, name), await encodeClip({ frames: 1, codec: jpeg ? 'mjpeg' : 'png', format: 'image2pipe', pixelFormat: jpeg ? 'yuvj444p' : 'rgb24', colorRange: 'full', pixelsOf: () => new Uint8Array(96 * 64 * 3).fill(40 * (index + 1)) }));
    }
    await writeFile(join(images, 'frame4.png'), 'no image');
    await writeFile(join(images, 'notes.txt'), 'no image either');
    const { frames, events } = await collect(images, { imageFps: 2 });
    expect(timesOf(frames)).toEqual([0, 0.5, 1, 2]);
    // frame1, frame2, frame3, frame10 by what they show.
    expect(frames.map(({ rgb }) => Math.round(rgb[0]! / 40))).toEqual([3, 1, 4, 2]);
    expect(events.find((event) => event.kind === 'damaged')).toMatchObject({ timeSec: 1.5, pictureCount: 1 });
    expect(timesOf((await collect(images, { imageFps: 2, startSec: 0.5, durationSec: 1 })).frames)).toEqual([0.5, 1]);
  });

  test('frames of the program', async () => {
    async function* render(): AsyncGenerator<RawFrame> {
      for (let index = 0; index < 20; index++) {
        await sleep(0);
        yield { timeSec: index / 10, widthPx: 8, heightPx: 4, rgb: new Uint8Array(96).fill(index) };
      }
    }
    const { frames } = await collect(render(), { fps: 2 });
    expect(timesOf(frames)).toEqual([0, 0.5, 1, 1.5]);
    expect(frames.map(({ rgb }) => rgb[0])).toEqual([0, 5, 10, 15]);
    const wrong = [{ timeSec: 0, widthPx: 8, heightPx: 4, rgb: new Uint8Array(95) }];
    await expect(openSource(wrong)).rejects.toMatchObject({ code: 'BAD_FRAME' });
  });

  test('standard input of a process', async () => {
    const script = `import { openSource } from ${JSON.stringify(new URL('./open-source.ts', import.meta.url).href)};
      let count = 0; let kind;
      const source = await openSource('-'); kind = source.info.kind;
      for await (const frame of source) count += 1;
      console.log(JSON.stringify({ kind, count }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(await encodeClip({ frames: 12, format: 'mpegts' }));
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    expect(JSON.parse(output)).toEqual({ kind: 'stdin', count: 12 });
  });

  test('a process can exit while its standard input is silent', async () => {
    const script = `import { openSource } from ${JSON.stringify(new URL('./open-source.ts', import.meta.url).href)};
      openSource('-').catch(() => undefined);
      setTimeout(() => process.exit(7), 150);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(7);
  });

  test('a stream of bytes, and its failure', async () => {
    const clip = await encodeClip({ frames: 12, format: 'mpegts' });
    expect((await collect(Readable.from([clip.subarray(0, 5000), clip.subarray(5000)]))).frames).toHaveLength(12);
    const failing = new Readable({ read: () => undefined });
    failing.push(clip.subarray(0, 1000));
    setTimeout(() => failing.destroy(new Error('the disk is gone')), 30);
    await expect(openSource(failing)).rejects.toMatchObject({ code: 'MEDIA_STREAM_FAILED', message: expect.stringContaining('the disk is gone') as string });
  });
});
