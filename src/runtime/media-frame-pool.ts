// A pool of native frames.
import { Frame } from 'node-av';

/** Native frames, used again and again. */
export function createFramePool(): Disposable & { take(): Frame; give(frame: Frame): void } {
  const all: Frame[] = [];
  const free: Frame[] = [];
  return {
    take() {
      const frame = free.pop() ?? new Frame();
      if (!all.includes(frame)) {
        frame.alloc();
        all.push(frame);
      }
      return frame;
    },
    give(frame) {
      frame.unref();
      free.push(frame);
    },
    [Symbol.dispose]() {
      for (const frame of all) frame.free();
    },
  };
}
