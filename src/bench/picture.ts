// The picture of a video at a time, small enough to lie in a report.
import { openSource } from '../source/open-source.ts';
import { surfaceOf } from '../runtime/canvas.ts';
import { createResizer } from '../vision/resample.ts';

const widestPx = 240;
const quality = 60;

/**
 * The last frame up to that time, scaled down, as a JPEG `data:` URI.
 * @throws MediaError where the video cannot be read
 */
export async function pictureOf(videoPath: string, timeSec: number | 'end'): Promise<string> {
  const fromSec = timeSec === 'end' ? 0 : Math.max(0, timeSec - 2);
  const source = await openSource(videoPath, { startSec: fromSec, fps: timeSec === 'end' ? 1 : 5, motionVectors: false });
  let last: { readonly rgb: Uint8Array; readonly widthPx: number; readonly heightPx: number } | undefined;
  for await (const frame of source) {
    if (last && timeSec !== 'end' && frame.timeSec > timeSec) break;
    last = frame;
  }
  const scale = Math.min(1, widestPx / last!.widthPx);
  const widthPx = Math.max(1, Math.round(last!.widthPx * scale));
  const heightPx = Math.max(1, Math.round(last!.heightPx * scale));
  const surface = surfaceOf(createResizer('bicubic').resize(last!, widthPx, heightPx).rgb, widthPx, heightPx);
  try {
    return `data:image/jpeg;base64,${Buffer.from(surface.toJpeg(quality)).toString('base64')}`;
  } finally {
    surface.release();
  }
}
