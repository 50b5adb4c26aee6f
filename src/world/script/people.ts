// Activities of people on their own feet: coming, going, running, turning, meeting, falling.
import type { Activity } from './activity.ts';
import { RUN_PX_PER_SEC, WALK_PX_PER_SEC } from './stage.ts';
import type { Performer, Stage } from './stage.ts';

/** People at once in one scene. */
export const CROWD = 4;

/** Someone new, or someone who was here before, at a place just outside the picture. */
export function newcomer(stage: Stage, timeSec: number, x: number, y: number, facing: 1 | -1): Performer | null {
  if (stage.present('person').length >= CROWD) return null;
  const back = stage.cast.filter((p) => p.kind === 'person' && p.away && p.track.endSec < timeSec - 4);
  if (back.length > 0 && stage.random.next() < 0.35) {
    const who = stage.random.pick(back);
    stage.comeBack(who, timeSec, x, y, facing);
    return who;
  }
  return stage.add('person', timeSec, x, y, facing);
}

/** Just outside the picture on one side. */
export function edge(stage: Stage, timeSec: number, side: 1 | -1, marginPx = 26): number {
  const { left, right } = stage.view(timeSec);
  return side < 0 ? left - marginPx : right + marginPx;
}

/** Walks out of the picture; the camera may have to be outrun. */
export function walkOut(stage: Stage, p: Performer, timeSec: number, pose: 'walk' | 'run', speed: number, marginPx = 30): number {
  const { left, right } = stage.view(timeSec);
  const side = p.track.x - left < right - p.track.x ? -1 : 1;
  const direction = stage.random.next() < 0.75 ? side : (-side as 1 | -1);
  return leaveBy(stage, p, timeSec, direction, pose, speed, marginPx);
}

/** Leaves by the edge on this side. */
export function leaveBy(stage: Stage, p: Performer, timeSec: number, side: 1 | -1, pose: 'walk' | 'run', speed: number, marginPx = 30): number {
  const guess = timeSec + 1 + Math.abs(edge(stage, timeSec, side) - p.track.x) / speed;
  const target = edge(stage, guess, side, marginPx);
  const away = side < 0 ? Math.min(target, p.track.x - 30) : Math.max(target, p.track.x + 30);
  const end = stage.move(p, timeSec, away, p.track.y, pose, speed);
  stage.event('leave', timeSec, end - 0.2, p, { towards: side < 0 ? 'left' : 'right', through: 'edge' });
  return end;
}

const enter: Activity = {
  name: 'enter', weight: 3,
  perform(stage, t) {
    const target = stage.spot(t + 2, t + 7);
    if (target === null) return null;
    const side = stage.random.pick([1, -1] as const);
    const p = newcomer(stage, t, edge(stage, t, side), target.y, side < 0 ? 1 : -1);
    if (p === null) return null;
    const end = stage.move(p, t, target.x, target.y);
    stage.event('enter', t, end, p, { towards: side < 0 ? 'right' : 'left', through: 'edge' });
    stage.event('stop', end, end + 1.5, p);
    return stage.act(p, end, 1.5, 'stand');
  },
};

const leave: Activity = {
  name: 'leave', weight: 2.2,
  perform(stage, t) {
    const who = stage.free('person', t).filter((p) => stage.inView(p, t, t + 2));
    if (who.length === 0) return null;
    const p = stage.random.pick(who);
    const end = walkOut(stage, p, t, 'walk', WALK_PX_PER_SEC * 1.15);
    stage.exit(p, true);
    return end;
  },
};

const passBy: Activity = {
  name: 'pass-by', weight: 1.2, ambient: true,
  perform(stage, t) {
    const side = stage.random.pick([1, -1] as const);
    const y = stage.random.pick(stage.layout.lanes);
    const running = stage.random.next() < 0.35;
    const p = newcomer(stage, t, edge(stage, t, side), y, side < 0 ? 1 : -1);
    if (p === null) return null;
    const speed = running ? RUN_PX_PER_SEC : WALK_PX_PER_SEC * 1.3;
    const towards = side < 0 ? 'right' : 'left';
    stage.event('enter', t, t + 1.6, p, { towards, through: 'edge' });
    const end = leaveBy(stage, p, t, (-side) as 1 | -1, running ? 'run' : 'walk', speed);
    if (running) stage.event('run', t + 0.5, end - 0.5, p, { towards });
    stage.exit(p, true);
    return end;
  },
};

