// Tests of the stream questions: right by an independent look at the truth, balanced, and split cleanly.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { COLOURS_OF, PAINT } from '../colours.ts';
import { isHeldOutColour, isHeldOutWording } from '../held-out.ts';
import { streamClips } from '../suite.ts';
import type { StreamClip } from '../suite.ts';
import { superviseFrame, superviseQuestions } from '../supervision.ts';
import type { ActorClass, EventKind } from '../types.ts';
import { vocabulary, wordsOf } from '../vocabulary.ts';
import { createWorld } from '../world.ts';
import { TEMPLATES } from './ask.ts';
import { createBalance } from './balance.ts';
import { EGO_TEMPLATES } from './ego.ts';
import { NUMBERS, QUESTION_CLASSES } from './template.ts';
import type { WorldQuestion } from './question.ts';
import { TRAINING_WORDINGS } from './training-wordings.ts';
import { Viewing } from './viewing.ts';

const train = [...streamClips({ seed: 1, split: 'train', clips: 60 })];
const test = [...streamClips({ seed: 1, split: 'test', clips: 80 })];
const all = (clips: readonly StreamClip[]) => clips.flatMap((clip) => clip.questions.map((q) => ({ q, world: clip.world })));

const CLASSES: readonly ActorClass[] = ['person', 'car', 'bicycle', 'dog', 'bag', 'box', 'door', 'lamp'];
const PLURAL: Readonly<Record<string, ActorClass>> = { people: 'person', cars: 'car', bicycles: 'bicycle', dogs: 'dog', bags: 'bag', boxes: 'box' };
const colourIn = (text: string) => wordsOf(text).find((w) => Object.hasOwn(PAINT, w));
const classIn = (text: string) => CLASSES.find((c) => wordsOf(text).includes(c));
const DID: readonly (readonly [RegExp, EventKind])[] = [
  [/picked something up/, 'pick-up'], [/put something down/, 'put-down'], [/handed something over/, 'hand-over'], [/fell down/, 'fall'], [/ ran\b/, 'run'], [/opened the door/, 'open'],
  [/closed the door/, 'close'], [/switched the lamp on/, 'switch-on'], [/switched the lamp off/, 'switch-off'], [/turned back/, 'turn'], [/got into a car|got on a bicycle/, 'get-in'],
  [/got out of a car|got off a bicycle/, 'get-out'], [/came in/, 'enter'],
];
const POSES: Readonly<Record<string, string>> = { standing: 'stand', walking: 'walk', running: 'run', lying: 'lie', bending: 'bend', waving: 'wave', riding: 'ride', reaching: 'reach' };

const listed = new Map(TEMPLATES.map(({ id, wordings }) => [id, wordings.length]));

