// A world as a live camera has it: drawn and coded as time goes by, a stream of H.264 bytes for the source path.
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { messageOf } from '../core/errors.ts';
import { createStreamSink } from '../runtime/media-sink.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import type { SourceOptions } from '../source/contract.ts';
import { createRenderer, type RenderOptions } from './render.ts';
import type { World } from './world.ts';

export interface LiveOptions extends RenderOptions {
  /** Pictures a second that the camera takes; default 10. */
  readonly cameraFps?: number;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

/** How `openSource` has to take the stream: it comes at the pace of a camera, and its end is no break. */
export const liveSourceOptions = { live: true, reconnect: false, format: 'matroska', formatOptions: { analyzeduration: 1_000_000, fpsprobesize: 0 } } as const satisfies SourceOptions;

/** Starts the camera: the first picture is taken now. Pictures that nobody reads wait in the stream, and the camera with them. */
export function broadcastWorld(world: World, options: LiveOptions = {}): Readable {
  const bytes = new PassThrough();
  bytes.on('error', () => undefined); // Whoever reads is told by the stream itself.
  broadcast(world, options, bytes).then(
    () => bytes.end(),
    (thrown: unknown) => bytes.destroy(thrown instanceof Error ? thrown : new Error(messageOf(thrown))),
  );
  return bytes;
}

async function broadcast(world: World, { cameraFps = 10, signal, ...render }: LiveOptions, bytes: PassThrough): Promise<void> {
  const renderer = createRenderer(world, render);
  const gone = new AbortController();
  bytes.once('close', () => gone.abort());
  const sink = createStreamSink(async (chunk) => {
    if (!bytes.destroyed && !bytes.write(chunk)) await once(bytes, 'drain', { signal: gone.signal }).catch(() => undefined);
  });
  await using writer = await openVideoWriter({
    sink, format: 'matroska', widthPx: renderer.widthPx, heightPx: renderer.heightPx, fps: cameraFps, pace: 'realtime',
    // No picture waits for later ones, in the encoder or in a cluster of the container.
    codecOptions: { tune: 'zerolatency' }, formatOptions: { cluster_time_limit: 1 },
  });
  for (const { rgb } of renderer.frames(cameraFps)) {
    if (signal?.aborted === true || gone.signal.aborted) break;
    await writer.write(rgb);
  }
  await writer.close();
}
