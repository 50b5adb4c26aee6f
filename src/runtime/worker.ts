// Worker threads with typed calls: requests, streamed replies, aborts, and errors that keep their class.
import { setTimeout } from 'node:timers/promises';
import { Worker, parentPort, type Transferable } from 'node:worker_threads';
import { abortReason } from '../core/abort.ts';
import { CapacityError, MediaError, ModelError, ThalwegError, UserError, messageOf, type ErrorParts } from '../core/errors.ts';

/** What a handler is given beside its argument. */
export interface CallContext<Reply> {
  /** Fires when the caller aborts. */
  readonly signal: AbortSignal;
  /** Sends something to the caller before the call returns. */
  readonly emit: (reply: Reply) => void;
}

/** The types of one call; `emits` is what precedes the result. A service is an interface with a `Call` a name. */
export interface Call {
  readonly argument: unknown;
  readonly emits: unknown;
  readonly result: unknown;
}

export type Handlers<S extends Record<keyof S, Call>> = {
  readonly [K in keyof S]: (argument: S[K]['argument'], context: CallContext<S[K]['emits']>) => Promise<S[K]['result'] | Transfer<S[K]['result']>>;
};

export interface CallOptions<Reply> {
  readonly signal?: AbortSignal;
  /** Buffers that move to the worker instead of being copied; unusable here afterwards, even when the call fails. */
  readonly transfer?: readonly Transferable[];
  readonly onReply?: (reply: Reply) => void;
}

/** A worker thread seen from outside. */
export interface WorkerClient<S extends Record<keyof S, Call>> extends AsyncDisposable {
  call<K extends keyof S & string>(name: K, argument: S[K]['argument'], options?: CallOptions<S[K]['emits']>): Promise<S[K]['result']>;
  /** Settles when the thread has ended; rejects when it died by itself. */
  readonly exited: Promise<undefined>;
}

type Request = { readonly kind: 'call'; readonly id: number; readonly name: string; readonly argument: unknown } | { readonly kind: 'abort'; readonly id: number } | { readonly kind: 'close' };

interface SentError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string;
  readonly parts?: Omit<ErrorParts, 'cause'>;
}

type Response =
  | { readonly kind: 'reply'; readonly id: number; readonly reply: unknown }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: SentError };

/** A result that moves buffers to the caller instead of copying them. */
export class Transfer<T> {
  readonly value: T;
  readonly list: readonly Transferable[];
  constructor(value: T, list: readonly Transferable[]) {
    this.value = value;
    this.list = list;
  }
}

/**
 * Answers the calls of the thread that started this one. Call once, at the top of a worker file.
 * @param dispose frees what the handlers hold, when the client closes and every call under way has ended
 */
export function serveWorker<S extends Record<keyof S, Call>>(handlers: Handlers<S>, dispose: () => Promise<void> = () => Promise.resolve()): void {
  const port = parentPort;
  if (!port) throw new UserError('NOT_A_WORKER', { what: 'this file runs only as a worker thread' });
  const aborts = new Map<number, AbortController>();
  const underWay = new Set<Promise<void>>();
  // Native code must not be interrupted: calls are aborted and waited for, then the thread ends by itself.
  const close = async () => {
    for (const controller of aborts.values()) controller.abort();
    await Promise.all(underWay);
    await dispose();
    port.close();
  };
  const send = (response: Response, transfer: readonly Transferable[] = []) => port.postMessage(response, transfer);

  port.on('message', (request: Request) => {
    if (request.kind === 'abort') {
      aborts.get(request.id)?.abort();
      return;
    }
    if (request.kind === 'close') {
      void close();
      return;
    }
    const { id, name, argument } = request;
    const controller = new AbortController();
    aborts.set(id, controller);
    const context: CallContext<unknown> = { signal: controller.signal, emit: (reply) => send({ kind: 'reply', id, reply }) };
    // What arrives is typed on the sender's side; here it is a name.
    const handler = (handlers as Readonly<Record<string, ((argument: unknown, context: CallContext<unknown>) => Promise<unknown>) | undefined>>)[name];
    const work = Promise.resolve()
      .then(() => {
        if (!handler) throw new UserError('UNKNOWN_CALL', { what: 'the worker has no such call', got: name });
        return handler(argument, context);
      })
      .then(
        (result) => (result instanceof Transfer ? send({ kind: 'result', id, result: result.value }, result.list) : send({ kind: 'result', id, result })),
        (thrown: unknown) => send({ kind: 'error', id, error: pack(thrown) }),
      )
      .finally(() => {
        aborts.delete(id);
        underWay.delete(work);
      });
    underWay.add(work);
  });
}

/** How long a closing thread may take to end the calls under way. */
const closePatienceMs = 30_000;