/** Answers again, from the question's words and the bare truth at that time; undefined where the words alone do not say enough. */
function answerAgain(q: WorldQuestion, world: StreamClip['world']): string | undefined {
  // Training's own wordings name other things beside what is asked about.
  if (q.wording >= listed.get(q.template)!) return undefined;
  const seen = world.observe(q.timeSec).objects.filter((o) => o.visible >= 0.1);
  const place = (t: number) => world.scenes[world.shotAt(t).scene]!.kind;
  const colour = colourIn(q.question);
  const only = <T>(items: readonly T[]) => (items.length === 1 ? items[0] : undefined);
  switch (q.template) {
    case 'sf-count': {
      const kind = PLURAL[Object.keys(PLURAL).find((w) => wordsOf(q.question).includes(w))!];
      return NUMBERS[seen.filter((o) => o.kind === kind).length];
    }
    case 'sf-colour': return only(seen.filter((o) => o.kind === classIn(q.question)))?.colour;
    case 'sf-top': return only(seen.filter((o) => o.kind === 'person'))?.colour;
    case 'sf-place': return place(q.timeSec);
    case 'sf-lamp': return only(seen.filter((o) => o.kind === 'lamp'))?.value === 1 ? 'on' : 'off';
    case 'sf-door': return only(seen.filter((o) => o.kind === 'door' && o.colour === colour))?.value === 1 ? 'open' : 'closed';
    case 'sf-action': {
      const pose = only(seen.filter((o) => o.kind === 'person' && o.colour === colour))?.pose;
      return Object.keys(POSES).find((word) => POSES[word] === pose);
    }
    case 'sf-who-does': {
      const pose = POSES[wordsOf(q.question).find((w) => Object.hasOwn(POSES, w))!];
      return only(seen.filter((o) => o.kind === 'person' && o.pose === pose))?.colour;
    }
    case 'os-which': return only(seen.filter((o) => o.kind !== 'lamp' && o.kind !== 'person' && o.colour === colour))?.kind;
    case 'os-exists': return seen.some((o) => o.kind === classIn(q.question) && o.colour === colour) ? 'yes' : 'no';
    case 'os-side': {
      const kind = /person/.test(q.question) ? 'person' : classIn(q.question);
      const { box } = only(seen.filter((o) => o.kind === kind && o.colour === colour))!;
      const x = box[0] + box[2] / 2;
      return x < 320 / 3 ? 'left' : x > 640 / 3 ? 'right' : 'middle';
    }
    case 'os-holder': {
      const holder = only(seen.filter((o) => o.kind === classIn(q.question)))?.holder;
      return holder === null ? 'nobody' : world.actor(holder!).look.colour;
    }
    case 'kg-wheels': return NUMBERS[seen.reduce((n, o) => n + (o.kind === 'car' ? 4 : o.kind === 'bicycle' ? 2 : 0), 0)];
    case 'kg-legs': return NUMBERS[seen.reduce((n, o) => n + (o.kind === 'person' ? 2 : o.kind === 'dog' ? 4 : 0), 0)];
    case 'kg-indoors': return ['shop', 'room'].includes(place(q.timeSec)) ? 'indoors' : 'outdoors';
    case 'kg-help': return seen.some((o) => o.pose === 'lie' && o.kind === 'person') ? 'yes' : 'no';
    case 'lm-first-place': return place(0);
    case 'sm-place-before': return place(world.shotAt(q.timeSec).startSec - 0.01);
    case 'sm-who-did':
    case 'lm-who-did': {
      const [, kind] = DID.find(([words]) => words.test(q.question))!;
      const vehicle = /car|bicycle/.exec(q.question)?.[0];
      const span = q.template === 'sm-who-did' ? [q.timeSec - 12, q.timeSec] : [0, q.timeSec];
      const event = only(world.events.filter((e) => e.kind === kind && e.startSec >= span[0]! && e.endSec <= span[1]! && world.actor(e.actor).kind === 'person' && (vehicle === undefined || world.actor(e.object!).kind === vehicle)));
      return event === undefined ? undefined : world.actor(event.actor).look.colour;
    }
    case 'lm-people': {
      const ids = new Set<string>();
      for (let t = 0; t <= q.timeSec; t += 0.5) for (const o of world.observe(t).objects) if (o.kind === 'person' && o.visible > 0.5) ids.add(o.id);
      return NUMBERS[ids.size];
    }
    default: return undefined;
  }
}

