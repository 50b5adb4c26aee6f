// A bounded queue between the decoder and the consumer; when full it waits, or drops its oldest item and says so.

export interface FrameQueue<T> {
  readonly length: number;
  /** Adds an item. With `wait` the promise settles when the item is in; with `drop-oldest` at once. */
  push(item: T): Promise<void>;
  /** The oldest item, when there is one; undefined after `end`. Rejects after `fail`, once the items before it are taken. */
  take(): Promise<T | undefined>;
  /** No more items; those inside can still be taken. */
  end(): void;
  fail(error: unknown): void;
  /** Gives up the items inside, and everyone who waits. */
  clear(): void;
}

export interface FrameQueueOptions<T> {
  readonly capacity: number;
  readonly whenFull: 'wait' | 'drop-oldest';
  readonly onDrop?: (item: T) => void;
}

export function createFrameQueue<T>({ capacity, whenFull, onDrop }: FrameQueueOptions<T>): FrameQueue<T> {
  let items: T[] = [];
  let outcome: { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: unknown } | undefined;
  // At most one producer and one consumer wait, each on the next change.
  let wakeProducer: (() => void) | undefined;
  let wakeConsumer: (() => void) | undefined;

  const wakeBoth = () => {
    wakeProducer?.();
    wakeConsumer?.();
  };
  return {
    get length() {
      return items.length;
    },
    async push(item) {
      while (items.length >= capacity && outcome === undefined) {
        if (whenFull === 'drop-oldest') onDrop?.(items.shift()!);
        else await new Promise<void>((resolve) => (wakeProducer = resolve));
      }
      if (outcome !== undefined) return;
      items.push(item);
      wakeConsumer?.();
    },
    async take() {
      while (items.length === 0) {
        if (outcome?.kind === 'failed') throw outcome.error;
        if (outcome !== undefined) return undefined;
        await new Promise<void>((resolve) => (wakeConsumer = resolve));
      }
      const item = items.shift();
      wakeProducer?.();
      return item;
    },
    end() {
      outcome ??= { kind: 'ended' };
      wakeBoth();
    },
    fail(error) {
      outcome ??= { kind: 'failed', error };
      wakeBoth();
    },
    clear() {
      items = [];
      outcome ??= { kind: 'ended' };
      wakeBoth();
    },
  };
}
