// The data worker: makes clips ahead of the trainer, keeps them on disk, and gives them out as token ids.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ModelError, UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { Transfer, serveWorker } from '../runtime/worker.ts';
import { decodeClip, encodeClip, toStored } from './clip-file.ts';
import type { StoredClip } from './clip-file.ts';
import type { ClipTokeniser, SpokenLimits, Window } from './prompt.ts';
import { createClipTokeniser, openTrainingPrompt } from './prompt.ts';
import { removeParts, writeWhole } from './safetensors-writer.ts';
import type { ClipMaker, OpenClipMaker } from './samples.ts';
import type { ClipSample } from './vlm-batch.ts';
import type { VlmConfig } from './vlm-config.ts';

export interface OpenClips {
  /** URL of a module whose default export is an `OpenClipMaker`. */
  readonly maker: string;
  readonly makerOptions: unknown;
  readonly config: VlmConfig;
  /** Where made clips are kept. One set of clips, one folder. */
  readonly cacheFolder: string;
  /** Tokenizer and chat template. */
  readonly promptFolder: string;
}

export interface ClipRequest {
  readonly index: number;
  readonly window: Window;
  readonly spoken: SpokenLimits;
  /** Decides the order of questions, and which are spoken. */
  readonly seed: string;
}

export interface ClipService {
  open: { argument: OpenClips; emits: never; result: undefined };
  clip: { argument: ClipRequest; emits: never; result: ClipSample };
}

let opened: { readonly maker: ClipMaker; readonly tokenise: ClipTokeniser; readonly options: OpenClips } | undefined;
/** Clips are made one at a time: two requests for one clip must not make it twice. */
let making: Promise<unknown> = Promise.resolve();

serveWorker<ClipService>({
  async open(options) {
    const module = (await import(options.maker)) as { default?: OpenClipMaker };
    if (!module.default) throw new UserError('CLIP_MAKER', { what: `${options.maker} exports no default`, expected: 'a function that opens a clip maker' });
    await mkdir(options.cacheFolder, { recursive: true });
    await removeParts(options.cacheFolder, 3_600_000);
    opened = { maker: await module.default(options.config, options.makerOptions), tokenise: createClipTokeniser(await openTrainingPrompt(options.promptFolder, options.config), options.config), options };
    return undefined;
  },
  async clip({ index, window, spoken, seed }) {
    if (!opened) throw new UserError('CLIPS_CLOSED', { what: 'a clip was asked for before the set was opened' });
    const { tokenise } = opened;
    const task = making.then(() => clipOf(index));
    making = task.catch(() => undefined);
    const clip = await task;
    const sample = tokenise(clip, window, spoken, createRandom(`${seed} ${index}`));
    // A window of the whole clip shares its memory with the others: give out a copy of its own.
    const patches = new Uint8Array(sample.patches);
    return new Transfer({ ...sample, patches }, [patches.buffer]);
  },
});

async function clipOf(index: number): Promise<StoredClip> {
  const { maker, options } = opened!;
  const file = path.join(options.cacheFolder, `${String(index).padStart(7, '0')}.clip`);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes) {
    try {
      return decodeClip(bytes, file);
    } catch (error) {
      // A clip that a kill cut short is made again.
      if (!(error instanceof ModelError)) throw error;
    }
  }
  const clip = toStored(await maker.make(index), options.config);
  await writeWhole(file, [encodeClip(clip)]);
  return clip;
}