describe('stream questions', () => {
  it('have the answers that an independent look at the truth gives', () => {
    const checked = new Map<string, number>();
    for (const { q, world } of [...all(train), ...all(test)]) {
      const again = answerAgain(q, world);
      if (again === undefined) continue;
      // The question goes along, so that a failure names it.
      expect({ ...q, answer: again, seed: world.spec.seed }).toEqual({ ...q, seed: world.spec.seed });
      checked.set(q.template, (checked.get(q.template) ?? 0) + 1);
    }
    expect(checked.size).toBeGreaterThanOrEqual(18);
    expect([...checked.values()].reduce((a, b) => a + b)).toBeGreaterThan(350);
  });

  it('come in the order of time, after something was seen, with evidence that lies before them', () => {
    for (const { questions, world } of [...train, ...test]) {
      for (const [i, q] of questions.entries()) {
        expect(q.timeSec).toBeGreaterThanOrEqual(2.5);
        expect(q.timeSec).toBeLessThan(world.durationSec);
        if (i > 0) expect(q.timeSec).toBeGreaterThan(questions[i - 1]!.timeSec);
        expect(q.evidence.length).toBeGreaterThan(0);
        for (const [from, to] of q.evidence) {
          expect(from).toBeGreaterThanOrEqual(0);
          expect(to).toBeGreaterThanOrEqual(from);
          expect(to).toBeLessThanOrEqual(q.timeSec + 0.01);
        }
      }
    }
  });

  it('spread evenly over the six classes and over nearly all templates', () => {
    const questions = all(test).map(({ q }) => q);
    for (const questionClass of QUESTION_CLASSES) {
      const share = questions.filter((q) => q.class === questionClass).length / questions.length;
      expect(share).toBeGreaterThan(0.13);
      expect(share).toBeLessThan(0.2);
    }
    const used = new Set([...all(train), ...all(test)].map(({ q }) => q.template));
    // Questions about minutes ago need longer clips.
    expect(TEMPLATES.filter((t) => !used.has(t.id) && !t.id.startsWith('lm-minutes')).map((t) => t.id)).toEqual([]);
  });

  it('cannot be guessed: the most frequent answer of template and wording is seldom right', () => {
    const table = new Map<string, Map<string, number>>();
    for (const { q } of all(train)) {
      for (const key of [q.template, `${q.template} ${q.wording}`]) {
        const own = table.get(key) ?? table.set(key, new Map()).get(key)!;
        own.set(q.answer, (own.get(q.answer) ?? 0) + 1);
      }
    }
    const guess = (q: WorldQuestion) => [...(table.get(`${q.template} ${q.wording}`) ?? table.get(q.template) ?? new Map<string, number>())].sort((a, b) => b[1] - a[1])[0]?.[0];
    const questions = all(test).map(({ q }) => q);
    expect(questions.filter((q) => guess(q) === q.answer).length / questions.length).toBeLessThan(0.35);
  });

  it('keep each answer of a template within its share', () => {
    const counts = new Map<string, Map<string, number>>();
    for (const { q } of all(test)) {
      const own = counts.get(q.template) ?? counts.set(q.template, new Map()).get(q.template)!;
      own.set(q.answer, (own.get(q.answer) ?? 0) + 1);
    }
    const lopsided = [...counts].filter(([, own]) => {
      const total = [...own.values()].reduce((a, b) => a + b);
      return total >= 12 && Math.max(...own.values()) / total > 0.62;
    });
    expect(lopsided).toEqual([]);
  });

  it('hold wordings, colours and activities out of training, and flag them in the test split', () => {
    for (const { q } of all(train)) {
      expect(q.wording < listed.get(q.template)! && isHeldOutWording(q.wording)).toBe(false);
      expect(q.heldOut).toEqual({ wording: false, colour: false, activity: false });
    }
    const questions = all(test);
    for (const { q, world } of questions) {
      expect(q.wording).toBeLessThan(listed.get(q.template)!);
      expect(q.heldOut.wording).toBe(isHeldOutWording(q.wording));
      expect(q.heldOut.colour).toBe(q.subjects.some((id) => isHeldOutColour(world.actor(id).kind, world.actor(id).look.colour)));
    }
    const share = (flag: 'wording' | 'colour' | 'activity') => questions.filter(({ q }) => q.heldOut[flag]).length / questions.length;
    expect(share('wording')).toBeGreaterThan(0.15);
    expect(share('colour')).toBeGreaterThan(0.05);
    expect(share('activity')).toBeGreaterThan(0.005);
    expect(TEMPLATES.filter((t) => t.wordings.length < 5)).toEqual([]);
  });

  it('have wordings of training’s own that are no held-out wording, and ask with the same slots', () => {
    const plain = (text: string) => text.toLowerCase().replace(/[^a-z{} ]/g, '').replace(/\s+/g, ' ').trim();
    const slots = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([slot]) => slot).sort().join(' ');
    const all = [...TEMPLATES, ...EGO_TEMPLATES];
    expect(Object.keys(TRAINING_WORDINGS).sort()).toEqual(all.map(({ id }) => id).sort());
    for (const { id, wordings } of all) {
      const known = new Set(wordings.map(plain));
      for (const text of TRAINING_WORDINGS[id]!) {
        expect(known).not.toContain(plain(text));
        known.add(plain(text));
        expect(slots(text)).toBe(slots(wordings[0]!));
      }
    }
  });

  it('use only words of the vocabulary, with every slot filled', () => {
    const words = new Set(vocabulary());
    const unknown = new Set<string>();
    for (const { q } of [...all(train), ...all(test)]) {
      expect(q.question).not.toMatch(/[{}]|undefined/);
      for (const w of wordsOf(`${q.question} ${q.answer}`)) if (!words.has(w)) unknown.add(w);
    }
    expect([...unknown]).toEqual([]);
    for (const colours of Object.values(COLOURS_OF)) for (const colour of colours) expect(words.has(colour)).toBe(true);
  });

  it('ask about minutes ago in long clips, within bounded time', () => {
    const clips = [...streamClips({ seed: 4, split: 'test', clips: 2, footage: ['moving', 'cuts'], minSec: 900, maxSec: 900, questions: 30 })];
    const long = clips.flatMap((c) => c.questions).filter((q) => q.template.startsWith('lm-minutes'));
    expect(long.length).toBeGreaterThan(2);
    for (const q of long) expect(q.timeSec - q.evidence[0]![1]).toBeGreaterThan(40);
    expect(clips.map((c) => c.questions.length)).toEqual([30, 30]);
  });

  it('stay the same when a suite is made again, and when it grows', () => {
    const strip = (clips: Iterable<StreamClip>) => [...clips].map((c) => JSON.stringify(c.questions));
    const short = strip(streamClips({ seed: 7, split: 'test', clips: 3 }));
    expect(strip(streamClips({ seed: 7, split: 'test', clips: 5 })).slice(0, 3)).toEqual(short);
  });
});