/** Starts a worker thread from a file that calls `serveWorker`. */
export function startWorker<S extends Record<keyof S, Call>>(file: URL, name: string): WorkerClient<S> {
  const worker = new Worker(file, { name });
  const pending = new Map<number, { readonly resolve: (result: never) => void; readonly reject: (reason: unknown) => void; readonly onReply: ((reply: never) => void) | undefined }>();
  let nextId = 0;
  let closing = false;
  let ended: Error | undefined;

  const { promise: exited, resolve: markExited, reject: markDied } = Promise.withResolvers<undefined>();
  exited.catch(() => undefined); // Those who wait see it; nobody has to wait.
  const fail = (reason: Error) => {
    ended = reason;
    for (const { reject } of pending.values()) reject(reason);
    pending.clear();
  };
  worker.on('message', (response: Response) => {
    const call = pending.get(response.id);
    if (!call) return;
    if (response.kind === 'reply') {
      try {
        call.onReply?.(response.reply as never);
      } catch (error) {
        // The caller's own listener failed: his call fails, not the process.
        pending.delete(response.id);
        worker.postMessage({ kind: 'abort', id: response.id } satisfies Request);
        call.reject(error);
      }
      return;
    }
    pending.delete(response.id);
    if (pending.size === 0) worker.unref();
    if (response.kind === 'result') call.resolve(response.result as never);
    else call.reject(unpack(response.error));
  });
  worker.on('error', (cause) => {
    fail(new ModelError('WORKER_DIED', { what: `worker thread ${name} died`, got: messageOf(cause), cause }));
  });
  worker.on('exit', (status) => {
    if (!closing) fail(ended ?? new ModelError('WORKER_DIED', { what: `worker thread ${name} ended by itself`, got: `status ${status}` }));
    if (ended) markDied(ended);
    else markExited(undefined);
  });
  let closed: Promise<void> | undefined;
  const close = async () => {
    closing = true;
    for (const { reject } of pending.values()) reject(new UserError('WORKER_CLOSED', { what: `worker thread ${name} was closed while it worked` }));
    pending.clear();
    if (ended) return;
    const patience = new AbortController();
    worker.ref();
    worker.postMessage({ kind: 'close' } satisfies Request);
    const late = setTimeout(closePatienceMs, 'late' as const, { signal: patience.signal }).catch(() => undefined);
    // A call that does not heed its abort is ended by force.
    if ((await Promise.race([exited.catch(() => undefined), late])) === 'late') await worker.terminate();
    patience.abort();
  };
  worker.unref(); // A thread that waits for work does not keep the program alive.

  return {
    exited,
    call(callName, argument, { signal, transfer = [], onReply } = {}) {
      if (ended) return Promise.reject(ended);
      if (closing) return Promise.reject(new UserError('WORKER_CLOSED', { what: `worker thread ${name} is closed` }));
      if (signal?.aborted) return Promise.reject(abortReason(signal));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const abort = () => worker.postMessage({ kind: 'abort', id } satisfies Request);
        signal?.addEventListener('abort', abort, { once: true });
        const settle = () => signal?.removeEventListener('abort', abort);
        pending.set(id, {
          resolve(result) {
            settle();
            resolve(result);
          },
          reject(reason) {
            settle();
            reject(signal?.aborted && !(reason instanceof ThalwegError) ? abortReason(signal) : (reason as Error));
          },
          onReply,
        });
        try {
          worker.postMessage({ kind: 'call', id, name: callName, argument } satisfies Request, transfer);
          worker.ref();
        } catch (cause) {
          settle();
          pending.delete(id);
          reject(new UserError('NOT_SENDABLE', { what: `what was given to ${callName} cannot go to a thread`, got: messageOf(cause), expected: 'plain data', cause }));
        }
      });
    },
    [Symbol.asyncDispose]() {
      closed ??= close();
      return closed;
    },
  };
}

function pack(thrown: unknown): SentError {
  if (thrown instanceof ThalwegError) {
    const { cause, ...parts } = thrown.parts;
    return { type: thrown.name, message: thrown.message, stack: thrown.stack, code: thrown.code, parts: { ...parts, ...(cause !== undefined && parts.got === undefined && { got: messageOf(cause) }) } };
  }
  return thrown instanceof Error ? { type: thrown.name, message: thrown.message, stack: thrown.stack } : { type: 'Error', message: String(thrown) };
}

const classes = { UserError, MediaError, ModelError, CapacityError };

function unpack({ type, message, stack, code, parts }: SentError): Error {
  const known = Object.hasOwn(classes, type) ? classes[type as keyof typeof classes] : undefined;
  if (known && code !== undefined && parts) return new known(code, parts);
  if (type === 'AbortError') return new DOMException(message, 'AbortError');
  const error = new Error(message);
  error.name = type;
  if (stack !== undefined) error.stack = stack;
  return error;
}
