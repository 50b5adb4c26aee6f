// A maker of clips for tests: each frame one colour all over, each question the colour of a frame.
import { createRandom } from '../core/random.ts';
import type { ClipPictures, ClipTruth, OpenClipMaker } from './samples.ts';

export const palette = { red: [220, 30, 30], green: [30, 200, 40], blue: [40, 60, 230], yellow: [230, 220, 40] } as const;

const open: OpenClipMaker = ({ imagePx }, options) => {
  const { frames } = options as { readonly frames: number };
  const draw = (index: number) => {
    const random = createRandom(`colours ${index}`);
    return { random, names: Array.from({ length: frames }, () => random.pick(Object.keys(palette) as (keyof typeof palette)[])) };
  };
  return {
    pictures(index): Promise<ClipPictures> {
      const { random, names } = draw(index);
      return Promise.resolve({
        timesSec: names.map((_, i) => i),
        frames: names.map((name) => Uint8Array.from({ length: imagePx * imagePx * 3 }, (_, i) => palette[name][i % 3]! + random.int(0, 20))),
      });
    },
    truth(index): ClipTruth {
      const { names } = draw(index);
      const turn = (i: number) => ({ timeSec: i, question: 'What colour is this?', answer: names[i]!, label: 'now', evidenceSec: i });
      const follow = (i: number) => ({ timeSec: i, question: 'And before?', answer: names[i - 1]!, label: 'before', evidenceSec: i - 1 });
      return { threads: names.flatMap((_, i) => [[turn(i)], ...(i > 0 ? [[turn(i), follow(i)]] : [])]) };
    },
  };
};

export default open;