describe('dense supervision', () => {
  const world = createWorld({ seed: 12, split: 'train', footage: 'fixed', durationSec: 60, activities: 'many', heldOut: false });

  it('asks hundreds of questions about one clip, each with the frames that carry its evidence', () => {
    const questions = [...superviseQuestions(new Viewing(world), 2, createBalance(), createRandom(1), { perTime: 6 })];
    expect(questions.length).toBeGreaterThan(150);
    expect(new Set(questions.map((q) => q.class)).size).toBe(6);
    for (const [i, q] of questions.entries()) {
      if (i > 0) expect(q.timeSec).toBeGreaterThanOrEqual(questions[i - 1]!.timeSec);
      expect(q.evidenceTimesSec.length).toBeGreaterThan(0);
      for (const t of q.evidenceTimesSec) expect(t * 2).toBeCloseTo(Math.round(t * 2), 9);
      expect(q.evidenceTimesSec.at(-1)).toBeLessThanOrEqual(q.timeSec);
      if (q.class === 'CI') expect(q.history.length).toBe(1);
    }
  });

  it('lists objects with boxes in shares of the picture', () => {
    const { objects, place } = superviseFrame(world, 20);
    expect(place).toBe(world.scenes[0]!.kind);
    expect(objects.length).toBeGreaterThan(2);
    for (const { box: [x, y, width, height] } of objects) {
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(Math.max(x + width, y + height)).toBeLessThanOrEqual(1.001);
    }
  });
});
