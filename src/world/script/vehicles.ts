// Activities of cars, bicycles and dogs.
import type { Activity } from './activity.ts';
import { CROWD, edge, newcomer } from './people.ts';
import type { Performer, Stage } from './stage.ts';

const DRIVE_PX_PER_SEC = 105;
const RIDE_PX_PER_SEC = 92;

function roadFor(stage: Stage, side: 1 | -1): number {
  // Traffic keeps to its side: what comes from the right goes left, on the far lane.
  return stage.layout.roads[side > 0 ? 0 : 1]!;
}

/** No other car stands in the way on this lane. */
function roadFree(stage: Stage, y: number): boolean {
  return stage.cast.every((car) => car.kind !== 'car' || car.gone || car.track.y !== y);
}

function stretch(p: Performer, endSec: number, step: Parameters<Performer['track']['add']>[1]): number {
  return p.track.add(endSec - p.track.endSec, step);
}

function carIn(stage: Stage, t: number, target: number | null): { car: Performer; end: number } | null {
  const side = stage.random.pick([1, -1] as const);
  const y = roadFor(stage, side);
  if (!roadFree(stage, y)) return null;
  const facing = side > 0 ? -1 : 1;
  const from = edge(stage, t, side, 75);
  const to = target ?? edge(stage, t + 4, -side as 1 | -1, 80);
  if (Math.sign(to - from) !== facing) return null;
  const car = stage.add('car', t, from, y, facing);
  if (car === null) return null;
  const towards = facing > 0 ? 'right' : 'left';
  const end = stage.move(car, t, to, y, 'walk', DRIVE_PX_PER_SEC);
  stage.event('enter', t, Math.min(end, t + 2.4), car, { towards, through: 'edge' });
  if (target === null) {
    stage.event('leave', end - 1.6, end - 0.2, car, { towards, through: 'edge' });
    car.gone = true;
  } else {
    stage.event('stop', end, end + 1.5, car);
    stretch(car, end + 1.5, {});
  }
  return { car, end: car.track.endSec };
}

const drivePast: Activity = {
  name: 'drive-past', weight: 1.6, scenes: ['street'], ambient: true,
  perform: (stage, t) => carIn(stage, t, null)?.end ?? null,
};

const park: Activity = {
  name: 'car-stop', weight: 1.6, scenes: ['street'],
  perform(stage, t) {
    const { left, right } = stage.safe(t + 1, t + 8, 78);
    if (right - left < 20) return null;
    return carIn(stage, t, left + stage.random.next() * (right - left))?.end ?? null;
  },
};

function driveOff(stage: Stage, car: Performer, t: number): number {
  const side = car.track.facing;
  const end = stage.move(car, t, edge(stage, t + 2.5, side, 80), car.track.y, 'walk', DRIVE_PX_PER_SEC);
  stage.event('leave', t, end - 0.3, car, { towards: side > 0 ? 'right' : 'left', through: 'edge' });
  car.gone = true;
  return end;
}

const carLeaves: Activity = {
  name: 'car-leaves', weight: 1, scenes: ['street'],
  perform(stage, t) {
    const cars = stage.free('car', t).filter((c) => stage.inView(c, t, t + 2, 50));
    return cars.length === 0 ? null : driveOff(stage, stage.random.pick(cars), t);
  },
};

const getIn: Activity = {
  name: 'get-in', weight: 2.6, scenes: ['street'],
  perform(stage, t) {
    const cars = stage.free('car', t).filter((c) => c.by === null && stage.inView(c, t, t + 5, 60));
    const who = stage.free('person', t).filter((p) => p.carries === null && stage.inView(p, t, t + 3));
    if (cars.length === 0 || who.length === 0) return null;
    const car = stage.random.pick(cars);
    const p = stage.random.pick(who);
    car.track.restUntil(t);
    const there = stage.move(p, t, car.track.x + car.track.facing * 4, car.track.y + 5);
    const reached = stage.act(p, there, 1.1, 'reach');
    const inside = p.track.add(0.5, { alpha: 0, pose: 'stand', y: car.track.y });
    stage.event('get-in', there, inside + 0.6, p, { object: car.id });
    p.track.holder = car.id;
    p.track.restPose = 'inside';
    car.by = p;
    const start = Math.max(reached, inside) + 0.9;
    car.track.restUntil(start);
    const end = driveOff(stage, car, start);
    stretch(p, end, {});
    p.gone = true;
    return end;
  },
};

