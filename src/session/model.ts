// A model in a worker thread of its own, ready for any number of streams.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { parseOptions } from '../core/options.ts';
import { startWorker, type WorkerClient } from '../runtime/worker.ts';
import { cacheFolder, findModel } from './model-folder.ts';
import type { ModelInfo } from './contract.ts';
import type { EngineService, LoadProgress } from './engine-service.ts';

const modelOptions = z.strictObject({
  /** A checkpoint folder, the name of a pulled model (`HuggingFaceTB/SmolVLM-256M-Instruct`), or `nano`, the built-in one. */
  model: z.string().min(1),
  /** Default: `float32` for models of a few million parameters, else `w8a8`. */
  precision: z.enum(['float32', 'w8a8', 'w8', 'w4']).optional(),
  threads: z.int().min(1).max(1024).optional(),
  /** A memory adapter (DMC, DMS): its name in the checkpoint's `adapters` folder, or the path of an adapter folder. */
  adapter: z.string().min(1).optional(),
  /** Where converted weights are kept. */
  cache: z.string().min(1).optional(),
});

/** Which checkpoint, how its numbers are stored, and how many threads compute. */
export type ModelOptions = z.input<typeof modelOptions> & {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
};

/** A loaded model. Dispose of it to free its thread and its weights. */
export interface Model extends AsyncDisposable {
  readonly info: ModelInfo;
  /** @internal */
  readonly engine: WorkerClient<EngineService>;
}

/**
 * Loads a checkpoint into a worker thread, so that the caller's event loop stays free.
 * Weights that need conversion are converted once, into the cache.
 * @throws ModelError when the checkpoint is missing, damaged or of an unsupported family
 */
export async function openModel({ signal, onProgress, ...given }: ModelOptions): Promise<Model> {
  const options = parseOptions(modelOptions, given, 'openModel');
  signal?.throwIfAborted();
  const folder = await findModel(options.model);
  const engine = startWorker<EngineService>(new URL(import.meta.url.endsWith('.ts') ? './engine-worker.ts' : './engine-worker.js', import.meta.url), 'thalweg engine');
  try {
    const info = await engine.call(
      'load',
      { folder, ...(options.adapter !== undefined && { adapter: options.adapter }), cacheFolder: options.cache ?? cacheFolder(), threads: options.threads ?? availableParallelism(), ...(options.precision && { precision: options.precision }) },
      { ...(signal && { signal }), ...(onProgress && { onReply: onProgress }) },
    );
    return { info, engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}
