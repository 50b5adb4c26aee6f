// Tests of the video writer: what is written reads back, byte for byte the same each time.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeClip, meanDifference, readClip, wavePixels } from './media-clip.fixture.ts';
import { createMemorySink, createStreamSink } from './media-sink.ts';
import { openVideoWriter } from './media-writer.ts';

test('frames come back as they went in', async () => {
  const { pictures, timesSec, info } = await readClip(await encodeClip({ frames: 10, crf: 10 }));
  expect(info).toMatchObject({ codec: 'h264', widthPx: 96, heightPx: 64, durationSec: 0.4 });
  expect(timesSec).toHaveLength(10);
  timesSec.forEach((timeSec, index) => expect(timeSec).toBeCloseTo(index / 25, 4));
  pictures.forEach(({ rgb }, index) => expect(meanDifference(rgb, wavePixels(index))).toBeLessThan(3));
});

test('the same frames give the same bytes, in every container', async () => {
  for (const format of ['mp4', 'matroska', 'mpegts']) {
    const [first, second] = [await encodeClip({ frames: 6, format }), await encodeClip({ frames: 6, format })];
    expect({ format, order: Buffer.compare(first, second) }).toEqual({ format, order: 0 });
  }
});

test('key frames and B-frames fall where the options put them', async () => {
  const codecOptions = { 'x264-params': 'scenecut=0:b-adapt=0' };
  expect((await readClip(await encodeClip({ frames: 9, gopFrames: 4, codecOptions }))).types).toBe('IPPPIPPPI');
  const withB = (await readClip(await encodeClip({ frames: 9, gopFrames: 100, bFrames: 2, codecOptions }))).types;
  expect(withB).toMatch(/^IBBPBBP/);
});

test('odd sizes and one pixel are written and read', async () => {
  for (const [widthPx, heightPx] of [[1, 1], [33, 17], [2, 3]] as const) {
    const { pictures } = await readClip(await encodeClip({ frames: 3, widthPx, heightPx, crf: 5 }));
    expect(pictures).toHaveLength(3);
    expect(pictures[2]).toMatchObject({ widthPx, heightPx });
    expect(meanDifference(pictures[2]!.rgb, wavePixels(2, widthPx, heightPx))).toBeLessThan(8);
  }
});

test('a file on disk and a stream of chunks hold the same pictures', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-writer-'));
  try {
    const path = join(folder, 'clip.mkv');
    const chunks: Uint8Array[] = [];
    const targets = [{ path }, { sink: createStreamSink((chunk) => void chunks.push(chunk)), format: 'mpegts' }];
    for (const target of targets) {
      await using writer = await openVideoWriter({ ...target, widthPx: 96, heightPx: 64, fps: 25 });
      for (let index = 0; index < 5; index++) await writer.write(wavePixels(index));
    }
    const [fromFile, fromStream] = [await readClip(new Uint8Array(await readFile(path))), await readClip(Buffer.concat(chunks))];
    expect(fromFile.pictures).toHaveLength(5);
    expect(fromStream.pictures.map(({ rgb }) => Buffer.from(rgb).toString('base64'))).toEqual(fromFile.pictures.map(({ rgb }) => Buffer.from(rgb).toString('base64')));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('real-time pace holds frames back until their time', async () => {
  const startMs = performance.now();
  await encodeClip({ frames: 6, fps: 25, pace: 'realtime' });
  expect(performance.now() - startMs).toBeGreaterThan(190);
});

test('what cannot be written is refused with the reason', async () => {
  const good = { widthPx: 8, heightPx: 8, fps: 25, sink: createMemorySink() };
  const codeOf = (options: Parameters<typeof openVideoWriter>[0]) => openVideoWriter(options).then(() => 'opened', (error: unknown) => (error as { code: string }).code);
  expect(await codeOf({ ...good, widthPx: 0 })).toBe('WRITER_SIZE');
  expect(await codeOf({ ...good, fps: 0 })).toBe('WRITER_FPS');
  expect(await codeOf({ ...good, codec: 'nothing' })).toBe('WRITER_CODEC');
  expect(await codeOf({ ...good, pixelFormat: 'nothing' })).toBe('WRITER_PIXEL_FORMAT');
  expect(await codeOf({ ...good, format: 'nothing' })).toBe('WRITER_FORMAT');
  expect(await codeOf({ ...good, path: 'both.mp4' })).toBe('WRITER_TARGET');
  expect(await codeOf({ widthPx: 8, heightPx: 8, fps: 25, path: '/no/such/folder/clip.mp4' })).toBe('MEDIA_NOT_FOUND');
  await using writer = await openVideoWriter(good);
  await expect(writer.write(new Uint8Array(5))).rejects.toMatchObject({ code: 'WRITER_FRAME_SIZE' });
  await writer.write(new Uint8Array(192), 1);
  await expect(writer.write(new Uint8Array(192), 1)).rejects.toMatchObject({ code: 'WRITER_TIME' });
  await writer.close();
  await expect(writer.write(new Uint8Array(192))).rejects.toMatchObject({ code: 'WRITER_CLOSED' });
});
