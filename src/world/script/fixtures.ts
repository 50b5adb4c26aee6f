// Activities at doors and lamps: opening, closing, going through, switching on and off.
import type { Activity } from './activity.ts';
import { newcomer } from './people.ts';
import type { Performer, Stage } from './stage.ts';

const SWING_SEC = 0.7;

function swing(stage: Stage, door: Performer, timeSec: number, to: 0 | 1, by: Performer): number {
  door.track.restUntil(timeSec);
  const end = door.track.add(SWING_SEC, { value: to });
  stage.event(to === 1 ? 'open' : 'close', timeSec, end + 0.8, by, { object: door.id });
  return end;
}

/** Where someone stands who uses a door or lamp: before the wall, on the side towards the middle of the picture. */
function beside(stage: Stage, fixture: Performer, timeSec: number): { x: number; y: number; facing: 1 | -1; backPx: number } {
  const { left, right } = stage.view(timeSec + 2);
  const facing = fixture.track.x > (left + right) / 2 ? 1 : -1;
  return { x: fixture.track.x - facing * 30, y: fixture.track.y + 12, facing, backPx: -facing * 22 };
}

function fixturesInView(stage: Stage, kind: 'door' | 'lamp', timeSec: number, lookaheadSec: number): Performer[] {
  return stage.free(kind, timeSec).filter((f) => stage.inView(f, timeSec, timeSec + lookaheadSec, 24));
}

function walkerTo(stage: Stage, timeSec: number): Performer | null {
  const who = stage.free('person', timeSec).filter((p) => stage.inView(p, timeSec, timeSec + 3));
  return who.length === 0 ? null : stage.random.pick(who);
}

/** Someone opens or closes a door and stays. */
const useDoor: Activity = {
  name: 'use-door', weight: 2.4,
  perform(stage, t) {
    const doors = fixturesInView(stage, 'door', t, 6);
    const p = walkerTo(stage, t);
    if (doors.length === 0 || p === null) return null;
    const door = stage.random.pick(doors);
    const { x, y, facing, backPx } = beside(stage, door, t);
    door.track.restUntil(t);
    const there = stage.move(p, t, x, y);
    stage.act(p, there, 1.6, 'reach', facing);
    const to = door.track.value > 0.5 ? 0 : 1;
    swing(stage, door, there + 0.5, to, p);
    const step = stage.move(p, p.track.endSec, x + backPx, y + 14);
    door.track.restUntil(step + 0.6);
    return stage.act(p, step, 0.6, 'stand');
  },
};

/** Someone goes out by a door, which opens and closes. */
const goOut: Activity = {
  name: 'go-out', weight: 1.8,
  perform(stage, t) {
    const doors = fixturesInView(stage, 'door', t, 7);
    const p = walkerTo(stage, t);
    if (doors.length === 0 || p === null) return null;
    const door = stage.random.pick(doors);
    const { x, y, facing } = beside(stage, door, t);
    door.track.restUntil(t);
    const there = stage.move(p, t, x, y);
    let through = there;
    if (door.track.value < 0.5) {
      stage.act(p, there, 1.3, 'reach', facing);
      swing(stage, door, there + 0.4, 1, p);
      through = p.track.endSec;
    }
    const at = stage.move(p, through, door.track.x + 4, door.track.y + 1);
    p.track.restUntil(at);
    const out = p.track.add(0.5, { pose: 'walk', alpha: 0, y: door.track.y - 1 });
    p.carries?.track.restUntil(out - 0.5);
    p.carries?.track.add(0.5, { alpha: 0 });
    stage.event('leave', through, out + 0.3, p, { through: 'door' });
    stage.exit(p, true);
    const end = swing(stage, door, out + 0.5, 0, p);
    door.track.restUntil(end + 1);
    return end + 1;
  },
};

/** Someone comes in by a door, which opens and closes. */
const comeIn: Activity = {
  name: 'come-in', weight: 2.2,
  perform(stage, t) {
    const doors = fixturesInView(stage, 'door', t, 7);
    const target = stage.spot(t + 2, t + 7);
    if (doors.length === 0 || target === null) return null;
    const door = stage.random.pick(doors);
    const shut = door.track.value < 0.5;
    const appearAt = t + (shut ? 1.1 : 0.2);
    const p = newcomer(stage, appearAt, door.track.x + 4, door.track.y + 1, 1);
    if (p === null) return null;
    if (shut) swing(stage, door, t + 0.3, 1, p);
    for (const who of p.carries ? [p, p.carries] : [p]) {
      who.track.restUntil(appearAt);
      who.track.alpha = 0;
      who.track.add(0.5, { alpha: 1 });
    }
    const end = stage.move(p, p.track.endSec, target.x, target.y);
    stage.event('enter', appearAt, Math.max(end, appearAt + 1.5), p, { through: 'door' });
    const closed = shut ? swing(stage, door, appearAt + 1.6, 0, p) : door.track.endSec;
    door.track.restUntil(Math.max(closed + 0.8, end));
    return stage.act(p, end, 1, 'stand');
  },
};

/** Someone switches a lamp on or off. */
const useLamp: Activity = {
  name: 'switch', weight: 3.4,
  perform(stage, t) {
    const lamps = fixturesInView(stage, 'lamp', t, 6);
    const p = walkerTo(stage, t);
    if (lamps.length === 0 || p === null) return null;
    const lamp = stage.random.pick(lamps);
    const { x, y, facing, backPx } = beside(stage, lamp, t);
    lamp.track.restUntil(t);
    const there = stage.move(p, t, x, y + 2);
    const done = stage.act(p, there, 1.6, 'reach', facing);
    const to = lamp.track.value > 0.5 ? 0 : 1;
    lamp.track.restUntil(there + 0.7);
    lamp.track.add(0.1, { value: to });
    stage.event(to === 1 ? 'switch-on' : 'switch-off', there, done + 0.6, p, { object: lamp.id });
    const end = stage.move(p, done, x + backPx, y + 16);
    lamp.track.restUntil(end + 0.4);
    return end + 0.4;
  },
};

export const FIXTURE_ACTIVITIES: readonly Activity[] = [useDoor, goOut, comeIn, useLamp];
