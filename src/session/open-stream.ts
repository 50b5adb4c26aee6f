// openStream: a source, a model and a memory become a session.
import { z } from 'zod';
import { throwIfAborted } from '../core/abort.ts';
import { UserError } from '../core/errors.ts';
import { methodNamed } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import { memoryMethods } from '../memory/stage.ts';
import type { Source, SourceOptions } from '../source/contract.ts';
import { openSource, type SourceInput } from '../source/open-source.ts';
import type { SessionEvent } from './contract.ts';
import { openModel, type Model, type ModelOptions } from './model.ts';
import { createSession, type Session } from './session.ts';
import { visionMethods } from '../vision/stage.ts';

const streamOptions = z.strictObject({
  /** Name of a memory method; see `thalweg methods`. */
  memory: z.string().min(1).default('fifo'),
  /** The method's own options, such as `{ frames: 32 }` for fifo. */
  memoryOptions: z.record(z.string(), z.unknown()).default({}),
  /** Hard cap on the bytes of the stream's memory, in MiB. */
  memoryMiB: z.number().positive().max(2 ** 20).default(1024),
  /** Name of a vision method: which patches are computed anew. */
  vision: z.string().min(1).default('all'),
  visionOptions: z.record(z.string(), z.unknown()).default({}),
  /** @internal Name under which streams that see the same frames one after the other share what the encoder makes of them. */
  share: z.string().optional(),
  /** `auto` watches as the source gives; `manual` watches when `advanceTo` is called. */
  drive: z.enum(['auto', 'manual']).default('auto'),
});

/** What to watch, with which model, and how the past is kept. */
export interface StreamOptions extends z.input<typeof streamOptions> {
  /** What to watch: an address, bytes, a readable stream or frames, as `openSource` takes them, or a source that is open. */
  readonly source: SourceInput | Source;
  /** Options of the source, unless it is open already: sampling (one frame a second by default), pacing, queueing. */
  readonly sourceOptions?: SourceOptions;
  /** A loaded model (it stays loaded), or how to load one (it goes with the session). */
  readonly model: Model | string | ModelOptions;
  readonly onEvent?: (event: SessionEvent) => void;
  /** Ends the opening, or stops watching, when it fires; questions under way are still answered. */
  readonly signal?: AbortSignal;
}

/**
 * Starts to watch a stream. Options and source are checked before a model is loaded.
 * @throws UserError for wrong options, ModelError and MediaError when the model or the source cannot be opened, CapacityError when the memory
 * cannot hold even what the method protects; the reason of `signal` when it fires meanwhile
 */
export async function openStream({ source: given, sourceOptions, model: wanted, onEvent, signal, ...rest }: StreamOptions): Promise<Session> {
  const { drive, ...stages } = parseOptions(streamOptions, rest, 'openStream');
  if ((typeof wanted !== 'string' && typeof wanted !== 'object') || !wanted) throw new UserError('NO_MODEL_GIVEN', { what: 'openStream needs a model', got: typeof wanted, expected: 'a name, options of openModel, or a loaded model' });
  if ((typeof given !== 'string' && typeof given !== 'object') || !given) throw new UserError('NO_SOURCE_GIVEN', { what: 'openStream needs a source', got: typeof given, expected: 'an address, bytes, a readable stream, frames or an open source' });
  throwIfAborted(signal);
  const memory = methodNamed(await memoryMethods(), 'memory', stages.memory);
  parseOptions(memory.options, stages.memoryOptions, `memory method ${stages.memory}`);
  const vision = methodNamed(await visionMethods(), 'vision', stages.vision);
  parseOptions(vision.options, stages.visionOptions, `vision method ${stages.vision}`);

  const open = () => (isOpen(given) ? Promise.resolve(given) : openSource(given, { fps: 1, ...sourceOptions, ...(signal && { signal }) }));
  const loaded = typeof wanted === 'object' && 'engine' in wanted ? wanted : undefined;
  await using opened = new AsyncDisposableStack();
  let source = await open();
  // A camera does not wait for a model to load: it is left, and opened again when the model is there.
  if (!loaded && source.info.live && typeof given === 'string') {
    await source.close();
    const model = await load(wanted, signal);
    opened.use(model);
    source = await open();
    return await start(model);
  }
  opened.defer(() => source.close());
  return await start(loaded ?? opened.use(await load(wanted, signal)));

  async function start(model: Model): Promise<Session> {
    const stream = await model.engine.call('open', stages);
    const session = createSession({ model, source, stream, memoryName: stages.memory, drive, onEvent, ownsModel: !loaded });
    opened.move(); // From here on the session owns them.
    const onAbort = () => void session.stop();
    signal?.addEventListener('abort', onAbort, { once: true });
    session.ended.catch(() => undefined).finally(() => signal?.removeEventListener('abort', onAbort)).catch(() => undefined);
    return session;
  }
}

function load(wanted: string | Model | ModelOptions, signal: AbortSignal | undefined): Promise<Model> {
  const options = typeof wanted === 'string' ? { model: wanted } : (wanted as ModelOptions);
  return openModel({ ...options, ...(signal && !options.signal && { signal }) });
}

function isOpen(source: SourceInput | Source): source is Source {
  return typeof source === 'object' && 'info' in source && 'stats' in source;
}
