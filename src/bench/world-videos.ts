// Draws the videos of world suites that are not there yet, each lane in a thread of its own.
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { cacheFault, makeFolder } from '../core/make-folder.ts';
import { startWorker, type WorkerClient } from '../runtime/worker.ts';
import type { WorldSpec } from '../world/types.ts';

/** A clip of a world suite: what it is drawn from, and where its video is once it is drawn. */
export interface WorldClip {
  readonly id: string;
  readonly spec: WorldSpec;
  readonly path: string;
}

export interface DrawingService {
  draw: { argument: WorldClip; emits: never; result: undefined };
}

/** Draws clips. Dispose of it to end its threads. */
export interface Drawing extends AsyncDisposable {
  /** @returns milliseconds that drawing took, 0 where the video was there */
  draw(clip: WorldClip, lane: number, signal: AbortSignal): Promise<number>;
}

export function createDrawing(): Drawing {
  const workers = new Map<number, WorkerClient<DrawingService>>();
  return {
    async draw(clip, lane, signal) {
      if (await isFile(clip.path)) return 0;
      const start = performance.now();
      await makeFolder(path.dirname(clip.path), cacheFault);
      let worker = workers.get(lane);
      if (!worker) workers.set(lane, (worker = startWorker<DrawingService>(new URL(import.meta.url.endsWith('.ts') ? './world-video-worker.ts' : './world-video-worker.js', import.meta.url), 'thalweg drawing')));
      await worker.call('draw', clip, { signal });
      return performance.now() - start;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...workers.values()].map((worker) => worker[Symbol.asyncDispose]()));
    },
  };
}

export async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() ?? false;
}