const runAcross: Activity = {
  name: 'run-across', weight: 2,
  perform(stage, t) {
    const { left, right } = stage.safe(t, t + 3);
    const who = stage.free('person', t).filter((p) => stage.inView(p, t, t + 3) && Math.max(p.track.x - left, right - p.track.x) > 120);
    if (who.length === 0) return null;
    const p = stage.random.pick(who);
    const goLeft = p.track.x - left > right - p.track.x;
    const x = goLeft ? left + stage.random.int(0, 24) : right - stage.random.int(0, 24);
    const end = stage.move(p, t, x, p.track.y, 'run');
    stage.event('run', t, end, p, { towards: goLeft ? 'left' : 'right' });
    return stage.act(p, end, 1, 'stand');
  },
};

const turnBack: Activity = {
  name: 'turn-back', weight: 1.6,
  perform(stage, t) {
    const { left, right } = stage.safe(t, t + 6);
    const who = stage.free('person', t).filter((p) => stage.inView(p, t, t + 4) && Math.max(p.track.x - left, right - p.track.x) > 90);
    if (who.length === 0) return null;
    const p = stage.random.pick(who);
    const goLeft = p.track.x - left > right - p.track.x;
    const start = p.track.x;
    const turnAt = stage.move(p, t, start + (goLeft ? -85 : 85), p.track.y);
    stage.act(p, turnAt, 0.4, 'stand');
    const end = stage.move(p, p.track.endSec, start + (goLeft ? -5 : 5), p.track.y);
    stage.event('turn', turnAt - 1.2, turnAt + 1.4, p, { towards: goLeft ? 'right' : 'left' });
    return stage.act(p, end, 0.8, 'stand');
  },
};

/** Walks up to someone and returns the time of arrival, both face to face. */
export function walkUpTo(stage: Stage, p: Performer, other: Performer, timeSec: number, apartPx: number): number {
  const side = p.track.x < other.track.x ? -1 : 1;
  const end = stage.move(p, timeSec, other.track.x + side * apartPx, other.track.y);
  p.track.facing = side < 0 ? 1 : -1;
  other.track.restUntil(end);
  other.track.facing = side < 0 ? -1 : 1;
  return end;
}

const meet: Activity = {
  name: 'meet', weight: 3.5,
  perform(stage, t) {
    const who = stage.free('person', t).filter((p) => stage.inView(p, t, t + 6, 60));
    if (who.length < 2) return null;
    const [p, other] = stage.random.shuffle(who) as [Performer, Performer];
    if (Math.hypot(p.track.x - other.track.x, p.track.y - other.track.y) < 60) return null;
    const there = walkUpTo(stage, p, other, t, 52);
    const end = stage.act(p, there, 2.4, 'wave');
    stage.act(other, there, 2.4, 'wave');
    stage.event('meet', there, end, p, { other: other.id });
    const after = stage.act(p, end, 0.6, 'stand');
    stage.act(other, end, 0.6, 'stand');
    return after;
  },
};

const fall: Activity = {
  name: 'fall', weight: 2.6,
  perform(stage, t) {
    const { left, right } = stage.safe(t, t + 6, 60);
    const who = stage.free('person', t).filter((p) => p.carries === null && p.track.x > left && p.track.x < right);
    if (who.length === 0 || right - left < 90) return null;
    const p = stage.random.pick(who);
    const goLeft = p.track.x - left > right - p.track.x;
    const there = stage.move(p, t, p.track.x + (goLeft ? -1 : 1) * 40, p.track.y);
    const down = stage.act(p, there, 0.6, 'fall');
    const up = stage.act(p, down, 2.2 + stage.random.next() * 1.4, 'lie');
    stage.event('fall', there, up, p);
    const end = stage.act(p, up, 0.9, 'rise');
    return stage.act(p, end, 0.8, 'stand');
  },
};

export const PEOPLE_ACTIVITIES: readonly Activity[] = [enter, leave, passBy, runAcross, turnBack, meet, fall];
