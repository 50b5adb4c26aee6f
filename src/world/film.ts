// Films a world: drawn, coded to H.264 and decoded again, so that what learns from it sees what a camera's stream would show.
import { UserError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { createMemorySink } from '../runtime/media-sink.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { openSource } from '../source/open-source.ts';
import { createRenderer } from './render.ts';
import { VIEW_WIDTH, WORLD_HEIGHT } from './scene/layout.ts';
import type { World } from './world.ts';

const size = { widthPx: VIEW_WIDTH, heightPx: WORLD_HEIGHT };

export interface FilmOptions {
  /** Pictures a second that the camera takes. */
  readonly fps: number;
  /** How many it takes. Default: as long as the world lasts. */
  readonly count?: number;
  /** Pictures a second that are looked at. Default: all. */
  readonly sampledFps?: number;
}

/** @throws UserError when a picture was lost on the way, where all are looked at */
export async function film(world: World, { fps, count = Math.floor(world.durationSec * fps + 1e-6), sampledFps }: FilmOptions): Promise<Frame[]> {
  const renderer = createRenderer(world, size);
  const sink = createMemorySink();
  await using writer = await openVideoWriter({ sink, format: 'matroska', ...size, fps });
  for (let i = 0; i < count; i++) await writer.write(renderer.frameAt(i / fps, i).rgb, i / fps);
  await writer.close();
  await using source = await openSource(sink.bytes(), sampledFps === undefined ? {} : { fps: sampledFps });
  const frames: Frame[] = [];
  for await (const frame of source) frames.push(frame);
  if (sampledFps === undefined && frames.length !== count) throw new UserError('CLIP_FRAMES', { what: 'a clip lost frames on its way through the codec', got: `${frames.length}`, expected: `${count}` });
  return frames;
}
