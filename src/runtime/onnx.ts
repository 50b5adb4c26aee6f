// ONNX Runtime: the only importer of onnxruntime-node. Models in, tensors out, and how long that took.
import { parse } from 'node:path';
import { InferenceSession, Tensor, env } from 'onnxruntime-node';
import { ModelError, messageOf } from '../core/errors.ts';

export { Tensor };
export type Tensors = Readonly<Record<string, Tensor>>;

export interface OnnxOptions {
  /** Threads inside one operator. */
  readonly threads: number;
  /** `all` lets ONNX Runtime fuse operators; `basic` keeps the graph as built. */
  readonly optimization?: 'all' | 'extended' | 'basic' | 'disabled';
  /** Reuse freed memory between runs; off for graphs that run once. */
  readonly arena?: boolean;
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
}

/** Time spent inside ONNX Runtime by this thread, in milliseconds, and the number of runs; grows without end. */
export const onnxTime = { ms: 0, runs: 0 };

env.logLevel = 'error';

/** Opens a model from its bytes, or from a file. Locations of weights outside of it are relative to the root of the file system. */
export async function openOnnx(model: Uint8Array | string, { threads, optimization = 'all', arena = true }: OnnxOptions): Promise<OnnxModel> {
  const options: InferenceSession.SessionOptions = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: optimization,
    enableCpuMemArena: arena,
    // A spinning pool keeps a core busy between the runs of a paced stream.
    // Weights are referenced from the root of the file system, so that one graph may use files of several folders.
    extra: { session: { intra_op: { allow_spinning: '0' }, model_external_initializers_file_folder_path: parse(process.cwd()).root } },
    logSeverityLevel: 3,
  };
  const session = await (typeof model === 'string' ? InferenceSession.create(model, options) : InferenceSession.create(model, options)).catch((cause: unknown) => {
    throw new ModelError('ONNX_OPEN', { what: `ONNX Runtime cannot open ${typeof model === 'string' ? model : 'a graph'}`, got: messageOf(cause), cause });
  });
  let open = true;
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into) {
      const start = performance.now();
      const results = await (into ? session.run(feeds, { ...nothing(session.outputNames), ...into }) : session.run(feeds));
      onnxTime.ms += performance.now() - start;
      onnxTime.runs++;
      return results;
    },
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      await session.release();
    },
  };
}

/** `null` asks ONNX Runtime to allocate that output. */
function nothing(names: readonly string[]): Record<string, null> {
  return Object.fromEntries(names.map((name) => [name, null]));
}
