// Tests of scripts and truth: what a seed makes, and what must hold in every world.
import { describe, expect, it } from 'vitest';
import { COLOURS_OF } from './colours.ts';
import { isHeldOutColour } from './held-out.ts';
import { REACH_PX } from './script/items.ts';
import type { Footage, WorldSpec } from './types.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';
import { truthText } from './write-clip.ts';

const FOOTAGE: readonly Footage[] = ['fixed', 'moving', 'cuts', 'ego'];

function worldOf(seed: number, change: Partial<WorldSpec> = {}): World {
  return createWorld({ seed, split: 'train', footage: FOOTAGE[seed % 4]!, durationSec: 40, activities: 'many', heldOut: false, ...change });
}

const worlds = Array.from({ length: 24 }, (_, seed) => worldOf(seed));

describe('determinism', () => {
  it('gives the same truth for the same seed, to the byte', () => {
    for (const seed of [1, 2, 3]) {
      const [a, b] = [worldOf(seed), worldOf(seed)].map((w) => [...truthText(w, 2, 320, 240)].join(''));
      expect(a).toBe(b);
    }
  });

  it('gives different worlds for different seeds and splits', () => {
    const texts = [worldOf(1), worldOf(5), worldOf(1, { split: 'test' })].map((w) => JSON.stringify(w.actors));
    expect(new Set(texts).size).toBe(3);
  });

  it('shows the same moment whatever was looked at before', () => {
    const world = worldOf(6);
    const forward = [3, 11, 29].map((t) => world.observe(t));
    const back = [29, 11, 3].map((t) => world.observe(t)).reverse();
    expect(back).toEqual(forward);
  });
});

