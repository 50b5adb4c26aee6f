// Seeded random numbers, the same on every machine: SplitMix32 seeding xoshiro128** (Blackman and Vigna 2018).

/** A stream of random numbers that depends on its seed alone. */
export interface Random {
  /** A float in [0, 1) with 32 random bits. */
  next(): number;
  /** An integer in [low, high). */
  int(low: number, high: number): number;
  /** A standard normal deviate (Box–Muller). */
  normal(): number;
  /** One element, each equally likely. */
  pick<T>(items: readonly T[]): T;
  /** A new array in random order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent stream named by `label`: adding draws to one stream leaves the others as they were. */
  fork(label: string): Random;
  /** The four 32-bit words of state, for exact resumption with `randomFromState`. */
  state(): [number, number, number, number];
}

/** Makes a stream from a seed: any integer, or a text. */
export function createRandom(seed: number | string): Random {
  let mixed = typeof seed === 'number' ? seed | 0 : hashText(seed);
  // Seeds above 32 bits still matter.
  if (typeof seed === 'number') mixed ^= Math.floor(seed / 2 ** 32) | 0;
  const word = () => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed ^ (mixed >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return randomFromState([word(), word(), word(), word()]);
}

/** Continues a stream from what `state()` gave. */
export function randomFromState(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state;
  const bits = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const random: Random = {
    next: () => bits() / 2 ** 32,
    int: (low, high) => low + Math.floor((bits() / 2 ** 32) * (high - low)),
    normal: () => Math.sqrt(-2 * Math.log(1 - bits() / 2 ** 32)) * Math.cos(2 * Math.PI * (bits() / 2 ** 32)),
    pick: (items) => {
      if (items.length === 0) throw new RangeError('pick: the list is empty');
      return items[random.int(0, items.length)]!;
    },
    shuffle: (items) => {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = random.int(0, i + 1);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
      return out;
    },
    fork: (label) => createRandom(hashText(label) ^ bits()),
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
  return random;
}

/** FNV-1a over UTF-16 code units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
