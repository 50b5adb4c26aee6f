// Activities with bags and boxes: picking up, putting down, handing over, appearing, vanishing.
import type { Activity } from './activity.ts';
import { walkUpTo } from './people.ts';
import type { Performer, Stage } from './stage.ts';

/** How far before the feet of a person, in world pixels, a thing lies when it is picked up or put down. */
export const REACH_PX = 27;
const BEND_SEC = 1.5;

/** Bags and boxes that lie in view, with nobody's hand on them. */
function lying(stage: Stage, timeSec: number, lookaheadSec: number): Performer[] {
  return [...stage.free('bag', timeSec), ...stage.free('box', timeSec)].filter((i) => i.by === null && stage.inView(i, timeSec, timeSec + lookaheadSec, 40));
}

/** Bends and takes a thing that lies at one's feet. The thing goes into the hands half-way down. */
function take(stage: Stage, p: Performer, item: Performer, timeSec: number): number {
  const half = stage.act(p, timeSec, BEND_SEC, 'bend') - BEND_SEC / 2;
  item.track.restUntil(half);
  item.track.holder = p.id;
  item.by = p;
  p.carries = item;
  item.track.restUntil(p.track.endSec);
  stage.event('pick-up', timeSec, p.track.endSec, p, { object: item.id });
  return p.track.endSec;
}

/** Puts the thing in one's hands on the ground before one. */
function drop(stage: Stage, p: Performer, timeSec: number): number {
  const item = p.carries!;
  const half = stage.act(p, timeSec, BEND_SEC, 'bend') - BEND_SEC / 2;
  // `act` has let the thing rest in the hands until the end; cut that stretch at the lowest point.
  const last = item.track.motions[item.track.motions.length - 1];
  if (last !== undefined && last.endSec > half) {
    item.track.motions[item.track.motions.length - 1] = { ...last, endSec: half };
    item.track.endSec = half;
  }
  item.track.restUntil(half);
  item.track.holder = null;
  item.track.jump(p.track.x + p.track.facing * REACH_PX, p.track.y, p.track.facing);
  item.by = null;
  p.carries = null;
  item.track.restUntil(p.track.endSec);
  stage.event('put-down', timeSec, p.track.endSec, p, { object: item.id });
  return p.track.endSec;
}

const pickUp: Activity = {
  name: 'pick-up', weight: 5,
  perform(stage, t) {
    const items = lying(stage, t, 6);
    const who = stage.free('person', t).filter((p) => p.carries === null && stage.inView(p, t, t + 3));
    if (items.length === 0 || who.length === 0) return null;
    const item = stage.random.pick(items);
    const p = stage.random.pick(who);
    const side = p.track.x < item.track.x ? -1 : 1;
    item.track.restUntil(t);
    const there = stage.move(p, t, item.track.x + side * REACH_PX, item.track.y);
    p.track.facing = side < 0 ? 1 : -1;
    const end = take(stage, p, item, there);
    return stage.act(p, end, 1, 'stand');
  },
};

const putDown: Activity = {
  name: 'put-down', weight: 5.5,
  perform(stage, t) {
    const who = stage.free('person', t).filter((p) => p.carries !== null && stage.inView(p, t, t + 3));
    const target = stage.spot(t, t + 5);
    if (who.length === 0 || target === null) return null;
    const p = stage.random.pick(who);
    const there = stage.move(p, t, target.x, target.y);
    const { left, right } = stage.view(there);
    // Towards the middle of the picture, so that the thing stays in view.
    p.track.facing = target.x < (left + right) / 2 ? 1 : -1;
    const end = drop(stage, p, there);
    const back = p.track.facing > 0 ? -1 : 1;
    return stage.move(p, end, p.track.x + back * 34, p.track.y);
  },
};

const handOver: Activity = {
  name: 'hand-over', weight: 7,
  perform(stage, t) {
    const free = stage.free('person', t).filter((p) => stage.inView(p, t, t + 5, 48));
    const givers = free.filter((p) => p.carries !== null);
    const takers = free.filter((p) => p.carries === null);
    if (givers.length === 0 || takers.length === 0) return null;
    const p = stage.random.pick(givers);
    const other = stage.random.pick(takers);
    const item = p.carries!;
    const there = walkUpTo(stage, p, other, t, 70);
    const half = stage.act(p, there, 1, 'give');
    stage.act(other, there, 1, 'give');
    item.track.restUntil(half);
    item.track.holder = other.id;
    item.by = other;
    other.carries = item;
    p.carries = null;
    const end = stage.act(p, half, 1, 'give');
    stage.act(other, half, 1, 'give');
    stage.event('hand-over', there, end, p, { object: item.id, other: other.id });
    stage.act(other, end, 1, 'stand');
    return stage.act(p, end, 1, 'stand');
  },
};

/** Fades a new bag or box in at a free place. */
const appear: Activity = {
  name: 'appear', weight: 0.9,
  perform(stage, t) {
    if (stage.present('bag').length + stage.present('box').length >= 3) return null;
    const target = stage.spot(t, t + 4);
    if (target === null) return null;
    const item = stage.add(stage.random.pick(['bag', 'box'] as const), t, target.x, target.y, 1);
    if (item === null) return null;
    item.track.alpha = 0;
    const shown = item.track.add(0.4, { alpha: 1 });
    stage.event('appear', t, shown + 1.4, item);
    item.track.restUntil(shown + 1.6);
    return shown + 1.6;
  },
};

const vanish: Activity = {
  name: 'vanish', weight: 0.9,
  perform(stage, t) {
    const items = lying(stage, t, 3);
    if (items.length === 0) return null;
    const item = stage.random.pick(items);
    item.track.restUntil(t + 1.2);
    const end = item.track.add(0.4, { alpha: 0 });
    stage.event('vanish', t, end + 0.8, item);
    item.gone = true;
    return end + 1;
  },
};

/** A person walks in with a thing in hand. */
const bring: Activity = {
  name: 'bring', weight: 2.2,
  perform(stage, t) {
    if (stage.present('bag').length + stage.present('box').length >= 3 || stage.present('person').length >= 4) return null;
    const target = stage.spot(t + 2, t + 7);
    if (target === null) return null;
    const side = stage.random.pick([1, -1] as const);
    const { left, right } = stage.view(t);
    const x = side < 0 ? left - 32 : right + 32;
    const kind = stage.random.pick(['bag', 'box'] as const);
    const p = stage.add('person', t, x, target.y, side < 0 ? 1 : -1);
    if (p === null) return null;
    const item = stage.add(kind, t, x, target.y, 1);
    if (item !== null) {
      item.track.holder = p.id;
      item.by = p;
      p.carries = item;
    }
    const end = stage.move(p, t, target.x, target.y);
    stage.event('enter', t, end, p, { towards: side < 0 ? 'right' : 'left', through: 'edge' });
    stage.event('stop', end, end + 1.5, p);
    return stage.act(p, end, 1.5, 'stand');
  },
};

export const ITEM_ACTIVITIES: readonly Activity[] = [pickUp, putDown, handOver, appear, vanish, bring];
