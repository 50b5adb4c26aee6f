// What the built-in model is taught about a clip of the synthetic world: questions of the suites in their protocols' words, and accounts of what is there and what happened.
import type { Random } from '../core/random.ts';
import { captionsOf } from '../world/captions.ts';
import { captionPrompt, choicePrompt, streamPrompt } from '../world/protocol-prompts.ts';
import { askDensely } from '../world/questions/ask.ts';
import type { Balance } from '../world/questions/balance.ts';
import { clauseOf } from '../world/questions/clause.ts';
import { askEgo } from '../world/questions/ego.ts';
import type { WorldQuestion } from '../world/questions/question.ts';
import { DOING } from '../world/questions/simple-facts.ts';
import { NUMBERS } from '../world/questions/template.ts';
import { Viewing } from '../world/questions/viewing.ts';
import { VIEW_WIDTH } from '../world/scene/layout.ts';
import type { Seen, World } from '../world/world.ts';
import type { TextThread, TextTurn } from './samples.ts';
import { inSquare } from './world-tokens.ts';

/** Requests that dense accounts answer: every word of theirs is learned from, where a question's answer is one word. */
const accounts = {
  now: ['List what is in the picture.', 'What do you see now?', 'Name everything in view.'],
  squares: ['Name what is in each square.', 'Go through the squares one by one.'],
  /** Of one event, and of several. */
  past: ['What was the last event?', 'Tell the last thing that happened.', 'List the last event.'],
  pasts: ['What were the last {count} events?', 'Tell the last {count} things that happened.', 'List the last {count} events in order.'],
} as const;

/** An account of so many tokens counts as one question of so many answers. */
const accountWeight = 4;
/** Most events that an account of the past tells. */
const eventsTold = 5;
/** Things that an account of the present names. */
const thingsNamed = 8;

/** Answers that came up so far, by template: wrong options are drawn from them. */
export type OptionPools = Map<string, Set<string>>;
export const createOptionPools = (): OptionPools => new Map();

export interface LessonOptions {
  readonly balance: Balance;
  readonly pools: OptionPools;
  readonly questionsPerTime: number;
  /** Squares across the picture, one a visual token. */
  readonly tokenColumns: number;
}

/**
 * Square by square, row by row: visual tokens in their order. The word for what a token shows is learned here first, before it has to be searched for.
 * "empty, brown door, yellow person blue hat walking and red bag, …"
 */
export function accountOfSquares(world: World, timeSec: number, tokenColumns: number): string {
  const { objects } = world.observe(timeSec);
  return Array.from({ length: tokenColumns ** 2 }, (_, token) => {
    const plain = inSquare(objects, token, tokenColumns).toSorted((a, b) => b.area - a.area).slice(0, 2);
    return plain.length === 0 ? 'empty' : plain.map(({ seen }) => nameOf(world, seen)).join(' and ');
  }).join(', ');
}

/** "yellow person blue hat walking", "brown door closed", "red car". */
function nameOf(world: World, { id, kind, colour, pose, value }: Seen): string {
  if (kind === 'lamp') return `lamp ${value > 0.5 ? 'on' : 'off'}`;
  if (kind === 'door') return `${colour} door ${value > 0.5 ? 'open' : 'closed'}`;
  if (kind !== 'person') return `${colour} ${kind}`;
  const { hat } = world.actor(id).look;
  return [colour, 'person', ...(hat ? [hat, 'hat'] : []), DOING[pose] ?? pose].join(' ');
}

/** Where the middle of a thing is. */
function sideOf(box: Seen['box']): string {
  const x = (box[0] + box[2] / 2) / VIEW_WIDTH;
  return x < 1 / 3 ? 'left' : x > 2 / 3 ? 'right' : 'middle';
}

/** "yellow person blue hat walking left, brown door closed right": from left to right. */
export function accountOfNow(world: World, timeSec: number): string {
  const { objects } = world.observe(timeSec);
  const plain = objects.filter(({ visible }) => visible >= 0.4).toSorted((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3]).slice(0, thingsNamed);
  const held = (id: string) => objects.find((other) => other.holder === id && (other.kind === 'bag' || other.kind === 'box'));
  const parts = plain.toSorted((a, b) => a.box[0] + a.box[2] / 2 - b.box[0] - b.box[2] / 2).map((seen) => {
    const thing = seen.kind === 'person' ? held(seen.id) : undefined;
    return [nameOf(world, seen), sideOf(seen.box), ...(thing ? ['holding', thing.kind] : [])].join(' ');
  });
  return [world.scenes[world.observe(timeSec).scene]!.kind, ...parts].join(', ');
}

