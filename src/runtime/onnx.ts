// ONNX Runtime: the only importer of onnxruntime-node. Models in, tensors out, and how long that took.
import { parse } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Tensor, env, type InferenceSession } from 'onnxruntime-node';
// Below the package's asynchronous wrapper, whose checks and turns of the event loop cost more than a small run itself.
import { binding as native, initOrt } from 'onnxruntime-node/dist/binding.js';
import { ModelError, messageOf } from '../core/errors.ts';

export { Tensor };
export type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A tensor in memory of its owner, in plain fields: the native binding reads each of them by name, and the getters of `Tensor` make that take twice as long.
 * `data` may be longer than `dims` need. Both may change from run to run, so that what is bound again and again is made once.
 */
export interface Binding {
  readonly type: 'float32' | 'int64';
  data: Float32Array | BigInt64Array;
  dims: readonly number[];
  readonly location: 'cpu';
}
export type Bindings = Readonly<Record<string, Binding>>;

export function binding<Data extends Float32Array | BigInt64Array>(data: Data, dims: readonly number[]): Binding & { data: Data } {
  return { type: data instanceof Float32Array ? 'float32' : 'int64', data, dims, location: 'cpu' };
}

export interface OnnxOptions {
  /** Threads inside one operator. */
  readonly threads: number;
  /** `all` lets ONNX Runtime fuse operators; `basic` keeps the graph as built. */
  readonly optimization?: 'all' | 'extended' | 'basic' | 'disabled';
  /** Keeps freed memory for the next run. Each graph keeps its own, so leave it off where there are many: together they hold several times the weights. */
  readonly arena?: boolean;
  /** Threads stay awake between runs too: faster for one graph run back to back, at the price of a busy core. */
  readonly spinning?: boolean;
}

/** A model ready to run. */
export interface OnnxModel extends AsyncDisposable {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs once. Tensors given in `into` receive the outputs of those names in place; others are allocated.
   * The calling thread is busy meanwhile: call it from a worker where that matters.
   */
  run(feeds: Tensors, into?: Tensors): Promise<Tensors>;
  /** The same for many small runs: computes the outputs named in `into`, each in place, and gives nothing back. */
  fill(feeds: Bindings, into: Bindings): Promise<void>;
}

/** Time spent inside ONNX Runtime by this thread, in milliseconds, and the number of runs; grows without end. */
export const onnxTime = { ms: 0, runs: 0 };

env.logLevel = 'error';

const turnEveryMs = 4;
let lastTurn = 0;

/** Opens a model from its bytes, or from a file. Locations of weights outside of it are relative to the root of the file system. */
export async function openOnnx(model: Uint8Array | string, { threads, optimization = 'all', arena = true, spinning = false }: OnnxOptions): Promise<OnnxModel> {
  const options: InferenceSession.SessionOptions = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: optimization,
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    // Within a run threads wait for the next operator without sleeping, which halves the time of small operators; between runs they sleep,
    // since every graph has threads of its own and a paced stream leaves most of the time idle.
    // Weights are referenced from the root of the file system, so that one graph may use files of several folders.
    extra: { session: { intra_op: { allow_spinning: '1' }, force_spinning_stop: spinning ? '0' : '1', model_external_initializers_file_folder_path: parse(process.cwd()).root } },
    logSeverityLevel: 3,
  };
  initOrt();
  const session = new native.InferenceSession();
  await nextTurn();
  try {
    if (typeof model === 'string') session.loadModel(model, options);
    else session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, options);
  } catch (cause) {
    throw new ModelError('ONNX_OPEN', { what: `ONNX Runtime cannot open ${typeof model === 'string' ? model : 'a graph'}`, got: messageOf(cause), cause });
  }
  const inputNames = session.inputMetadata.map(({ name }) => name);
  const outputNames = session.outputMetadata.map(({ name }) => name);
  const allocated = nothing(outputNames);
  let open = true;
  const run = async (feeds: object, fetches: object) => {
    // Messages and timers of this thread get their turn now and then, not at each of many small runs.
    if (performance.now() - lastTurn > turnEveryMs) {
      await nextTurn();
      lastTurn = performance.now();
    }
    if (!open) throw new ModelError('ONNX_CLOSED', { what: 'this graph was released', todo: 'open it again' });
    const start = performance.now();
    const results = session.run(feeds as Tensors, fetches as Tensors, {}) as Tensors;
    onnxTime.ms += performance.now() - start;
    onnxTime.runs++;
    return results;
  };
  return {
    inputNames,
    outputNames,
    async run(feeds, into) {
      if (!into) return run(feeds, allocated);
      const results = await run(feeds, { ...allocated, ...into });
      freeCopies(results, into);
      return Object.assign(results, into);
    },
    async fill(feeds, into) {
      freeCopies(await run(feeds, into), into);
    },
    [Symbol.asyncDispose]() {
      if (open) session.dispose();
      open = false;
      return Promise.resolve();
    },
  };
}

/** Smaller copies are left to the garbage collector: a decoder has hundreds of them a token. */
const freedBytes = 1 << 14;

/**
 * Frees what the binding gives back for outputs that were written in place: it copies those too, 200 MB for a picture, which would stay until garbage
 * is collected.
 */
function freeCopies(results: Tensors, into: Readonly<Record<string, unknown>>): void {
  for (const name in into) {
    const { buffer } = results[name]!.data as Float32Array<ArrayBuffer>;
    if (buffer.byteLength >= freedBytes) buffer.transfer(0);
  }
}

/** `null` asks ONNX Runtime to allocate that output. */
function nothing(names: readonly string[]): Record<string, null> {
  return Object.fromEntries(names.map((name) => [name, null]));
}
