// Asks about a clip: the breakpoints of a stream with its dialogue, or hundreds of separate questions for training.
import type { Random } from '../../core/random.ts';
import type { Balance, Candidate } from './balance.ts';
import { CONVERSATION } from './conversation.ts';
import { KNOWLEDGE } from './knowledge.ts';
import { LONG_MEMORY } from './long-memory.ts';
import { OBJECT_SEARCH } from './object-search.ts';
import { word } from './question.ts';
import type { WorldQuestion } from './question.ts';
import { SHORT_MEMORY } from './short-memory.ts';
import { SIMPLE_FACTS } from './simple-facts.ts';
import type { QuestionClass, Template, Turn } from './template.ts';
import { LOOK_SEC } from './viewing.ts';
import type { Viewing } from './viewing.ts';

/** Templates that need no dialogue. */
export const STANDALONE: readonly Template[] = [...SIMPLE_FACTS, ...OBJECT_SEARCH, ...SHORT_MEMORY, ...LONG_MEMORY, ...KNOWLEDGE];
/** All templates of the stream questions. */
export const TEMPLATES: readonly Template[] = [...STANDALONE, ...CONVERSATION];

/** Nothing is asked before a viewer has seen this much. */
const FIRST_SEC = 2.5;
/** Pause between two questions of one dialogue. */
const PAUSE_SEC = 1.5;

/** All that could be asked at one time without a dialogue. */
export function candidatesAt(viewing: Viewing, timeSec: number, templates: readonly Template[] = STANDALONE, dialogue: readonly Turn[] = []): Candidate[] {
  return templates.flatMap((template) => template.find(viewing, timeSec, dialogue).map((draft) => ({ timeSec, template, draft })));
}

function best(candidates: readonly Candidate[], balance: Balance, random: Random): Candidate | null {
  let chosen: Candidate | null = null;
  let lowest = Infinity;
  for (const candidate of candidates) {
    if (!balance.admits(candidate)) continue;
    // Held-out activities are few: where there is one, it is asked about.
    const rare = candidate.draft.events?.some((event) => event.heldOut) === true ? 2 : 0;
    const rank = balance.rank(candidate) + random.next() * 0.3 - rare;
    if (rank < lowest) {
      lowest = rank;
      chosen = candidate;
    }
  }
  return chosen;
}

function sameQuestion(candidate: Candidate): string {
  return `${candidate.template.id} ${Object.values(candidate.draft.slots).join(' ')} ${candidate.draft.answer}`;
}

function lastLook(viewing: Viewing): number {
  return Math.floor((viewing.world.durationSec - LOOK_SEC) / LOOK_SEC) * LOOK_SEC;
}

/** Times worth a look: spread at random, and shortly after events. */
function timesFor(viewing: Viewing, count: number, random: Random): number[] {
  const end = lastLook(viewing);
  const times = new Set<number>();
  const snap = (t: number) => Math.round(t / LOOK_SEC) * LOOK_SEC;
  const add = (t: number) => {
    if (t >= FIRST_SEC && t <= end) times.add(snap(t));
  };
  for (let i = 0; i < count * 2; i++) add(FIRST_SEC + random.next() * (end - FIRST_SEC));
  const events = viewing.world.events.filter((e) => viewing.witnessed(e));
  for (const event of random.shuffle(events).slice(0, count)) add(event.endSec + 1 + random.next() * 2.5);
  for (const event of random.shuffle(events).slice(0, count)) add((event.startSec + event.endSec) / 2 + 0.5);
  return [...times].sort((a, b) => a - b);
}

/**
 * The questions of one stream in time order: classes evenly, answers balanced by `balance`, follow-ups after what they refer to.
 * @param count how many to ask; fewer come back where the clip does not offer so many
 */
