// openStream: a source, a model and a memory become a session.
import { z } from 'zod';
import { parseOptions } from '../core/options.ts';
import type { Source, SourceOptions } from '../source/contract.ts';
import { openSource, type SourceInput } from '../source/open-source.ts';
import type { SessionEvent } from './contract.ts';
import { openModel, type Model, type ModelOptions } from './model.ts';
import { createSession, type Session } from './session.ts';

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
  /** Stops watching when it fires. */
  readonly signal?: AbortSignal;
}

/**
 * Starts to watch a stream.
 * @throws UserError for wrong options, ModelError and MediaError when the model or the source cannot be opened, CapacityError when the memory
 * cannot hold even what the method protects
 */
export async function openStream({ source: given, sourceOptions, model: wanted, onEvent, signal, ...rest }: StreamOptions): Promise<Session> {
  const options = parseOptions(streamOptions, rest, 'openStream');
  signal?.throwIfAborted();
  const ownsModel = typeof wanted === 'string' || !('engine' in wanted);
  const model = typeof wanted === 'string' ? await openModel({ model: wanted }) : 'engine' in wanted ? wanted : await openModel(wanted);
  let stream: number | undefined;
  try {
    stream = await model.engine.call('open', { memory: options.memory, memoryOptions: options.memoryOptions, memoryMiB: options.memoryMiB, vision: options.vision, visionOptions: options.visionOptions });
    const source = isOpen(given) ? given : await openSource(given, { fps: 1, ...sourceOptions, ...(signal && { signal }) });
    const session = createSession({ model, source, stream, memoryName: options.memory, drive: options.drive, onEvent, ownsModel });
    signal?.addEventListener('abort', () => void session.stop(), { once: true });
    return session;
  } catch (error) {
    if (ownsModel) await model[Symbol.asyncDispose]();
    else if (stream !== undefined) await model.engine.call('close', stream);
    throw error;
  }
}

function isOpen(source: SourceInput | Source): source is Source {
  return typeof source === 'object' && 'info' in source && 'stats' in source;
}
