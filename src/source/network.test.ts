// Tests of network sources on the loopback: HTTP, HLS, UDP, RTMP, silent servers, and streams that are cut and come back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Frame } from '../core/frame.ts';
import { encodeClip, meanDifference, wavePixels } from '../runtime/media-clip.fixture.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import type { SourceEvent, SourceOptions } from './contract.ts';
import { openSource } from './open-source.ts';

/** A server on a free port of the loopback; closing it cuts its connections. */
async function serve(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
const serveHttp = (listener: RequestListener) => serve(createServer(listener));

/** Answers with whole bytes, or the range that is asked for. */
const answerBytes = (bytes: Uint8Array): RequestListener => (request, response) => {
  const [, from] = /bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  response.writeHead(from === undefined ? 200 : 206, {
    'accept-ranges': 'bytes',
    'content-length': bytes.length - start,
    ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  response.end(bytes.subarray(start));
};

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Frames up to a number of them, or to the end. */
async function take(address: string, count: number, options: SourceOptions = {}): Promise<{ frames: Frame[]; events: SourceEvent[] }> {
  const events: SourceEvent[] = [];
  const frames: Frame[] = [];
  await using source = await openSource(address, { timeoutSec: 5, ...options, onEvent: (event) => events.push(event) });
  for await (const frame of source) {
    frames.push(frame);
    if (frames.length === count) break;
  }
  return { frames, events };
}

/** Sends a live stream, as a camera does, until `signal` stops it. */
async function broadcast(path: string, signal: AbortSignal): Promise<void> {
  await using writer = await openVideoWriter({ path, widthPx: 96, heightPx: 64, fps: 50, gopFrames: 10, pace: 'realtime' });
  for (let index = 0; !signal.aborted && index < 1000; index++) await writer.write(wavePixels(index));
}

describe('HTTP', () => {
  test('a file is read to its end, and can be entered in the middle', async () => {
    const clip = await encodeClip({ frames: 100 });
    await using server = await serveHttp(answerBytes(clip));
    const { frames, events } = await take(`http://127.0.0.1:${server.port}/clip.mp4`, Infinity);
    expect(frames).toHaveLength(100);
    expect(events[0]).toMatchObject({ info: { live: false, durationSec: 4 } });
    const late = await take(`http://127.0.0.1:${server.port}/clip.mp4`, 1, { startSec: 3 });
    expect(late.frames[0]!.timeSec).toBeCloseTo(3, 3);
  });

  test('a recording whose connection is cut goes on from there', async () => {
    const clip = await encodeClip({ frames: 200, crf: 5, format: 'matroska' });
    let requests = 0;
    await using server = await serveHttp((request, response) => {
      if (requests++ > 0) {
        answerBytes(clip)(request, response);
      } else {
        response.writeHead(200, { 'accept-ranges': 'bytes', 'content-length': clip.length });
        response.write(clip.subarray(0, clip.length >> 1), () => setTimeout(() => response.destroy(), 30));
      }
    });
    const { frames, events } = await take(`http://127.0.0.1:${server.port}/clip.mkv`, Infinity);
    expect(frames).toHaveLength(200);
    expect(events.map(({ kind }) => kind)).toEqual(['opened', 'ended']);
    expect(requests).toBeGreaterThan(1);
  });

  test('HLS of a finished recording', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'thalweg-hls-'));
    try {
      {
        await using writer = await openVideoWriter({ path: join(folder, 'index.m3u8'), widthPx: 96, heightPx: 64, fps: 25, gopFrames: 25, formatOptions: { hls_time: 1, hls_list_size: 0, hls_playlist_type: 'vod' } });
        for (let index = 0; index < 75; index++) await writer.write(wavePixels(index));
      }
      await using server = await serveHttp((request, response) => {
        readFile(join(folder, basename(request.url ?? ''))).then(
          (bytes) => answerBytes(bytes)(request, response),
          () => response.writeHead(404).end(),
        );
      });
      const { frames, events } = await take(`http://127.0.0.1:${server.port}/index.m3u8`, Infinity, { fps: 5 });
      expect(frames).toHaveLength(15);
      expect(frames.at(-1)!.timeSec).toBeCloseTo(2.8, 2);
      expect(events[0]).toMatchObject({ info: { live: false, container: 'hls' } });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([[401, 'MEDIA_UNAUTHORIZED'], [403, 'MEDIA_FORBIDDEN'], [404, 'MEDIA_NOT_FOUND'], [410, 'MEDIA_HTTP_STATUS'], [500, 'MEDIA_HTTP_STATUS']])('status %i is %s', async (status, code) => {
    await using server = await serveHttp((_request, response) => response.writeHead(status).end());
    await expect(openSource(`http://127.0.0.1:${server.port}/x.mp4`)).rejects.toMatchObject({ code });
  });
});

describe('a server that accepts and says nothing', () => {
  test.each(['http', 'rtsp', 'rtmp', 'tcp'])('%s runs into the time-out', async (protocol) => {
    await using server = await serve(createTcpServer(() => undefined));
    const startMs = performance.now();
    await expect(openSource(`${protocol}://127.0.0.1:${server.port}/x`, { timeoutSec: 0.2 })).rejects.toMatchObject({ code: 'MEDIA_TIMEOUT' });
    // Not the ten seconds that it waits for others.
    expect(performance.now() - startMs).toBeLessThan(9000);
  });

  test('many silent cameras leave threads for everything else', async () => {
    await using server = await serve(createTcpServer(() => undefined));
    const script = `import { openSource } from ${JSON.stringify(new URL('./open-source.ts', import.meta.url).href)};
      import { readFile } from 'node:fs/promises';
      const opening = Array.from({ length: 8 }, () => openSource('rtsp://127.0.0.1:${server.port}/x', { timeoutSec: 20 }).catch(({ code }) => code));
      await new Promise((resolve) => setTimeout(resolve, 100));
      const startMs = performance.now();
      await readFile(new URL(${JSON.stringify(import.meta.url)}));
      console.log(JSON.stringify({ readMs: performance.now() - startMs }));
      process.exit(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    // Without room in the pool the read waits for the first time-out; and the process would not end before it, were its threads not woken.
    expect((JSON.parse(output) as { readMs: number }).readMs).toBeLessThan(15_000);
  });

  test('an abort does not wait for the time-out', async () => {
    await using server = await serve(createTcpServer(() => undefined));
    const abort = new AbortController();
    const reason = new Error('enough');
    const startMs = performance.now();
    setTimeout(() => abort.abort(reason), 50);
    await expect(openSource(`rtsp://127.0.0.1:${server.port}/x`, { signal: abort.signal, timeoutSec: 60 })).rejects.toBe(reason);
    expect(performance.now() - startMs).toBeLessThan(30_000);
  });

  test('nothing on a UDP port runs into the time-out', async () => {
    await expect(openSource(`udp://127.0.0.1:${await freeUdpPort()}`, { timeoutSec: 0.2 })).rejects.toMatchObject({ code: 'MEDIA_TIMEOUT' });
  });
});

/** Recognises a stream by its first few pictures, since a silent one sends no more. */
const QUICK_PROBE = { analyzeduration: 100_000, fpsprobesize: 0 };

describe('live', () => {
  test('MPEG-TS over UDP', async () => {
    const port = await freeUdpPort();
    const stop = new AbortController();
    const sending = broadcast(`udp://127.0.0.1:${port}?pkt_size=1316`, stop.signal);
    const { frames, events } = await take(`udp://127.0.0.1:${port}`, 20);
    stop.abort();
    await sending;
    expect(events[0]).toMatchObject({ info: { live: true, container: 'mpegts' } });
    frames.forEach(({ timeSec, index }, at) => {
      expect(index).toBe(at);
      expect(timeSec).toBeGreaterThan(frames[at - 1]?.timeSec ?? -1);
    });
    expect(frames[0]!.timeSec).toBe(0);
  });

  test.each([
    ['rtmp', { listen: 1 }, 'flv'],
    ['rtsp', { rtsp_flags: 'listen', listen_timeout: 10 }, 'rtsp'],
  ] as const)('%s, from a publisher that connects to it', async (protocol, formatOptions, container) => {
    const stop = new AbortController();
    const address = `${protocol}://127.0.0.1:${await freeUdpPort()}/live/camera`;
    const receiving = take(address, 20, { formatOptions });
    // The listener has no way to say that it is ready: the publisher tries until it is let in.
    const sending = (async () => {
      for (let attempt = 0; attempt < 50 && !stop.signal.aborted; attempt++) {
        await broadcast(address, stop.signal).catch(() => sleep(50));
      }
    })();
    const { frames, events } = await receiving;
    stop.abort();
    await sending;
    expect(events[0]).toMatchObject({ info: { live: true, container } });
    expect(frames).toHaveLength(20);
    expect(meanDifference(frames[0]!.rgb, wavePixels(0))).toBeLessThan(40);
  });

  test('a stream that is cut and comes back goes on: indices without a gap, times that rise, and events that say so', async () => {
    const clip = await encodeClip({ frames: 30, gopFrames: 10, format: 'mpegts' });
    let connections = 0;
    await using server = await serveHttp((_request, response) => {
      connections += 1;
      // The second attempt after each cut finds the camera still down.
      if (connections % 2 === 0) return response.writeHead(503).end();
      response.writeHead(200, { 'content-type': 'video/mp2t' });
      // Every other time cut in the middle of a picture, else ended in order.
      if (connections % 4 === 1) response.write(clip.subarray(0, clip.length - 1000), () => setTimeout(() => response.destroy(), 30));
      else response.end(clip);
      return undefined;
    });
    const { frames, events } = await take(`http://127.0.0.1:${server.port}/live.ts`, 80, { whenSlow: 'wait', reconnect: { minPauseSec: 0.02, maxPauseSec: 0.05 } });
    expect(frames.map(({ index }) => index)).toEqual(Array.from({ length: 80 }, (_, index) => index));
    for (let at = 1; at < frames.length; at++) expect(frames[at]!.timeSec).toBeGreaterThan(frames[at - 1]!.timeSec);
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== 'damaged');
    expect(kinds).toEqual(['opened', 'reconnecting', 'reconnecting', 'reconnected', 'reconnecting', 'reconnecting', 'reconnected', 'ended']);
    const [first, second] = events.filter((event) => event.kind === 'reconnecting');
    expect([first!.attempt, second!.attempt]).toEqual([1, 2]);
    expect(second!.error).toMatchObject({ code: 'MEDIA_HTTP_STATUS' });
    expect(events.at(-1)).toMatchObject({ stats: { reconnectCount: 2, deliveredCount: 80 } });
  });

  test('a stream that does not come back is given up after the stated attempts', async () => {
    const clip = await encodeClip({ frames: 10, format: 'mpegts' });
    let connections = 0;
    await using server = await serveHttp((_request, response) => {
      if (connections++ > 0) return response.writeHead(404).end();
      return response.writeHead(200).end(clip);
    });
    const events: SourceEvent[] = [];
    const source = await openSource(`http://127.0.0.1:${server.port}/live.ts`, { live: true, reconnect: { minPauseSec: 0.01, attempts: 3 }, onEvent: (event) => events.push(event) });
    let count = 0;
    const watching = (async () => {
      for await (const frame of source) count = frame.index + 1;
    })();
    await expect(watching).rejects.toMatchObject({ code: 'MEDIA_GAVE_UP' });
    expect(count).toBeGreaterThan(0);
    expect(connections).toBe(4);
    expect(events.filter(({ kind }) => kind === 'reconnecting')).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ kind: 'ended', reason: 'failed' });
  });

  test('a live stream that falls silent is opened again', async () => {
    const clip = await encodeClip({ frames: 20, format: 'mpegts' });
    let connections = 0;
    await using server = await serveHttp((_request, response) => {
      connections += 1;
      response.writeHead(200);
      response.write(clip);
    });
    const { events } = await take(`http://127.0.0.1:${server.port}/live.ts`, 30, { timeoutSec: 0.3, whenSlow: 'wait', reconnect: { minPauseSec: 0.01 }, formatOptions: QUICK_PROBE });
    expect(connections).toBe(2);
    expect(events.find((event) => event.kind === 'reconnecting')!.error).toMatchObject({ code: 'MEDIA_TIMEOUT' });
  });
});
