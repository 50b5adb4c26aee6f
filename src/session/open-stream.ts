// openStream: a source, a model and a memory become a session.
import { z } from 'zod';
import { throwIfAborted } from '../core/abort.ts';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { UserError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { parseOptions } from '../core/options.ts';
import type { Source, SourceOptions } from '../source/contract.ts';
import { parseAddress } from '../source/address.ts';
import { openSource, type SourceInput } from '../source/open-source.ts';
import { BudgetController } from './budget-controller.ts';
import type { SessionEvent } from './contract.ts';
import { openModel, type Model, type ModelOptions } from './model.ts';
import { checkChoice, chosenStages, defaultPreset, presetNamed, stageNames, type StageChoices, type StageName } from './presets.ts';
import { createSession, type Session } from './session.ts';
import { savedHead } from './saved-session.ts';
import { StreamClock } from './stream-clock.ts';

/** Latency of a stream that is kept up with, and seconds in which a backlog is worked off. */
const defaultLatencyMs = 1000;
const catchUpSec = 2;

const choice = z.string().min(1).optional();
const ownOptions = z.record(z.string(), z.unknown()).default({});

const streamOptions = z.strictObject({
  /** A preset, or the name of one method with none in the other stages; see `thalweg methods`. What follows overrides its parts. */
  method: z.string().min(1).default(defaultPreset),
  /** Name of a gate method: which frames are looked at. */
  gate: choice,
  gateOptions: ownOptions,
  /** Name of a vision method: which patches are computed anew. */
  vision: choice,
  visionOptions: ownOptions,
  /** Name of a memory method: what the past is kept as. */
  memory: choice,
  /** The method's own options, such as `{ frames: 32 }` for fifo. Without a name they are those of the preset's method. */
  memoryOptions: ownOptions,
  /** Hard cap on the bytes of the stream's memory, in MiB. */
  memoryMiB: z.number().positive().max(2 ** 20).default(1024),
  /**
   * Keep up with a stream that comes at its own pace, by computing less of it where time is short; files are played at their own speed. Default: for live
   * streams, where the preset says so.
   */
  realtime: z.boolean().optional(),
  /** The latest that a frame may be taken in after it came, and that an answer may begin after its question, in milliseconds. Default 1000 where a stream is kept up with. */
  maxLatencyMs: z.number().positive().max(3.6e6).optional(),
  /**
   * A file that keeps the session: it goes on from there where the file exists, and is saved to it every `saveEverySec` and when it is disposed of. Frames of a
   * live source follow by the clock, as late as they are; of any other, those up to the saved time are passed over.
   */
  sessionFile: z.string().min(1).optional(),
  /** Seconds of wall clock between savings. Each costs the next frame in full. */
  saveEverySec: z.number().positive().max(1e6).default(300),
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
  /**
   * Called with each frame before the model takes it, and waited for; its pixels go to the model then, so copy what is to stay. Reports of frames say
   * which patches and tokens they count (`explained`).
   */
  readonly onFrame?: (frame: Frame) => Promise<void> | void;
  /** Ends the opening, or stops watching, when it fires; questions under way are still answered. */
  readonly signal?: AbortSignal;
}

/**
 * Starts to watch a stream. Options and source are checked before a model is loaded.
 * @throws UserError for wrong options, ModelError and MediaError when the model or the source cannot be opened, CapacityError when the memory
 * cannot hold even what the method protects; the reason of `signal` when it fires meanwhile
 */
export async function openStream({ source: given, sourceOptions, model: wanted, onEvent, onFrame, signal, ...rest }: StreamOptions): Promise<Session> {
  const { drive, method, realtime, maxLatencyMs, memoryMiB, share, sessionFile, saveEverySec, ...parts } = parseOptions(streamOptions, rest, 'openStream');
  if ((typeof wanted !== 'string' && typeof wanted !== 'object') || !wanted) throw new UserError('NO_MODEL_GIVEN', { what: 'openStream needs a model', got: typeof wanted, expected: 'a name, options of openModel, or a loaded model' });
  if ((typeof given !== 'string' && typeof given !== 'object') || !given) throw new UserError('NO_SOURCE_GIVEN', { what: 'openStream needs a source', got: typeof given, expected: 'an address, bytes, a readable stream, frames or an open source' });
  throwIfAborted(signal);
  const preset = await presetNamed(method);
  const overrides = Object.fromEntries(stageNames.map((stage) => [stage, { method: parts[stage], options: parts[`${stage}Options`] }]));
  // What depends on the model's adapter is checked again when the model is there.
  await checkStages(chosenStages(preset, {}, overrides), parts.memory === undefined ? ['gate', 'vision'] : stageNames);

  const saved = sessionFile === undefined ? undefined : await savedHead(sessionFile);
  // Whether other sources have such a place is not known before they are open.
  const startSec = saved && typeof given === 'string' && parseAddress(given).kind === 'file' ? Math.max(saved.place.timeSec, 0) : undefined;
  const open = () => (isOpen(given) ? Promise.resolve(given) : openSource(given, { fps: 1, ...(startSec !== undefined && { startSec }), ...(realtime && { pace: 'realtime' }), ...sourceOptions, ...(signal && { signal }) }));
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
    const stages = chosenStages(preset, model.info, overrides);
    await checkStages(stages, ['memory']);
    const isPaced = realtime ?? (source.info.live || (!isOpen(given) && sourceOptions?.pace === 'realtime'));
    const keepsUp = realtime ?? (isPaced && preset.keepsUp);
    const isBudgeted = keepsUp || maxLatencyMs !== undefined;
    const stream = await model.engine.call('open', {
      gate: stages.gate.method,
      gateOptions: stages.gate.options,
      vision: stages.vision.method,
      visionOptions: stages.vision.options,
      memory: stages.memory.method,
      memoryOptions: stages.memory.options,
      memoryMiB,
      limited: isBudgeted,
      share,
      explain: onFrame !== undefined,
      ...(saved && { resume: sessionFile! }),
    });
    const session = createSession({
      model,
      source,
      stream,
      names: { method, gate: stages.gate.method, vision: stages.vision.method, memory: stages.memory.method },
      budget: isBudgeted ? new BudgetController({ maxLatencyMs: maxLatencyMs ?? defaultLatencyMs, catchUpSec }) : undefined,
      clock: isBudgeted && isPaced ? new StreamClock(sourceOptions?.speed) : undefined,
      drive,
      onEvent,
      onFrame,
      ownsModel: !loaded,
      saving: sessionFile === undefined ? undefined : { file: sessionFile, everySec: saveEverySec },
      saved,
    });
    opened.move(); // From here on the session owns them.
    const onAbort = () => void session.stop();
    signal?.addEventListener('abort', onAbort, { once: true });
    session.ended.catch(() => undefined).finally(() => signal?.removeEventListener('abort', onAbort)).catch(() => undefined);
    return session;
  }
}

/** @throws UserError for unknown methods and wrong options of those stages */
async function checkStages(stages: StageChoices, which: readonly StageName[]): Promise<void> {
  for (const stage of which) {
    await checkChoice(stage, stages[stage]);
  }
}

function load(wanted: string | Model | ModelOptions, signal: AbortSignal | undefined): Promise<Model> {
  const options = typeof wanted === 'string' ? { model: wanted } : (wanted as ModelOptions);
  return openModel({ ...options, ...(signal && !options.signal && { signal }) });
}

function isOpen(source: SourceInput | Source): source is Source {
  return typeof source === 'object' && 'info' in source && 'stats' in source;
}
