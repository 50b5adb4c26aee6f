// Suites of clips with their questions or captions: plain values, nothing drawn yet.
import { createRandom } from '../core/random.ts';
import type { Random } from '../core/random.ts';
import { UserError } from '../core/errors.ts';
import { captionsOf } from './captions.ts';
import { askStream } from './questions/ask.ts';
import { createBalance } from './questions/balance.ts';
import { askEgo } from './questions/ego.ts';
import type { EgoQuestion } from './questions/ego.ts';
import type { WorldQuestion } from './questions/question.ts';
import { Viewing } from './questions/viewing.ts';
import type { Footage, Split, WorldSpec } from './types.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

export interface SuiteOptions {
  readonly seed: number;
  readonly split: Split;
  readonly clips: number;
  /** Share of test clips in which held-out colours and activities are frequent; default 0.3, none in training. */
  readonly heldOutShare?: number;
}

export interface StreamSuiteOptions extends SuiteOptions {
  /** Kinds of footage, taken in turn; default fixed, moving, cuts. */
  readonly footage?: readonly Footage[];
  /** Range of lengths; default 20–60 s. Up to hours for memory tests. */
  readonly minSec?: number;
  readonly maxSec?: number;
  /** Questions a clip; default one every 4 s, at most 12 for a minute and two a minute beyond that. */
  readonly questions?: number;
}

/** One clip of a suite. */
export interface Clip {
  /** Also the name of its files. */
  readonly id: string;
  readonly world: World;
}
export interface StreamClip extends Clip {
  readonly questions: readonly WorldQuestion[];
}
export interface CaptionClip extends Clip {
  readonly captions: readonly string[];
}
export interface EgoClip extends Clip {
  /** Id of the clip that several questions share; default: its own. */
  readonly video?: string;
  readonly question: EgoQuestion;
}

interface Drawn {
  readonly id: string;
  readonly spec: WorldSpec;
  readonly random: Random;
}

/** Seeds, footage and lengths of a suite's clips. Each clip has a stream of random numbers of its own: more clips leave the first ones as they are. */
function* draw(name: string, options: SuiteOptions, footage: readonly Footage[], activities: WorldSpec['activities'], minSec: number, maxSec: number): Generator<Drawn> {
  const { seed, split, clips, heldOutShare = split === 'test' ? 0.3 : 0 } = options;
  if (!Number.isInteger(clips) || clips < 1) throw new UserError('BAD_SUITE', { what: `cannot make suite ${name}`, got: `${clips} clips`, expected: 'a positive integer' });
  for (let i = 0; ; i++) {
    const random = createRandom(`${name} ${split} ${seed} clip ${i}`);
    const durationSec = Math.round(minSec + random.next() * (maxSec - minSec));
    const heldOut = random.next() < heldOutShare;
    const clipSeed = random.int(0, 2 ** 31);
    yield { id: `${name}-${split}-${seed}-${String(i).padStart(4, '0')}`, random, spec: { seed: clipSeed, split, footage: footage[i % footage.length]!, durationSec, activities, heldOut } };
  }
}

/** How many questions a clip of this length is asked. */
export function questionCount(durationSec: number): number {
  return durationSec <= 60 ? Math.max(4, Math.min(12, Math.round(durationSec / 4))) : Math.min(80, 12 + Math.round((durationSec - 60) / 30));
}

/** world-stream: clips with questions in mid-stream, answers balanced over the suite. */
export function* streamClips(options: StreamSuiteOptions): Generator<StreamClip> {
  const { footage = ['fixed', 'moving', 'cuts'], minSec = 20, maxSec = 60 } = options;
  const balance = createBalance();
  let made = 0;
  for (const { id, spec, random } of draw('world-stream', options, footage, 'many', minSec, maxSec)) {
    const world = createWorld(spec);
    const questions = askStream(new Viewing(world), options.questions ?? questionCount(spec.durationSec), balance, random);
    yield { id, world, questions };
    if (++made === options.clips) return;
  }
}

/** world-caption: short clips with one main activity and twenty captions. */
export function* captionClips(options: SuiteOptions): Generator<CaptionClip> {
  let made = 0;
  for (const { id, spec, random } of draw('world-caption', options, ['fixed', 'moving'], 'one', 8, 12)) {
    const world = createWorld(spec);
    yield { id, world, captions: captionsOf(new Viewing(world), random) };
    if (++made === options.clips) return;
  }
}

/** world-ego: walks of one to three minutes through several places, one question with five options each. */
export function* egoClips(options: SuiteOptions): Generator<EgoClip> {
  let made = 0;
  for (const { id, spec, random } of draw('world-ego', options, ['ego'], 'many', 60, 180)) {
    const world = createWorld(spec);
    const [question] = askEgo(new Viewing(world), 1, random);
    // A walk on which nothing can be asked is left out; the next one takes its place.
    if (question === undefined) continue;
    yield { id, world, question };
    if (++made === options.clips) return;
  }
}
