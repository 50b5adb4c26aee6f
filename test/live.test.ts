// A live stream that breaks off and comes back: the session keeps what it saw; the event loop stays free while the model runs.
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel, openStream, writeRandomCheckpoint, type Model, type SessionEvent } from '../src/index.ts';
import { checkpointSizes } from '../src/models/sizes.ts';
import { createMemorySink } from '../src/runtime/media-sink.ts';
import { openVideoWriter } from '../src/runtime/media-writer.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-live-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function randomModel(name: string, size: Parameters<typeof writeRandomCheckpoint>[1]): Promise<Model> {
  await writeRandomCheckpoint(join(folder, name), size, { seed: 4, dtype: 'float32' });
  return openModel({ model: join(folder, name), precision: 'float32', cache: join(folder, 'cache'), threads: 2 });
}

async function transportStream(frames: number): Promise<Uint8Array> {
  const sink = createMemorySink();
  await using writer = await openVideoWriter({ sink, format: 'mpegts', widthPx: 64, heightPx: 48, fps: 10, gopFrames: 5 });
  for (let i = 0; i < frames; i++) await writer.write(new Uint8Array(64 * 48 * 3).fill(i * 5));
  await writer.close();
  return sink.bytes();
}

describe('a live stream', () => {
  it('that is cut and comes back loses no state of its session', async () => {
    const clip = await transportStream(40);
    let connections = 0;
    // The first connection breaks after a part of the clip; the second is refused; the third gives all of it.
    const server: Server = createServer((_, response) => {
      connections++;
      if (connections === 2) {
        response.destroy();
        return;
      }
      response.writeHead(200, { 'content-type': 'video/mp2t' });
      if (connections === 1) response.write(clip.subarray(0, Math.floor(clip.length * 0.6)), () => response.destroy());
      else response.end(clip);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const events: SessionEvent[] = [];
    try {
      await using model = await randomModel('tiny', 'smolvlm-tiny');
      await using session = await openStream({
        model,
        source: `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.ts`,
        sourceOptions: { fps: 10, live: true, whenSlow: 'wait', reconnect: { minPauseSec: 0.02, maxPauseSec: 0.05, attempts: 2 } },
        memory: 'dense',
        memoryMiB: 32,
        onEvent: (event) => events.push(event),
      });
      const unplugged = await session.ask('What?', { maxTokens: 3, atSec: 0.5 });
      const lost = new Promise<void>((resolve) => session.subscribe((event) => event.kind === 'source' && event.event.kind === 'reconnected' && resolve()));
      await lost;
      const after = await session.ask('And now?', { maxTokens: 3 });
      // Everything from before the cut is still there, the dialogue too.
      expect(after.memory.tokensSeen).toBeGreaterThan(unplugged.memory.tokensSeen);
      expect(after.memory.slots).toBe(after.memory.tokensSeen * 4);
      const times = events.filter((event) => event.kind === 'frame').map(({ timeSec }) => timeSec);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(new Set(times).size).toBe(times.length);
      expect(events.filter((event) => event.kind === 'source').map(({ event }) => event.kind)).toEqual(expect.arrayContaining(['reconnecting', 'reconnected']));
      await session.stop();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('leaves the event loop free while the model computes', async () => {
    // One frame of this size keeps the model busy for many times the bound below.
    const size = { ...checkpointSizes['smolvlm-tiny'], vision: { layers: 3, width: 384, heads: 6, mlpWidth: 1536, imagePx: 384, patchPx: 16 } };
    await using model = await randomModel('middle', size);
    await using session = await openStream({ model, source: 'lavfi:testsrc2=size=640x360:rate=10:duration=0.6', sourceOptions: { fps: 10, whenSlow: 'wait' }, memory: 'dense' });
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const { meanMs } = await session.ended;
    await session.ask('What?', { maxTokens: 8 });
    delay.disable();
    expect(meanMs.visionMs).toBeGreaterThan(20);
    // Other programs on the machine can hold the loop up now and then; the model would do so at every frame.
    expect(delay.percentile(95) / 1e6).toBeLessThan(50);
  });
});
