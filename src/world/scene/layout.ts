// Lays out one place: ground lines, roads, landmarks, and where doors and lamps stand.
import type { Random } from '../../core/random.ts';
import type { Landmark, SceneKind, SceneLayout } from '../types.ts';

/** Height of the world in world pixels; a camera at zoom 1 sees all of it, and 320 of its width. */
export const WORLD_HEIGHT = 240;
export const VIEW_WIDTH = 320;

/** Where a fixture (door, lamp) of the scene stands. */
export interface Fixture {
  readonly kind: 'door' | 'lamp';
  readonly x: number;
  readonly y: number;
  readonly variant: number;
}

/** A scene and its fixtures; the fixtures become actors, because they change. */
export interface ScenePlan {
  readonly layout: SceneLayout;
  readonly fixtures: readonly Fixture[];
}

/** Size of things whose feet are at `y`: nearer is larger. */
export function scaleAt(y: number): number {
  return 0.8 + (y - 140) * 0.0034;
}

const GROUND: Readonly<Record<SceneKind, { horizonPx: number; lanes: readonly number[]; roads: readonly number[] }>> = {
  street: { horizonPx: 134, lanes: [156, 228], roads: [184, 202] },
  shop: { horizonPx: 146, lanes: [174, 200, 229], roads: [] },
  room: { horizonPx: 150, lanes: [176, 202, 229], roads: [] },
  park: { horizonPx: 122, lanes: [164, 194, 227], roads: [] },
};

const WALLS: Readonly<Record<SceneKind, readonly string[]>> = {
  street: ['#b9c8d4', '#c4cbd0', '#aebfcb'],
  shop: ['#d9d2c2', '#c9cfc9', '#d6cdd0'],
  room: ['#cfc7b6', '#bfc9cc', '#cdbfb6', '#c2c8b8'],
  park: ['#b8cfde', '#c6d3da', '#aac4d8'],
};

const GROUNDS: Readonly<Record<SceneKind, readonly string[]>> = {
  street: ['#8e8f92', '#9a9690', '#86888d'],
  shop: ['#b5b0a6', '#a8adad', '#beb6a8'],
  room: ['#a5876a', '#93795f', '#a09080'],
  park: ['#8aa86b', '#93a972', '#7f9d68'],
};

/** Names and widths of what each place is furnished with. */
const FURNITURE: Readonly<Record<SceneKind, readonly (readonly [Landmark['name'], number])[]>> = {
  street: [['tree', 46], ['bench', 62], ['sign', 22]],
  shop: [['counter', 84], ['shelf', 78]],
  room: [['sofa', 92], ['table', 66], ['window', 70]],
  park: [['tree', 64], ['bench', 62], ['pond', 84]],
};

/** Lays out a scene of this width, at least one view wide. */
export function planScene(kind: SceneKind, widthPx: number, random: Random): ScenePlan {
  const { horizonPx, lanes, roads } = GROUND[kind];
  const fixtures: Fixture[] = [];
  const landmarks: Landmark[] = [];
  const lampVariant = kind === 'room' ? 1 : kind === 'shop' ? 2 : 0;
  // One view's width at a time: a door, a lamp and one or two landmarks in slots of their own.
  const panels = Math.max(1, Math.round(widthPx / VIEW_WIDTH));
  const panelWidth = widthPx / panels;
  for (let panel = 0; panel < panels; panel++) {
    const slots = random.shuffle([0.14, 0.38, 0.62, 0.86]).map((s) => Math.round((panel + s) * panelWidth + random.int(-8, 9)));
    const base = horizonPx + 4;
    if (kind !== 'park' || panel % 2 === 0) fixtures.push({ kind: 'door', x: slots[0]!, y: base, variant: kind === 'park' ? 1 : 0 });
    if (kind === 'park' || panel % 2 === 0) fixtures.push({ kind: 'lamp', x: slots[1]!, y: base + (kind === 'shop' ? 6 : 10), variant: lampVariant });
    for (const [index, [name, width]] of random.shuffle(FURNITURE[kind]).slice(0, 2).entries()) {
      landmarks.push({ name, x: slots[2 + index]!, y: name === 'window' ? horizonPx - 56 : base + (name === 'pond' ? 14 : 8), widthPx: width });
    }
  }
  const layout: SceneLayout = {
    kind, widthPx, horizonPx, lanes, roads, landmarks,
    seed: random.int(0, 2 ** 31),
    wall: random.pick(WALLS[kind]),
    ground: random.pick(GROUNDS[kind]),
  };
  return { layout, fixtures };
}
