// Which pictures are whole: damage spreads from a picture to those predicted from it, until a key frame.

/** Follows packets in the order of coding and pictures in the order of display. */
export interface DamageTracker {
  /** A packet goes to the decoder. Returns its place in the order of coding. */
  packet(pts: bigint, isKey: boolean): number;
  /** The decoder refused the packet of that place. */
  brokenPacket(order: number): void;
  /** Something between packets was lost. */
  gap(): void;
  /** A picture comes out; whether it and all that it was predicted from are whole. */
  picture(pts: bigint, broken: boolean): boolean;
  /** After a seek nothing of the past matters. */
  reset(): void;
}

interface Coded {
  readonly order: number;
  readonly pts: bigint;
  /** Place and time of the last key frame at or before this packet in the order of coding. */
  readonly keyOrder: number;
  readonly keyPts: bigint;
  readonly previousKeyOrder: number;
}

/** Coded pictures that are remembered while the decoder reorders them: more than any codec holds. */
const REMEMBERED = 256;
/** FFmpeg's AV_NOPTS_VALUE: such pictures are taken to come out in the order of coding. */
const NO_TIME = -(2n ** 63n);

export function createDamageTracker(): DamageTracker {
  let coded = new Map<bigint, Coded>();
  let order = 0;
  let outputOrder = 0;
  let key = { order: 0, pts: 0n, previous: 0 };
  let damagedOrders: number[] = [];

  return {
    packet(pts, isKey) {
      const place = order++;
      if (isKey) key = { order: place, pts, previous: key.order };
      if (pts !== NO_TIME) coded.set(pts, { order: place, pts, keyOrder: key.order, keyPts: key.pts, previousKeyOrder: key.previous });
      if (coded.size > REMEMBERED) for (const oldest of coded.keys()) {
        coded.delete(oldest);
        break;
      }
      return place;
    },
    brokenPacket(place) {
      damagedOrders.push(place);
    },
    gap() {
      damagedOrders.push(order);
    },
    picture(pts, broken) {
      const found = coded.get(pts);
      const place = found?.order ?? outputOrder;
      outputOrder = Math.max(outputOrder, place + 1);
      if (broken) damagedOrders.push(place);
      if (damagedOrders.length === 0) return true;
      // Pictures shown before their key frame but coded after it may look back across it (open groups of pictures).
      const since = found === undefined ? key.order : found.pts < found.keyPts ? found.previousKeyOrder : found.keyOrder;
      damagedOrders = damagedOrders.filter((damaged) => damaged >= key.previous - 1);
      return !damagedOrders.some((damaged) => damaged >= since && damaged <= place);
    },
    reset() {
      coded = new Map();
      damagedOrders = [];
      [order, outputOrder, key] = [0, 0, { order: 0, pts: 0n, previous: 0 }];
    },
  };
}
