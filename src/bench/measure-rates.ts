// How long a model takes on this machine: a frame, a question, an opening; and how long drawing takes. For the estimate of a plan.
import path from 'node:path';
import type { Model } from '../session/model.ts';
import { openStream } from '../session/open-stream.ts';
import { createRenderer } from '../world/render.ts';
import { createWorld } from '../world/world.ts';
import type { WorkRates } from './method-candidate.ts';
import { createDrawing } from './world-videos.ts';

/** Rates of one model, and of drawing a second of video. */
export interface MeasuredRates extends WorkRates {
  readonly drawMsPerSec: number;
}

const frames = 6;
const clipSec = 4;

/**
 * Measures on a clip of a few seconds.
 * @param folder where the clip is drawn; it stays there
 */
export async function measureRates(model: Model, folder: string, signal: AbortSignal): Promise<MeasuredRates> {
  const spec = { seed: 11, split: 'train', footage: 'moving', durationSec: clipSec, activities: 'many', heldOut: false } as const;
  await using drawing = createDrawing();
  // The first clip pays for the thread and its compilation.
  await drawing.draw({ id: 'warm', spec: { ...spec, durationSec: 1 }, path: path.join(folder, 'warm.mp4') }, 0, signal);
  const clip = path.join(folder, 'clip.mp4');
  const drawMs = await drawing.draw({ id: 'clip', spec, path: clip }, 0, signal);
  const pictures = [...createRenderer(createWorld(spec)).frames(2)].slice(0, frames);
  const watch = async (source: typeof pictures | string) => {
    const start = performance.now();
    await using session = await openStream({ model, source, sourceOptions: { fps: 2 }, method: 'dense', drive: 'manual', signal });
    const openMs = performance.now() - start;
    const seen = await session.advanceTo(Infinity);
    const mean = (pick: (timings: (typeof seen)[number]['timings']) => number) => seen.reduce((sum, { timings }) => sum + pick(timings), 0) / seen.length;
    const answer = await session.ask('What is the colour of the car that stands in front of the shop?', { maxTokens: 8, signal });
    return { openMs, decodeMs: mean(({ decodeMs }) => decodeMs), encodeMs: mean(({ preprocessMs, visionMs }) => preprocessMs + visionMs), prefillMs: mean(({ prefillMs }) => prefillMs), questionMs: answer.timings.totalMs };
  };
  await watch(pictures);
  return { ...(await watch(clip)), drawMsPerSec: drawMs / clipSec };
}