describe('truth', () => {
  it('keeps boxes inside the picture and visible shares between 0 and 1', () => {
    for (const world of worlds) {
      for (let t = 0; t < world.durationSec; t += 1.5) {
        for (const { box: [x, y, width, height], visible } of world.observe(t).objects) {
          expect(Math.min(x, y, width, height)).toBeGreaterThanOrEqual(0);
          expect(x + width).toBeLessThanOrEqual(320.11);
          expect(y + height).toBeLessThanOrEqual(240.11);
          expect(visible).toBeGreaterThan(0);
          expect(visible).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it('leaves no gap in a life and no jump in a motion', () => {
    for (const { actors } of worlds) {
      for (const { motions } of actors) {
        for (const [i, motion] of motions.entries()) {
          expect(motion.endSec).toBeGreaterThan(motion.startSec);
          if (i > 0) expect(motion.startSec).toBeCloseTo(motions[i - 1]!.endSec, 6);
          // Nobody outruns a car: what moves faster is a mistake in the script.
          if (motion.holder === null && motion.pose !== 'inside') {
            expect(Math.hypot(motion.x1 - motion.x0, motion.y1 - motion.y0) / (motion.endSec - motion.startSec)).toBeLessThan(140);
          }
        }
      }
    }
  });

  it('has events in order, each by someone who is there', () => {
    for (const world of worlds) {
      for (const [i, event] of world.events.entries()) {
        expect(event.id).toBe(i);
        expect(event.endSec).toBeGreaterThan(event.startSec);
        if (i > 0) expect(event.startSec).toBeGreaterThanOrEqual(world.events[i - 1]!.startSec);
        for (const id of [event.actor, event.object, event.other]) if (id !== undefined) expect(world.actor(id).scene).toBe(event.scene);
      }
    }
  });

  it('lets people pick up only what lies at their feet, and only with empty hands', () => {
    let seen = 0;
    for (const world of worlds) {
      for (const { kind, actor, object, startSec, endSec } of world.events) {
        if (kind !== 'pick-up') continue;
        const person = world.stateOf(actor, startSec + 0.01)!;
        const item = world.stateOf(object!, startSec + 0.01)!;
        expect(Math.hypot(person.x - item.x, person.y - item.y)).toBeLessThan(REACH_PX + 2);
        expect(item.holder).toBeNull();
        expect(world.stateOf(object!, endSec - 0.01)!.holder?.id).toBe(actor);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(5);
  });

  it('never puts two things into the same hands', () => {
    for (const world of worlds) {
      for (let t = 0; t < world.durationSec; t += 0.5) {
        const holders = world.statesAt(t).flatMap((s) => (s.holder?.kind === 'person' ? [s.holder.id] : []));
        expect(new Set(holders).size).toBe(holders.length);
      }
    }
  });

  it('passes a thing from hand to hand, and opens, lights and fells what events say', () => {
    const kinds = new Set<string>();
    for (const world of Array.from({ length: 60 }, (_, i) => worldOf(100 + i))) {
      for (const { kind, actor, object, other, startSec, endSec } of world.events) {
        if (endSec > world.durationSec) continue;
        kinds.add(kind);
        if (kind === 'hand-over') {
          expect(world.stateOf(object!, startSec + 0.1)!.holder?.id).toBe(actor);
          expect(world.stateOf(object!, endSec - 0.1)!.holder?.id).toBe(other);
        } else if (kind === 'put-down') expect(world.stateOf(object!, endSec - 0.01)!.holder).toBeNull();
        else if (kind === 'open' || kind === 'switch-on') expect(world.stateOf(object!, endSec)!.value).toBe(1);
        else if (kind === 'close' || kind === 'switch-off') expect(world.stateOf(object!, endSec)!.value).toBe(0);
        else if (kind === 'fall') expect(world.stateOf(actor, endSec - 0.1)!.pose).toBe('lie');
      }
    }
    expect([...kinds].sort()).toEqual(['appear', 'close', 'enter', 'fall', 'get-in', 'get-out', 'hand-over', 'leave', 'meet', 'open', 'pick-up', 'put-down', 'run', 'stop', 'switch-off', 'switch-on', 'turn', 'vanish']);
  });

  it('gives no two people of a short clip the same colour', () => {
    for (const world of worlds) {
      const people = world.actors.filter((a) => a.kind === 'person').map((a) => a.look.colour);
      expect(new Set(people).size).toBe(people.length);
    }
  });

  it('counts what hides behind an occluder as hidden', () => {
    const world = worlds.find((w) => w.occluders.length > 0)!;
    const { startSec, endSec } = world.occluders[0]!;
    const total = (t: number) => world.observe(t).objects.filter((o) => o.kind === 'door' || o.kind === 'lamp').reduce((sum, o) => sum + o.visible, 0);
    const during = Array.from({ length: 20 }, (_, i) => total(startSec + ((endSec - startSec) * (i + 0.5)) / 20));
    expect(Math.min(...during)).toBeLessThan(Math.max(...during));
  });
});

describe('what is held out', () => {
  it('is never in the training split', () => {
    for (const world of Array.from({ length: 120 }, (_, i) => worldOf(1000 + i))) {
      expect(world.events.filter((e) => e.heldOut)).toEqual([]);
      for (const { kind, look } of world.actors) {
        expect(isHeldOutColour(kind, look.colour)).toBe(false);
        if (look.hat !== null) expect(isHeldOutColour('person', look.hat)).toBe(false);
      }
    }
  });

  it('is frequent in the test clips that ask for it, and absent from the others', () => {
    const held = Array.from({ length: 16 }, (_, i) => worldOf(i, { split: 'test', heldOut: true }));
    expect(held.filter((w) => w.actors.some((a) => isHeldOutColour(a.kind, a.look.colour))).length).toBeGreaterThan(12);
    expect(held.filter((w) => w.events.some((e) => e.heldOut)).length).toBeGreaterThan(5);
    const plain = Array.from({ length: 16 }, (_, i) => worldOf(i, { split: 'test' }));
    expect(plain.some((w) => w.events.some((e) => e.heldOut) || w.actors.some((a) => isHeldOutColour(a.kind, a.look.colour)))).toBe(false);
  });

  it('leaves every held-out colour known from other classes', () => {
    for (const kind of ['person', 'car', 'bag', 'box'] as const) {
      for (const colour of COLOURS_OF[kind]) {
        if (!isHeldOutColour(kind, colour)) continue;
        const elsewhere = (Object.keys(COLOURS_OF) as (keyof typeof COLOURS_OF)[]).filter((k) => k !== kind && COLOURS_OF[k].includes(colour) && !isHeldOutColour(k, colour));
        expect(elsewhere.length).toBeGreaterThanOrEqual(2);
      }
    }
  });
});

describe('a place that was asked for', () => {
  it('is where fixed and moving footage is taken, and the seed decides the rest', () => {
    for (const footage of ['fixed', 'moving'] as const) {
      for (const scene of ['street', 'shop', 'room', 'park'] as const) expect(new Set(worldOf(2, { footage, scene }).scenes.map(({ kind }) => kind))).toEqual(new Set([scene]));
    }
    const own = worldOf(2, { footage: 'fixed' });
    expect(worldOf(2, { footage: 'fixed', scene: own.scenes[0]!.kind }).events).toEqual(own.events);
  });

  it('cannot be the place of footage that goes through several', () => {
    expect(() => worldOf(1, { footage: 'cuts', scene: 'shop' })).toThrow(/fixed or moving/);
  });
});

describe('long footage', () => {
  it.each(['fixed', 'moving', 'cuts'] as const)('plans an hour of %s in a second or so of computing, in megabytes, and finds any moment quickly', (footage) => {
    const before = process.cpuUsage();
    const world = worldOf(3, { footage, durationSec: 3600 });
    // Of the processor's time: what else the machine does is not the world's doing.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(5e6);
    expect(JSON.stringify(world.actors).length).toBeLessThan(8e6);
    expect(world.events.length).toBeGreaterThan(600);
    expect(world.events.some((e) => e.startSec > 3500)).toBe(true);
    for (let t = 0; t < 3600; t += 60) expect(world.statesAt(t).length).toBeLessThan(60);
  });

  it('refuses what cannot be', () => {
    expect(() => worldOf(1, { durationSec: 0 })).toThrow(/between 1 second and 4 hours/);
    expect(() => worldOf(1.5)).toThrow(/integer/);
    expect(() => worldOf(1, { heldOut: true })).toThrow(/test split/);
  });
});
