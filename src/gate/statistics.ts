// Statistics of a stream's frames, as the gate sees them: differences to what was encoded and to the frame before, motion, bytes, time.
import type { Frame } from '../core/frame.ts';
import { cheapRatio, type GatePath, type GateView } from './method.ts';
import { summariseMotion } from './motion-summary.ts';
import { cellCount, compare, copyCells, createHistogram, createThumbnail, histogramDistance, histogramOf, sample, samplePlan, type SamplePlan } from './thumbnail.ts';

/** Share of the old value in the running mean of a picture type's bytes. */
const bytesMemory = 0.9;

/** What is known of one stream. The thumbnails are its only memory: 250 KiB. */
export class FrameStatistics {
  #plan: SamplePlan | undefined;
  /** What was encoded last, place by place; the frame before; the frame that is looked at. */
  readonly #encoded = createThumbnail();
  #before = createThumbnail();
  #now = createThumbnail();
  #histogramBefore = createHistogram();
  #histogramNow = createHistogram();
  readonly #perCell = new Float32Array(cellCount);
  readonly #stepCells = new Float32Array(cellCount);
  readonly #meanBytes = new Map<string, number>();
  #timeSec = 0;
  #encodedSec = 0;
  #fullSec = 0;
  #skipped = 0;
  /** Whether a frame was encoded that later ones can be compared with. */
  #known = false;

  /** Looks at a frame. Nothing where there is none to compare it with: the first, one of another size, or the one after `forget`. */
  look(frame: Frame): GateView | undefined {
    const { widthPx, heightPx } = frame;
    if (this.#plan?.widthPx !== widthPx || this.#plan.heightPx !== heightPx) {
      this.#plan = samplePlan(widthPx, heightPx);
      this.#known = false;
    }
    sample(frame, this.#plan, this.#now);
    histogramOf(this.#now, this.#histogramNow);
    this.#timeSec = frame.timeSec;
    const bytesRatio = this.#bytesRatio(frame);
    if (!this.#known) return undefined;
    return {
      timeSec: frame.timeSec,
      pictureType: frame.pictureType,
      ...(bytesRatio !== undefined && { bytesRatio }),
      ...(frame.motion && { motion: summariseMotion(frame.motion, widthPx, heightPx) }),
      difference: compare(this.#now, this.#encoded, this.#perCell),
      step: compare(this.#now, this.#before, this.#stepCells),
      histogram: histogramDistance(this.#histogramNow, this.#histogramBefore),
      sinceEncodedSec: frame.timeSec - this.#encodedSec,
      sinceFullSec: frame.timeSec - this.#fullSec,
      skipped: this.#skipped,
    };
  }

  /** The frame that was looked at has gone that way. */
  settle(path: GatePath): void {
    switch (path) {
      case 'full':
        this.#encoded.set(this.#now);
        this.#fullSec = this.#encodedSec = this.#timeSec;
        this.#skipped = 0;
        this.#known = true;
        break;
      case 'cheap':
        // What differs most was recomputed; the rest is still to come.
        copyCells(this.#now, this.#encoded, this.#perCell, cheapRatio);
        this.#encodedSec = this.#timeSec;
        this.#skipped = 0;
        break;
      case 'skip':
        this.#skipped++;
        break;
      default:
        path satisfies never;
    }
    [this.#before, this.#now] = [this.#now, this.#before];
    [this.#histogramBefore, this.#histogramNow] = [this.#histogramNow, this.#histogramBefore];
  }

  /** What was encoded is not in the memory: the next frame stands alone. */
  forget(): void {
    this.#known = false;
  }

  #bytesRatio({ codedBytes, pictureType }: Frame): number | undefined {
    if (codedBytes === undefined) return undefined;
    const mean = this.#meanBytes.get(pictureType) ?? codedBytes;
    this.#meanBytes.set(pictureType, bytesMemory * mean + (1 - bytesMemory) * codedBytes);
    return mean > 0 ? codedBytes / mean : 1;
  }
}
