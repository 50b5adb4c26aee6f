// The drawing thread of the benchmark: clips of the synthetic world become H.264 files, whole or not at all.
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { serveWorker } from '../runtime/worker.ts';
import { createWorld } from '../world/world.ts';
import { writeClip } from '../world/write-clip.ts';
import type { DrawingService } from './world-videos.ts';

serveWorker<DrawingService>({
  async draw({ id, spec, path: file }, { signal }) {
    const folder = path.dirname(file);
    // A name of its own: another process may draw the same clip.
    const draft = `${id}.${process.pid}`;
    const made = path.join(folder, draft);
    try {
      // The truth is in the questions already: boxes of every frame would be as large as the video.
      const { videoPath } = await writeClip(createWorld(spec), folder, draft, { truthFps: 0, signal });
      await rename(videoPath, file);
    } finally {
      for (const end of ['.mp4', '.mp4.part', '.truth.json']) await rm(made + end, { recursive: true, force: true });
    }
    return undefined;
  },
});
