// Sizes of frames as their chunks come in, for methods that make room for a whole frame at once: chunks would else decide what stays.
import { z } from 'zod';
import { isOfFrame, newFrame } from './frames.ts';
import type { HeadPlace, Incoming } from './method.ts';
import type { SlotView } from './slots.ts';

const savedSizes = z.object({ coming: z.number(), largest: z.number() });

/** Counts for one stream, by its first head. */
export class FrameSizes {
  /** Tokens of the frame that is coming. */
  #coming: number;
  #largest: number;

  /** @param saved what `save` gave */
  constructor(saved: unknown) {
    const { coming, largest } = savedSizes.parse(saved ?? { coming: 0, largest: 0 });
    this.#coming = coming;
    this.#largest = largest;
  }

  /** Tokens of the largest frame so far. */
  get largest(): number {
    return this.#largest;
  }

  /** Call for every head before a chunk enters. @returns whether the chunk begins a frame */
  note(slots: SlotView, incoming: Incoming, { layer, kvHead }: HeadPlace): boolean {
    const begins = newFrame(slots, incoming) !== undefined;
    if (layer === 0 && kvHead === 0) {
      this.#coming = (begins ? 0 : this.#coming) + incoming.kind.subarray(0, incoming.count).filter(isOfFrame).length;
      this.#largest = Math.max(this.#largest, this.#coming);
    }
    return begins;
  }

  save(): z.output<typeof savedSizes> {
    return { coming: this.#coming, largest: this.#largest };
  }
}
