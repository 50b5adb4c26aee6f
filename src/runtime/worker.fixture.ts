// A small service for the test of worker calls.
import { setImmediate } from 'node:timers/promises';
import { CapacityError } from '../core/errors.ts';
import { Transfer, serveWorker } from './worker.ts';

export interface EchoService {
  double: { argument: Uint8Array<ArrayBuffer>; emits: never; result: Uint8Array<ArrayBuffer> };
  count: { argument: number; emits: number; result: number };
  fail: { argument: string; emits: never; result: never };
  die: { argument: undefined; emits: never; result: never };
}

serveWorker<EchoService>({
  double: (bytes) => {
    const doubled = bytes.map((byte) => byte * 2);
    return Promise.resolve(new Transfer(doubled, [doubled.buffer]));
  },
  count: async (end, { signal, emit }) => {
    for (let n = 0; n < end; n++) {
      await setImmediate();
      signal.throwIfAborted();
      emit(n);
    }
    return end;
  },
  fail: (code) => Promise.reject(new CapacityError(code, { what: 'too much', got: '9' })),
  die: () => process.exit(3),
});
