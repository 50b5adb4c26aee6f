// Which pictures are whole: damage spreads from a picture to those predicted from it, until the next key frame.

/** A picture as it was coded: its place, and the key frame that it hangs on. */
export interface CodedPicture {
  /** Place in the order of coding. */
  readonly place: number;
  readonly pts: bigint;
  readonly group: PictureGroup;
}

/** The pictures from one key frame to the next, in the order of coding. */
interface PictureGroup {
  readonly keyPts: bigint;
  before: PictureGroup | undefined;
  /** First damaged place; Infinity while all is whole. */
  firstDamage: number;
  /** Pictures left out so far. */
  lostCount: number;
}

/** Follows packets in the order of coding and pictures in the order of display. */
export interface DamageTracker {
  /** A packet goes to the decoder. */
  packet(pts: bigint, isKey: boolean): CodedPicture;
  /** The decoder refused that packet. */
  refused(coded: CodedPicture): void;
  /** Something between packets was lost. */
  gap(): void;
  /** A picture comes out of the decoder, perhaps with errors. */
  picture(pts: bigint, broken: boolean): CodedPicture;
  /** Whether the decoder has said all it will about what that picture was predicted from. */
  isSettled(coded: CodedPicture): boolean;
  /** Waits no longer for packets coded before that picture: they gave none. */
  settle(coded: CodedPicture): void;
  isWhole(coded: CodedPicture): boolean;
  /** After a seek nothing of the past matters. */
  reset(): void;
}

/** Coded pictures that are remembered while the decoder reorders them: more than any codec holds. */
const REMEMBERED = 256;
/** Streams without key frames (intra refresh) heal by themselves: pictures after which one is believed again. */
const HEALED_AFTER = 250;
/** FFmpeg's AV_NOPTS_VALUE: such pictures are taken to come out in the order of coding. */
const NO_TIME = -(2n ** 63n);

export function createDamageTracker(): DamageTracker {
  const startGroup = (keyPts: bigint, before?: PictureGroup): PictureGroup => ({ keyPts, before, firstDamage: Infinity, lostCount: 0 });
  let byTime = new Map<bigint, CodedPicture>();
  let pending = new Set<number>();
  let nextPlace = 0;
  let group = startGroup(0n);

  const damage = (at: PictureGroup, place: number) => (at.firstDamage = Math.min(at.firstDamage, place));
  return {
    packet(pts, isKey) {
      if (isKey) {
        // One step deep, or memory would grow with the stream.
        group.before = undefined;
        group = startGroup(pts, group);
      }
      const coded: CodedPicture = { place: nextPlace++, pts, group };
      if (pts !== NO_TIME) {
        byTime.set(pts, coded);
        pending.add(coded.place);
        if (byTime.size > REMEMBERED) {
          const [oldest] = byTime.keys();
          byTime.delete(oldest!);
        }
      }
      return coded;
    },
    refused(coded) {
      pending.delete(coded.place);
      damage(coded.group, coded.place);
    },
    gap() {
      // Between the last packet and the next: the last is whole, and the next too if it is a key frame.
      damage(group, nextPlace - 0.5);
    },
    picture(pts, broken) {
      const coded = byTime.get(pts) ?? { place: nextPlace - 1, pts, group };
      byTime.delete(pts);
      pending.delete(coded.place);
      if (broken) damage(coded.group, coded.place);
      return coded;
    },
    isSettled(coded) {
      // In the order of insertion, so the first is the lowest.
      const [lowest] = pending;
      return lowest === undefined || lowest > coded.place;
    },
    settle(coded) {
      for (const place of pending) {
        if (place >= coded.place) break;
        pending.delete(place);
      }
    },
    isWhole({ place, pts, group: own }) {
      // Pictures shown before their key frame but coded after it may look back across it (open groups of pictures).
      const leading = pts < own.keyPts && own.before !== undefined && own.before.firstDamage !== Infinity;
      if (place < own.firstDamage && !leading) return true;
      if (++own.lostCount >= HEALED_AFTER) own.firstDamage = Infinity;
      return false;
    },
    reset() {
      byTime = new Map();
      pending = new Set();
      nextPlace = 0;
      group = startGroup(0n);
    },
  };
}
