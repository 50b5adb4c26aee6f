// The world as a live source: frames made as they are needed, sampled, paced and queued like those of any camera.
import { openSource } from '../source/open-source.ts';
import type { Source, SourceOptions } from '../source/contract.ts';
import { createRenderer } from './render.ts';
import type { RenderOptions } from './render.ts';
import type { World } from './world.ts';

export interface WorldSourceOptions extends RenderOptions {
  /** Pictures a second that the world's camera takes; default 10. */
  readonly cameraFps?: number;
  /** Sampling, pace and queue, as of every source; `{ pace: 'realtime' }` plays it as a live camera would. */
  readonly source?: SourceOptions;
}

/** Opens a stream on a world. No codec is in between: for that, write the clip and open its file. */
export function worldSource(world: World, options: WorldSourceOptions = {}): Promise<Source> {
  const { cameraFps = 10, source, ...render } = options;
  return openSource(createRenderer(world, render).frames(cameraFps), source);
}