const getOut: Activity = {
  name: 'get-out', weight: 2.2, scenes: ['street'],
  perform(stage, t) {
    if (stage.present('person').length >= CROWD) return null;
    const { left, right } = stage.safe(t + 1, t + 9, 85);
    if (right - left < 20) return null;
    const target = stage.spot(t + 3, t + 9, [stage.layout.lanes[1]!]);
    if (target === null) return null;
    const result = carIn(stage, t, left + stage.random.next() * (right - left));
    if (result === null) return null;
    const { car, end } = result;
    const p = stage.add('person', end, car.track.x + car.track.facing * 4, car.track.y + 4, car.track.facing);
    if (p === null) return end;
    p.track.alpha = 0;
    const out = p.track.add(0.5, { alpha: 1 });
    stage.event('get-out', end, out + 1.4, p, { object: car.id });
    const there = stage.move(p, out + 0.6, target.x, target.y);
    car.track.restUntil(there);
    return stage.act(p, there, 0.8, 'stand');
  },
};

/** A rider comes, on a bicycle of his own. */
function riderIn(stage: Stage, t: number, side: 1 | -1, y: number): { bike: Performer; rider: Performer } | null {
  if (stage.present('bicycle').length >= 2 || stage.present('person').length >= CROWD) return null;
  const facing = side > 0 ? -1 : 1;
  const x = edge(stage, t, side, 52);
  const bike = stage.add('bicycle', t, x, y, facing);
  if (bike === null) return null;
  const rider = stage.add('person', t, x, y, facing);
  if (rider === null) {
    // Without a rider there is nobody to bring it: it has had no moment in the world.
    bike.gone = true;
    return null;
  }
  rider.track.holder = bike.id;
  rider.track.restPose = 'ride';
  bike.by = rider;
  return { bike, rider };
}

const ridePast: Activity = {
  name: 'ride-past', weight: 1.5, scenes: ['street', 'park'], ambient: true,
  perform(stage, t) {
    const side = stage.random.pick([1, -1] as const);
    const y = stage.layout.lanes.at(-1)! - (stage.layout.kind === 'park' ? 26 : 2);
    const pair = riderIn(stage, t, side, y);
    if (pair === null) return null;
    const { bike, rider } = pair;
    const towards = side < 0 ? 'right' : 'left';
    const end = stage.move(bike, t, edge(stage, t + 4, -side as 1 | -1, 56), y, 'walk', RIDE_PX_PER_SEC);
    stretch(rider, end, { x: bike.track.x, y });
    stage.event('enter', t, t + 1.8, bike, { towards, through: 'edge' });
    stage.event('leave', end - 1.6, end - 0.3, bike, { towards, through: 'edge' });
    bike.gone = true;
    rider.gone = true;
    return end;
  },
};

const rideAndStop: Activity = {
  name: 'dismount', weight: 1.4, scenes: ['street', 'park'],
  perform(stage, t) {
    const target = stage.spot(t + 2, t + 8, [stage.layout.lanes.at(-1)! - (stage.layout.kind === 'park' ? 26 : 2)], 60);
    if (target === null) return null;
    const side = stage.random.pick([1, -1] as const);
    const pair = riderIn(stage, t, side, target.y);
    if (pair === null) return null;
    const { bike, rider } = pair;
    const there = stage.move(bike, t, target.x, target.y, 'walk', RIDE_PX_PER_SEC);
    stage.event('enter', t, Math.min(there, t + 2), bike, { towards: side < 0 ? 'right' : 'left', through: 'edge' });
    stage.event('stop', there, there + 1.5, bike);
    stretch(rider, there + 0.8, { x: target.x, y: target.y });
    rider.track.holder = null;
    rider.track.restPose = 'stand';
    bike.by = null;
    rider.track.jump(target.x, target.y + 3, rider.track.facing);
    stage.event('get-out', there + 0.6, there + 2.2, rider, { object: bike.id });
    const end = stage.move(rider, rider.track.endSec, target.x + rider.track.facing * 58, target.y + 4);
    bike.track.restUntil(end);
    return stage.act(rider, end, 0.8, 'stand');
  },
};

