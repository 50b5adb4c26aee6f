// The worker thread of a model: an engine behind typed calls.
import { UserError } from '../core/errors.ts';
import { serveWorker } from '../runtime/worker.ts';
import { Engine } from './engine.ts';
import { createMutex } from './mutex.ts';
import type { EngineService } from './engine-service.ts';

let engine: Engine | undefined;
/** Streams take turns: a model computes one thing at a time. */
const turns = createMutex();

function loaded(): Engine {
  if (!engine) throw new UserError('NO_MODEL_LOADED', { what: 'the engine has no model yet', todo: 'load one first' });
  return engine;
}

serveWorker<EngineService>(
  {
    load: async (argument, { signal, emit }) => {
      engine = await Engine.load({ ...argument, signal, onProgress: emit });
      return engine.info;
    },
    // A stream may need another decoder, which must not be exchanged while it works.
    open: (argument) => turns.run(() => loaded().open(argument)),
    frame: ({ stream, frame, allowance }, { signal }) => turns.run(() => loaded().frame(stream, frame, { ...(allowance && { allowance }), signal })),
    ask: ({ stream, question, generation, remember }, { signal, emit }) => {
      const start = performance.now();
      return turns.run(async () => {
        const waitMs = performance.now() - start;
        return { ...(await loaded().ask(stream, question, generation, remember, emit, signal)), waitMs };
      });
    },
    memory: (stream) => Promise.resolve(loaded().memory(stream)),
    slots: (stream) => turns.run(() => Promise.resolve(loaded().slots(stream))),
    save: ({ stream, file }) =>
      turns.run(async () => {
        await loaded().save(stream, file);
        return undefined;
      }),
    close: (stream) =>
      turns.run(() => {
        loaded().close(stream);
        return Promise.resolve(undefined);
      }),
  },
  async () => engine?.[Symbol.asyncDispose](),
);
