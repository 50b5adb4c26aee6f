// Events of a session, to any number of listeners.
import type { SessionEvent } from './contract.ts';

type Listener = (event: SessionEvent) => void;

export interface EventHub {
  readonly emit: Listener;
  readonly subscribe: (listener: Listener) => () => void;
  /** Events from this call on, up to and including `ended`. */
  readonly iterate: () => AsyncIterable<SessionEvent>;
}

export function createEventHub(first: Listener | undefined): EventHub {
  const listeners = new Set<Listener>(first ? [first] : []);
  let ended = false;
  const subscribe = (listener: Listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return {
    subscribe,
    emit(event) {
      if (event.kind === 'ended') ended = true;
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          // A listener's fault is its program's, and is thrown there; the session goes on.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    iterate() {
      const queue: SessionEvent[] = [];
      let wake = Promise.withResolvers<undefined>();
      // Listens at once, not at the first `next`, so that nothing between the two is lost.
      const unsubscribe = ended
        ? () => undefined
        : subscribe((event) => {
            queue.push(event);
            wake.resolve(undefined);
          });
      return generate(unsubscribe);

      async function* generate(stop: () => void): AsyncGenerator<SessionEvent> {
        try {
          while (queue.length > 0 || !ended) {
            for (let event = queue.shift(); event; event = queue.shift()) {
              yield event;
              if (event.kind === 'ended') return;
            }
            await wake.promise;
            wake = Promise.withResolvers();
          }
        } finally {
          stop();
        }
      }
    },
  };
}