const mount: Activity = {
  name: 'mount', weight: 1.8, scenes: ['street', 'park'],
  perform(stage, t) {
    const bikes = stage.free('bicycle', t).filter((b) => b.by === null && stage.inView(b, t, t + 4, 45));
    const who = stage.free('person', t).filter((p) => p.carries === null && stage.inView(p, t, t + 3));
    if (bikes.length === 0 || who.length === 0) return null;
    const bike = stage.random.pick(bikes);
    const p = stage.random.pick(who);
    bike.track.restUntil(t);
    const there = stage.move(p, t, bike.track.x - bike.track.facing * 14, bike.track.y + 3);
    p.track.facing = bike.track.facing;
    const reached = stage.act(p, there, 0.7, 'stand');
    p.track.holder = bike.id;
    p.track.restPose = 'ride';
    p.track.jump(bike.track.x, bike.track.y, bike.track.facing);
    bike.by = p;
    bike.track.restUntil(reached + 0.7);
    const end = stage.move(bike, reached + 0.7, edge(stage, reached + 2.5, bike.track.facing, 56), bike.track.y, 'walk', RIDE_PX_PER_SEC);
    stretch(p, end, { x: bike.track.x, y: bike.track.y });
    const towards = bike.track.facing > 0 ? 'right' : 'left';
    stage.event('get-in', there, reached + 1.2, p, { object: bike.id });
    stage.event('leave', reached + 0.7, end - 0.3, bike, { towards, through: 'edge' });
    bike.gone = true;
    p.gone = true;
    return end;
  },
};

const dogIn: Activity = {
  name: 'dog-in', weight: 1.6, scenes: ['street', 'room', 'park'], ambient: true,
  perform(stage, t) {
    if (stage.present('dog').length >= 2) return null;
    const target = stage.spot(t + 2, t + 6);
    if (target === null) return null;
    const side = stage.random.pick([1, -1] as const);
    const dog = stage.add('dog', t, edge(stage, t, side, 40), target.y, side < 0 ? 1 : -1);
    if (dog === null) return null;
    const running = stage.random.next() < 0.5;
    const towards = side < 0 ? 'right' : 'left';
    const end = stage.move(dog, t, target.x, target.y, running ? 'run' : 'walk', running ? 105 : 62);
    stage.event('enter', t, Math.min(end, t + 2.2), dog, { towards, through: 'edge' });
    if (running && end - t > 1.5) stage.event('run', t + 0.5, end, dog, { towards });
    stage.event('stop', end, end + 1.5, dog);
    if (stage.random.next() < 0.5) dog.track.restPose = 'lie';
    stretch(dog, end + 1.5, {});
    return end + 1.5;
  },
};

const dogLeaves: Activity = {
  name: 'dog-leaves', weight: 1, scenes: ['street', 'room', 'park'], ambient: true,
  perform(stage, t) {
    const dogs = stage.free('dog', t).filter((d) => stage.inView(d, t, t + 2));
    if (dogs.length === 0) return null;
    const dog = stage.random.pick(dogs);
    const side = stage.random.pick([1, -1] as const);
    const end = stage.move(dog, t, edge(stage, t + 2.5, side, 44), dog.track.y, 'run', 100);
    stage.event('leave', t, end - 0.3, dog, { towards: side > 0 ? 'right' : 'left', through: 'edge' });
    dog.gone = true;
    return end;
  },
};

export const VEHICLE_ACTIVITIES: readonly Activity[] = [drivePast, park, carLeaves, getIn, getOut, ridePast, rideAndStop, mount, dogIn, dogLeaves];

/** Puts someone or something at rest into a scene before its first picture. */
export function place(stage: Stage, timeSec: number, kind: 'person' | 'car' | 'bicycle' | 'dog' | 'bag' | 'box'): Performer | null {
  if (kind === 'car') {
    const y = stage.random.pick(stage.layout.roads);
    const { left, right } = stage.safe(timeSec, timeSec + 3, 75);
    if (!roadFree(stage, y) || right <= left) return null;
    return stage.add('car', timeSec, left + stage.random.next() * (right - left), y, y === stage.layout.roads[0] ? -1 : 1);
  }
  const lanes = kind === 'bicycle' ? [stage.layout.lanes.at(-1)! - (stage.layout.kind === 'park' ? 26 : 2)] : stage.layout.lanes;
  const target = stage.spot(timeSec, timeSec + 4, lanes);
  if (target === null) return null;
  const facing = stage.random.pick([1, -1] as const);
  const added = kind === 'person' ? newcomer(stage, timeSec, target.x, target.y, facing) : stage.add(kind, timeSec, target.x, target.y, facing);
  if (added !== null && kind === 'dog' && stage.random.next() < 0.6) added.track.restPose = 'lie';
  return added;
}
