// The order in which items of a set come: each pass over them in a new order, every position known without those before it.
import { createRandom } from '../core/random.ts';

/** Orders kept: batches fetched ahead may reach into the next pass. */
const kept = 2;

/**
 * @param total items of the set
 * @param seedOf seed of a pass
 * @returns the number of the item, 0 to `total` − 1, at a position that counts through all passes
 */
export function createEpochs(total: number, seedOf: (pass: number) => string): (at: number) => number {
  const orders = new Map<number, readonly number[]>();
  return (at) => {
    const pass = Math.floor(at / total);
    let order = orders.get(pass);
    if (order === undefined) {
      order = createRandom(seedOf(pass)).shuffle(Array.from({ length: total }, (_, i) => i));
      if (orders.size >= kept) orders.clear();
      orders.set(pass, order);
    }
    return order[at % total]!;
  };
}
