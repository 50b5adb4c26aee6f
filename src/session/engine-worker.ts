// The worker thread of a model: an engine behind typed calls.
import { UserError } from '../core/errors.ts';
import { serveWorker } from '../runtime/worker.ts';
import { Engine } from './engine.ts';
import type { EngineService } from './engine-service.ts';

let engine: Engine | undefined;

function loaded(): Engine {
  if (!engine) throw new UserError('NO_MODEL_LOADED', { what: 'the engine has no model yet', todo: 'load one first' });
  return engine;
}

serveWorker<EngineService>({
  load: async (argument, { signal, emit }) => {
    engine = await Engine.load({ ...argument, signal, onProgress: emit });
    return engine.info;
  },
  open: (argument) => loaded().open(argument),
  frame: ({ stream, frame }, { signal }) => loaded().frame(stream, frame, signal),
  ask: ({ stream, question, generation, remember }, { signal, emit }) => loaded().ask(stream, question, generation, remember, emit, signal),
  memory: (stream) => Promise.resolve(loaded().memory(stream)),
  close: (stream) => {
    loaded().close(stream);
    return Promise.resolve(undefined);
  },
});