export function askStream(viewing: Viewing, count: number, balance: Balance, random: Random): WorldQuestion[] {
  const pool = timesFor(viewing, count, random).flatMap((t) => candidatesAt(viewing, t));
  const questions: WorldQuestion[] = [];
  const used = new Set<string>();
  const followUps = Math.round(count / 6);
  const room = (t: number) => questions.every((q) => Math.abs(q.timeSec - t) >= PAUSE_SEC);
  while (questions.length < count - followUps) {
    const open = pool.filter((c) => room(c.timeSec) && !used.has(sameQuestion(c)) && balance.admits(c));
    if (open.length === 0) break;
    const classes = [...new Set(open.map((c) => c.template.class))].sort((a, b) => balance.classCount(a) - balance.classCount(b));
    const chosen = best(open.filter((c) => c.template.class === classes[0]), balance, random);
    if (chosen === null) break;
    balance.add(chosen);
    used.add(sameQuestion(chosen));
    questions.push(word(viewing.world, chosen, random));
  }
  questions.sort((a, b) => a.timeSec - b.timeSec);
  addFollowUps(viewing, questions, followUps, balance, random);
  return questions;
}

/** Puts questions that refer to the dialogue between those that are there. */
function addFollowUps(viewing: Viewing, questions: WorldQuestion[], count: number, balance: Balance, random: Random): void {
  const end = lastLook(viewing);
  for (let added = 0; added < count; added++) {
    const options: Candidate[] = [];
    for (const [i, question] of questions.entries()) {
      const until = Math.min(end, (questions[i + 1]?.timeSec ?? Infinity) - PAUSE_SEC, question.timeSec + 10);
      for (let t = question.timeSec + PAUSE_SEC; t <= until; t += 1) options.push(...candidatesAt(viewing, t, CONVERSATION, questions.slice(0, i + 1)));
    }
    const chosen = best(options, balance, random);
    if (chosen === null) return;
    balance.add(chosen);
    const before = questions.filter((q) => q.timeSec < chosen.timeSec);
    questions.splice(before.length, 0, word(viewing.world, chosen, random, before.slice(-1).map(turnOf)));
    // A follow-up must not come between another one and what that refers to: `until` above sees to it.
  }
}

function turnOf({ timeSec, question, answer, template, subjects }: Turn): Turn {
  return { timeSec, question, answer, template, subjects };
}

export interface DenseOptions {
  /** Seconds between the times at which questions are asked; default 1. */
  readonly everySec?: number;
  /** Questions at each time; default 4. */
  readonly perTime?: number;
  readonly startSec?: number;
  readonly endSec?: number;
}

/** Many questions for training, each by itself or with the one turn before that it refers to; in time order. */
export function* askDensely(viewing: Viewing, balance: Balance, random: Random, options: DenseOptions = {}): Generator<WorldQuestion> {
  const { everySec = 1, perTime = 4, startSec = FIRST_SEC, endSec = Infinity } = options;
  const end = Math.min(endSec, lastLook(viewing));
  const recent: WorldQuestion[] = [];
  for (let time = startSec; time <= end; time += everySec) {
    const timeSec = Math.round(time / LOOK_SEC) * LOOK_SEC;
    let open = candidatesAt(viewing, timeSec);
    const classes = new Map<QuestionClass, number>();
    for (let n = 0; n < perTime; n++) {
      const dialogue = recent.filter((q) => q.timeSec <= timeSec - PAUSE_SEC && q.timeSec >= timeSec - 8);
      const before = dialogue.length === 0 ? null : random.pick(dialogue);
      const followUp = before !== null && n === perTime - 1;
      const from = followUp ? candidatesAt(viewing, timeSec, CONVERSATION, [before]) : open.filter((c) => (classes.get(c.template.class) ?? 0) <= n / 3);
      const chosen = best(from, balance, random);
      if (chosen === null) continue;
      balance.add(chosen);
      classes.set(chosen.template.class, (classes.get(chosen.template.class) ?? 0) + 1);
      const key = sameQuestion(chosen);
      open = open.filter((c) => sameQuestion(c) !== key);
      const question = word(viewing.world, chosen, random, followUp ? [turnOf(before)] : []);
      if (!followUp) recent.push(question);
      if (recent.length > 24) recent.shift();
      yield question;
    }
  }
}
