// The data worker: makes clips ahead of the trainer, keeps them on disk, and gives out stretches of them as token ids.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ModelError, UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { Transfer, serveWorker } from '../runtime/worker.ts';
import { decodePictures, decodeTruth, encodePictures, encodeTruth, toPatches } from './clip-file.ts';
import type { StoredClip } from './clip-file.ts';
import type { SpokenLimits } from './dialogue.ts';
import type { ClipTokeniser, Selection, Window } from './prompt.ts';
import type { Thinning } from './thinning.ts';
import { createClipTokeniser, openTrainingPrompt } from './prompt.ts';
import { removeParts, writeWhole } from '../core/write-whole.ts';
import type { ClipMaker, OpenClipMaker } from './samples.ts';
import type { ClipSample } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';

export interface OpenClips {
  /** URL of a module whose default export is an `OpenClipMaker`. */
  readonly maker: string;
  readonly makerOptions: unknown;
  readonly config: VlmConfig;
  /** Where made clips are kept, in `pictures/` and `truth/`. One set of clips, one folder. */
  readonly cacheFolder: string;
  /** Tokenizer and chat template. */
  readonly promptFolder: string;
}

/** Stretches of one clip. */
export interface ClipRequest {
  readonly index: number;
  /** Lengths wanted; where each begins is drawn. */
  readonly windows: readonly Window[];
  readonly selection: Selection;
  readonly spoken: SpokenLimits;
  readonly thinning?: Thinning | undefined;
  /** Decides the stretches, the order of questions, and which are spoken. */
  readonly seed: string;
}

export interface ClipService {
  open: { argument: OpenClips; emits: never; result: undefined };
  /** Makes a clip that is not on disk. */
  make: { argument: number; emits: never; result: undefined };
  clip: { argument: ClipRequest; emits: never; result: readonly ClipSample[] };
}

/** Bytes of clips that are kept in memory. */
const rememberedBytes = 2 ** 31;

let opened: { readonly maker: ClipMaker; readonly tokenise: ClipTokeniser; readonly options: OpenClips } | undefined;
/** Clips are made one at a time: two requests for one clip must not make it twice. */
let making: Promise<unknown> = Promise.resolve();
/** Least recently used first. */
const remembered = new Map<number, StoredClip>();
let bytesRemembered = 0;

serveWorker<ClipService>({
  async open(options) {
    const module = (await import(options.maker)) as { default?: OpenClipMaker };
    if (!module.default) throw new UserError('CLIP_MAKER', { what: `${options.maker} exports no default`, expected: 'a function that opens a clip maker' });
    for (const part of ['pictures', 'truth']) {
      const folder = path.join(options.cacheFolder, part);
      await mkdir(folder, { recursive: true });
      await removeParts(folder, 3_600_000);
    }
    opened = { maker: await module.default(options.config, options.makerOptions), tokenise: createClipTokeniser(await openTrainingPrompt(options.promptFolder, options.config), options.config), options };
    return undefined;
  },
  async make(index) {
    await inTurn(index);
    return undefined;
  },
  async clip({ index, windows, selection, spoken, thinning, seed }) {
    const clip = await inTurn(index);
    const random = createRandom(`${seed} ${index}`);
    const samples = windows.map((window) => {
      const sample = opened!.tokenise(clip, window, selection, spoken, random, thinning);
      // A window shares its memory with the clip: give out a copy of its own.
      return { ...sample, patches: new Uint8Array(sample.patches) };
    });
    return new Transfer(samples, samples.map(({ patches }) => patches.buffer));
  },
});

function inTurn(index: number): Promise<StoredClip> {
  const task = making.then(() => clipOf(index));
  making = task.catch(() => undefined);
  return task;
}

async function clipOf(index: number): Promise<StoredClip> {
  if (!opened) throw new UserError('CLIPS_CLOSED', { what: 'a clip was asked for before the set was opened' });
  const known = remembered.get(index);
  if (known) {
    remembered.delete(index);
    remembered.set(index, known);
    return known;
  }
  const { maker, options } = opened;
  const pictures = await kept('pictures', index, decodePictures, encodePictures, async () => toPatches(await maker.pictures(index), options.config));
  const truth = await kept('truth', index, decodeTruth, encodeTruth, async () => maker.truth(index));
  const clip = { ...pictures, ...truth };
  remembered.set(index, clip);
  bytesRemembered += bytesOf(clip);
  for (const [oldest, old] of remembered) {
    if (bytesRemembered <= rememberedBytes || oldest === index) break;
    remembered.delete(oldest);
    bytesRemembered -= bytesOf(old);
  }
  return clip;
}

const bytesOf = ({ patches, auxiliary }: StoredClip) => patches.length + (auxiliary ? 2 * auxiliary.targets.byteLength : 0);

/** From its file, or made and written to it. */
async function kept<T>(part: string, index: number, decode: (bytes: Uint8Array, file: string) => T, encode: (value: T) => Uint8Array, make: () => Promise<T>): Promise<T> {
  const file = path.join(opened!.options.cacheFolder, part, `${String(index).padStart(7, '0')}.clip`);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes) {
    try {
      return decode(bytes, file);
    } catch (error) {
      // A file that a kill cut short is made again.
      if (!(error instanceof ModelError)) throw error;
    }
  }
  const value = await make();
  await writeWhole(file, [encode(value)]);
  return value;
}
