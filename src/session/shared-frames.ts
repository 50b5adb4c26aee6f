// Frames that several streams of one model see one after the other, as a comparison of memories does: what the encoder made of them is kept.
import type { SeenFrame } from '../vision/stage.ts';

/** What became of a frame before it reached a memory, and what that took. */
export interface FrameSeen {
  readonly visual: SeenFrame;
  readonly preprocessMs: number;
  readonly visionMs: number;
  /** Part of both that was spent inside ONNX Runtime. */
  readonly runtimeMs: number;
}

/** Above this, later frames are computed by each stream for itself. */
const mostBytes = 2 ** 28;

/** The frames of one name. Only for streams whose encoder computes every frame whole: what it makes then depends on the frame alone. */
export class SharedFrames {
  readonly name: string;
  readonly #frames = new Map<number, FrameSeen>();
  #bytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  find(timeSec: number): FrameSeen | undefined {
    return this.#frames.get(timeSec);
  }

  /** Keeps a copy: the encoder writes over its arrays. */
  keep(timeSec: number, { visual, ...times }: FrameSeen): void {
    const { tokens, places } = visual;
    if (this.#bytes + tokens.byteLength > mostBytes) return;
    this.#bytes += tokens.byteLength;
    this.#frames.set(timeSec, { ...times, visual: { ...visual, tokens: tokens.slice(), places: places.slice() } });
  }
}