/** A question whose evidence is the last second can be answered from the picture at that time. */
function evidenceStart(question: WorldQuestion): number {
  const first = Math.min(...question.evidence.map(([from]) => from), question.timeSec);
  return first >= question.timeSec - 1.05 ? question.timeSec : first;
}

function streamThread(question: WorldQuestion, { pools }: LessonOptions, random: Random): TextThread {
  const pool = pools.get(question.template) ?? new Set();
  pools.set(question.template, pool.add(question.answer));
  const wrong = [...pool].filter((answer) => answer !== question.answer);
  const asked = { timeSec: question.timeSec, label: question.class, evidenceSec: evidenceStart(question), evidence: { spansSec: question.evidence, subjects: question.subjects } };
  // Of a choice the option's text is taught, which the protocols' parsers read as they read its letter: text is answered as the same question without options would be,
  // where a letter takes one more step that this size does not learn.
  const form = random.next();
  if (question.history.length === 0 && wrong.length >= 4 && form < 0.08) {
    const options = random.shuffle([question.answer, ...random.shuffle(wrong).slice(0, 4)]);
    return [{ ...asked, question: choicePrompt(question.question, options), answer: question.answer, label: 'choice' }];
  }
  const text = form > 0.75 ? streamPrompt(question.question) : question.question;
  const before = question.history.map((turn): TextTurn => ({ timeSec: turn.timeSec, question: turn.question, answer: turn.answer, label: 'history', evidenceSec: turn.timeSec }));
  return [...before, { ...asked, question: text, answer: question.answer }];
}

function accountsOf(viewing: Viewing, timesSec: readonly number[], tokenColumns: number, random: Random): TextThread[] {
  const { world } = viewing;
  const witnessed = world.events.filter((event) => event.kind !== 'stop' && viewing.witnessed(event)).toSorted((a, b) => a.endSec - b.endSec);
  return timesSec.flatMap((timeSec): TextThread[] => {
    const turn = (label: 'now' | 'squares' | 'past', question: string, answer: string, evidenceSec: number): TextThread => [{ timeSec, question, answer, label, evidenceSec, weight: accountWeight }];
    const threads = [turn('now', random.pick(accounts.now), accountOfNow(world, timeSec), timeSec), turn('squares', random.pick(accounts.squares), accountOfSquares(world, timeSec, tokenColumns), timeSec)];
    const over = witnessed.filter((event) => event.endSec <= timeSec);
    const count = Math.min(over.length, random.int(1, eventsTold + 1));
    if (count > 0) {
      const told = over.slice(-count);
      const question = random.pick(accounts[count === 1 ? 'past' : 'pasts']).replace('{count}', NUMBERS[count]!);
      threads.push(turn('past', question, told.map((event) => clauseOf(world, event)).join(', '), Math.min(...told.map((event) => event.startSec))));
    }
    return threads;
  });
}

/** All threads of a clip, in no particular order. */
export function lessonsOf(kind: 'stream' | 'ego' | 'caption', world: World, timesSec: readonly number[], options: LessonOptions, random: Random): readonly TextThread[] {
  const viewing = new Viewing(world);
  const lastSec = timesSec.at(-1)!;
  const threads: TextThread[] = accountsOf(viewing, timesSec, options.tokenColumns, random);
  if (kind === 'stream') {
    const asked = askDensely(viewing, options.balance, random, { everySec: 0.5, perTime: options.questionsPerTime });
    for (const question of asked) threads.push(streamThread(question, options, random));
  }
  if (kind !== 'caption') {
    // About the whole clip, which need not be a walk; drawn again and again: other options, other things asked about.
    for (let round = 0; round < 8; round++) {
      for (const { question, options: choices, correct, evidence, subjects } of askEgo(viewing, 7, random)) {
        threads.push([{ timeSec: lastSec, question: choicePrompt(question, choices), answer: choices[correct]!, label: 'ego', evidenceSec: 0, evidence: { spansSec: evidence, subjects }, weight: 2 }]);
      }
    }
  }
  if (kind === 'caption') {
    for (const caption of captionsOf(viewing, random)) threads.push([{ timeSec: lastSec, question: captionPrompt, answer: caption, label: 'caption', evidenceSec: 0, weight: 2 }]);
  }
  return threads;
}
